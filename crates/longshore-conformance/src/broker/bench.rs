//! The bench a case works on: a rig, names of its own, and the verbs that keep cases short.

use super::{BrokerRig, Faults};
use longshore_core::FaultClass;
use longshore_core::broker::{
    Broker, Dead, DeclareMode, Deliveries, Delivery, Envelope, Group, GroupName, Outgoing, Pattern,
    PublishError, Receipt, Settled, Settlement, Subscribed, Subscription, TopicName, Topology,
    What, header,
};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So long nothing comes, if nothing is to come.
const QUIET: Duration = Duration::from_millis(400);

/// Seconds.
pub(super) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// An envelope with this text.
pub(super) fn text(text: &str) -> Envelope {
    Envelope::new(text.to_owned()).with(header::ID, uuid::Uuid::now_v7().to_string())
}

pub(super) fn read(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.envelope.payload).into_owned()
}

pub(super) fn reads(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(read).collect()
}

/// Why a test buries.
pub(super) fn dead() -> Settlement {
    Settlement::Dead(Dead { class: FaultClass::BadData, reason: "no such address".to_owned() })
}

pub(super) async fn settle(delivery: Delivery, how: Settlement) {
    let settled = delivery.settle(how).await.expect("it is settled");
    assert_eq!(settled, Settled::Done);
}

pub(super) async fn settle_all(deliveries: Vec<Delivery>, how: Settlement) {
    for delivery in deliveries {
        settle(delivery, how.clone()).await;
    }
}

pub(super) struct Bench {
    rig: Box<dyn BrokerRig>,
    broker: Arc<dyn Broker>,
    /// Begins all names of this case.
    word: String,
}

impl Bench {
    pub(super) async fn new(rig: Box<dyn BrokerRig>) -> Self {
        let broker = rig.connect().await;
        let random = uuid::Uuid::now_v7().simple().to_string();
        Self { rig, broker, word: format!("t{}", &random[18..]) }
    }

    pub(super) fn broker(&self) -> &Arc<dyn Broker> {
        &self.broker
    }

    /// Another process.
    pub(super) async fn connect(&self) -> Arc<dyn Broker> {
        self.rig.connect().await
    }

    pub(super) fn faults(&self) -> &dyn Faults {
        self.rig.faults().expect("the case needs it")
    }

    pub(super) async fn pass(&self, time: Duration) {
        self.rig.pass(time).await;
    }

    /// The server dies and comes back.
    pub(super) async fn reboot(&mut self) {
        self.broker = self.rig.reboot().await.expect("the case needs it");
    }

    pub(super) fn patience(&self) -> Duration {
        self.rig.patience()
    }

    pub(super) fn topic(&self, name: &str) -> TopicName {
        TopicName::new(&format!("{}.{name}", self.word)).expect("a topic")
    }

    pub(super) fn pattern(&self, pattern: &str) -> Pattern {
        Pattern::new(&format!("{}.{pattern}", self.word)).expect("a pattern")
    }

    pub(super) fn name(&self, name: &str) -> GroupName {
        GroupName::new(&format!("{}.{name}", self.word)).expect("a group")
    }

    /// Declares a group that gets what is published to topics of this pattern.
    pub(super) async fn group(&self, name: &str, pattern: &str) -> GroupName {
        let group = Group::new(self.name(name)).matching(self.pattern(pattern));
        self.declare(group).await
    }

    pub(super) async fn declare(&self, group: Group) -> GroupName {
        let name = group.name.clone();
        let declared = self.broker.declare(&Topology::of(group), DeclareMode::Declare).await;
        let diff = declared.expect("it is declared");
        assert_eq!(diff.different, []);
        name
    }

    pub(super) async fn publish(&self, topic: &str, envelope: Envelope) {
        self.try_publish(topic, envelope).await.expect("it is confirmed");
    }

    pub(super) async fn try_publish(
        &self,
        topic: &str,
        envelope: Envelope,
    ) -> Result<Receipt, PublishError> {
        let outgoing = Outgoing::to_topic(self.topic(topic), envelope);
        let answers = self.broker.publish(vec![outgoing]).await;
        assert_eq!(answers.len(), 1);
        answers.into_iter().next().expect("one answer")
    }

    /// Publishes texts as one batch, in order.
    pub(super) async fn publish_all<T: AsRef<str>>(&self, topic: &str, texts: &[T]) {
        let outgoing = |one: &T| Outgoing::to_topic(self.topic(topic), text(one.as_ref()));
        for batch in texts.chunks(500) {
            for answer in self.broker.publish(batch.iter().map(outgoing).collect()).await {
                answer.expect("it is confirmed");
            }
        }
    }

    /// Publishes until it is confirmed; a broker that was away needs a moment.
    pub(super) async fn publish_patiently(&self, topic: &str, one: &str) {
        let until = Instant::now() + 2 * self.patience();
        let envelope = text(one);
        loop {
            match self.try_publish(topic, envelope.clone()).await {
                Ok(_) => return,
                Err(error) if error.is_temporary() && Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => panic!("{one}: {error}"),
            }
        }
    }

    pub(super) async fn subscribe(&self, group: &GroupName, prefetch: usize) -> Receiving {
        self.subscribe_by(&self.broker, What::Group(group.clone()), prefetch).await
    }

    /// Subscribes, and waits until the broker has confirmed it.
    pub(super) async fn subscribe_by(
        &self,
        broker: &Arc<dyn Broker>,
        what: What,
        prefetch: usize,
    ) -> Receiving {
        let prefetch = NonZeroUsize::new(prefetch).expect("some");
        let subscription = Subscription { what, prefetch, consumer: "suite".to_owned() };
        let deliveries = broker.subscribe(&subscription).await.expect("it is subscribed");
        let receiving = Receiving { deliveries, patience: self.patience() };
        receiving.until(&Subscribed::Confirmed).await;
        receiving
    }
}

/// A subscription.
pub(super) struct Receiving {
    deliveries: Box<dyn Deliveries>,
    patience: Duration,
}

impl Receiving {
    pub(super) async fn until(&self, wanted: &Subscribed) {
        let until = async {
            let mut state = self.deliveries.state();
            while state != *wanted {
                state = self.deliveries.state_changed(&state).await;
            }
        };
        let done = tokio::time::timeout(3 * self.patience, until).await;
        assert!(done.is_ok(), "{:?} and not {wanted:?}", self.deliveries.state());
    }

    pub(super) fn deliveries(&mut self) -> &mut dyn Deliveries {
        &mut *self.deliveries
    }

    /// Returns what comes at once, at least one.
    pub(super) async fn some(&mut self, most: usize) -> Vec<Delivery> {
        let came = tokio::time::timeout(3 * self.patience, self.deliveries.receive(most)).await;
        let came = came.unwrap_or_else(|_| panic!("nothing came: {:?}", self.deliveries.state()));
        assert!((1..=most).contains(&came.len()), "{} of at most {most}", came.len());
        came
    }

    pub(super) async fn one(&mut self) -> Delivery {
        self.some(1).await.remove(0)
    }

    /// Returns exactly so many, in the order in which they came.
    pub(super) async fn all(&mut self, count: usize) -> Vec<Delivery> {
        let mut all = Vec::new();
        while all.len() < count {
            all.extend(self.some(count - all.len()).await);
        }
        all
    }

    /// Receives and acknowledges so many; returns their texts.
    pub(super) async fn take(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        while texts.len() < count {
            for delivery in self.some(count - texts.len()).await {
                texts.push(read(&delivery));
                settle(delivery, Settlement::Ack).await;
            }
        }
        texts
    }

    /// Nothing comes.
    pub(super) async fn nothing(&mut self) {
        if let Ok(came) = tokio::time::timeout(QUIET, self.deliveries.receive(10)).await {
            panic!("{came:?} came");
        }
    }
}
