//! The suite is tested with brokers that have a bug: a case must fail for each of them.

use super::bench::Bench;
use super::cases;
use super::{BrokerRig, ModelBroker};
use crate::ManualClock;
use async_trait::async_trait;
use longshore_core::broker::{
    Broker, BrokerError, Capabilities, CloseReport, DeclareMode, Deliveries, Delivery, Envelope,
    GroupName, GroupStats, LinkReport, Origin, Outgoing, PublishError, Receipt, Result, Settled,
    Settlement, Settler, Subscribed, Subscription, To, Topology, TopologyDiff, header,
};
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// What is wrong with a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    None,
    /// Says that something is stored before it is: it never is.
    ConfirmsTooEarly,
    /// Confirms what nobody receives.
    ConfirmsTheUnroutable,
    /// Publishes everything twice.
    Doubles,
    LosesHeaders,
    /// An ack does not arrive.
    LosesAcks,
    /// Acks as it hands out.
    AcksTooEarly,
    IgnoresThePrefetch,
    HandsOutBackwards,
    /// A retry forgets the original, and stores nothing.
    LosesRetries,
    /// A retry comes at once.
    RetriesAtOnce,
    /// A retry goes to everybody who gets the topic.
    RetriesToAll,
    /// The number of the attempt stays.
    CountsNoAttempts,
    LosesDeadLetters,
    /// A dead letter is stored, and nobody knows why it is one.
    GivesNoReasons,
    /// A settlement of something that is gone is said to count.
    SettlesTheStale,
}

struct Buggy {
    inner: Arc<dyn Broker>,
    bug: Bug,
}

impl std::fmt::Debug for Buggy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.bug)
    }
}

#[async_trait]
impl Broker for Buggy {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn declare(&self, topology: &Topology, mode: DeclareMode) -> Result<TopologyDiff> {
        self.inner.declare(topology, mode).await
    }

    async fn publish(&self, mut batch: Vec<Outgoing>) -> Vec<Result<Receipt, PublishError>> {
        match self.bug {
            Bug::ConfirmsTooEarly => return batch.iter().map(|_| Ok(Receipt)).collect(),
            Bug::Doubles => drop(self.inner.publish(batch.clone()).await),
            Bug::LosesHeaders => {
                batch.iter_mut().for_each(|one| one.envelope.headers.remove("region"));
            }
            _ => {}
        }
        let mut answers = self.inner.publish(batch).await;
        if self.bug == Bug::ConfirmsTheUnroutable {
            answers.iter_mut().for_each(|answer| *answer = Ok(Receipt));
        }
        answers
    }

    async fn subscribe(&self, what: &Subscription) -> Result<Box<dyn Deliveries>> {
        let mut what = what.clone();
        if self.bug == Bug::IgnoresThePrefetch {
            what.prefetch = NonZeroUsize::MAX;
        }
        let inner = self.inner.subscribe(&what).await?;
        Ok(Box::new(BuggyDeliveries { inner, broker: self.inner.clone(), bug: self.bug }))
    }

    async fn inspect(&self, group: &GroupName) -> Result<GroupStats> {
        self.inner.inspect(group).await
    }

    async fn remade(&self) -> Vec<GroupName> {
        self.inner.remade().await
    }

    fn link(&self) -> LinkReport {
        self.inner.link()
    }

    async fn link_changed(&self, seen: u64) -> LinkReport {
        self.inner.link_changed(seen).await
    }

    async fn close(&self, within: Duration) -> CloseReport {
        self.inner.close(within).await
    }
}

#[derive(Debug)]
struct BuggyDeliveries {
    inner: Box<dyn Deliveries>,
    broker: Arc<dyn Broker>,
    bug: Bug,
}

#[async_trait]
impl Deliveries for BuggyDeliveries {
    async fn receive(&mut self, most: usize) -> Vec<Delivery> {
        let mut came = self.inner.receive(most).await;
        if self.bug == Bug::HandsOutBackwards {
            came.reverse();
        }
        let mut all = Vec::new();
        for inner in came {
            let (envelope, origin) = (inner.envelope.clone(), inner.origin.clone());
            let (redelivered, hand_out, epoch) = (inner.redelivered, inner.hand_out, inner.epoch);
            let inner = if self.bug == Bug::AcksTooEarly {
                let _ = inner.settle(Settlement::Ack).await;
                None
            } else {
                Some(inner)
            };
            let settler = BuggySettler { inner, broker: self.broker.clone(), bug: self.bug };
            let mut delivery = Delivery::new(envelope, origin, epoch, Box::new(settler));
            (delivery.redelivered, delivery.hand_out) = (redelivered, hand_out);
            all.push(delivery);
        }
        all
    }

    fn state(&self) -> Subscribed {
        self.inner.state()
    }

    async fn state_changed(&self, seen: &Subscribed) -> Subscribed {
        self.inner.state_changed(seen).await
    }

    async fn pause(&self) {
        self.inner.pause().await;
    }

    async fn resume(&self) {
        self.inner.resume().await;
    }
}

#[derive(Debug)]
struct BuggySettler {
    inner: Option<Delivery>,
    broker: Arc<dyn Broker>,
    bug: Bug,
}

impl BuggySettler {
    /// Publishes instead of what was asked for, and forgets the original.
    async fn instead(&self, inner: Delivery, to: To, envelope: Envelope) -> Result<Settled> {
        self.broker.publish(vec![Outgoing { to, envelope }]).await;
        inner.settle(Settlement::Ack).await
    }
}

#[async_trait]
impl Settler for BuggySettler {
    async fn settle(
        mut self: Box<Self>,
        envelope: Envelope,
        origin: Origin,
        how: Settlement,
    ) -> Result<Settled, BrokerError> {
        let Some(mut inner) = self.inner.take() else { return Ok(Settled::Done) };
        inner.envelope = envelope.clone();
        match (self.bug, how) {
            (Bug::LosesAcks, Settlement::Ack) => Ok(Settled::Done), // dropped: handed out again
            (Bug::LosesRetries, Settlement::Retry { .. })
            | (Bug::LosesDeadLetters, Settlement::Dead(_)) => inner.settle(Settlement::Ack).await,
            (Bug::RetriesAtOnce, Settlement::Retry { .. }) => {
                inner.settle(Settlement::Retry { after: Duration::ZERO }).await
            }
            (Bug::RetriesToAll, Settlement::Retry { .. }) => {
                let to = To::Topic(origin.topic.clone().expect("a topic"));
                self.instead(inner, to, envelope.next_attempt(&origin)).await
            }
            (Bug::CountsNoAttempts, how @ Settlement::Retry { .. }) => {
                inner.envelope.headers.set(header::ATTEMPT, "0");
                inner.settle(how).await
            }
            (Bug::GivesNoReasons, Settlement::Dead(_)) => {
                let group = origin.group.clone().expect("a group");
                let dead = GroupName::new(&format!("{group}.dead")).expect("a name");
                self.instead(inner, To::Group(dead), envelope).await
            }
            (Bug::SettlesTheStale, how) => inner.settle(how).await.map(|_| Settled::Done),
            (_, how) => inner.settle(how).await,
        }
    }

    async fn extend(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    fn abandon(self: Box<Self>) {}
}

struct BuggyRig {
    clock: Arc<ManualClock>,
    model: ModelBroker,
    bug: Bug,
}

#[async_trait]
impl BrokerRig for BuggyRig {
    async fn connect(&self) -> Arc<dyn Broker> {
        Arc::new(Buggy { inner: Arc::new(self.model.connect()), bug: self.bug })
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(150)
    }
}

/// Whether a case passes with that bug.
fn passes(name: &str, bug: Bug) -> bool {
    let (group, case) = name.split_once("::").expect("a part and a case");
    let (_, all) = cases::ALL.iter().find(|(known, _)| *known == group).expect("a part");
    let case = all.iter().find(|known| known.name == case).unwrap_or_else(|| panic!("{name}"));
    let clock = Arc::new(ManualClock::new());
    let rig = BuggyRig { model: ModelBroker::new(clock.clone()), clock, bug };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let run = || runtime.block_on(async { (case.check)(Bench::new(Box::new(rig)).await).await });
    std::panic::catch_unwind(AssertUnwindSafe(run)).is_ok()
}

#[test]
fn every_seeded_bug_is_caught_by_a_case() {
    for (bug, case) in [
        (Bug::ConfirmsTooEarly, "publish::a_group_without_a_subscription_keeps_it"),
        (Bug::ConfirmsTheUnroutable, "publish::what_nobody_receives_is_an_error"),
        (Bug::Doubles, "publish::every_group_that_matches_gets_it_once"),
        (Bug::LosesHeaders, "publish::what_is_confirmed_is_delivered"),
        (Bug::LosesAcks, "settle::what_is_acknowledged_never_comes_again"),
        (Bug::AcksTooEarly, "receive::a_delivery_that_is_dropped_comes_again"),
        (Bug::IgnoresThePrefetch, "receive::no_more_is_handed_out_than_the_prefetch"),
        (Bug::HandsOutBackwards, "receive::order_is_kept_over_many_batches"),
        (Bug::LosesRetries, "settle::a_retry_comes_after_its_pause_as_the_next_attempt"),
        (Bug::RetriesAtOnce, "settle::a_retry_does_not_come_before_its_pause_is_over"),
        (Bug::RetriesToAll, "settle::a_retry_comes_to_its_own_group_alone"),
        (Bug::CountsNoAttempts, "settle::a_retry_comes_after_its_pause_as_the_next_attempt"),
        (Bug::LosesDeadLetters, "settle::a_dead_letter_has_its_origin_and_reason"),
        (Bug::GivesNoReasons, "settle::a_dead_letter_has_its_origin_and_reason"),
        (
            Bug::SettlesTheStale,
            "receive::what_a_dropped_subscription_has_not_settled_goes_to_others",
        ),
    ] {
        assert!(passes(case, Bug::None), "{case} fails by itself");
        assert!(!passes(case, bug), "{case} does not see {bug:?}");
    }
}
