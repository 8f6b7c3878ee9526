//! Consumers of messages over the broker in memory: what handlers do becomes what the broker is told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod ends;
mod links;
mod outbox;
mod stops;

use longshore_conformance::{ManualClock, ModelBroker, ModelStore};
use longshore_core::RetryPolicy;
use longshore_core::broker::{Broker, Envelope, GroupName, Outgoing, TopicName};
use longshore_runtime::handler::{HandlerFn, States, boxed};
use longshore_runtime::messages::{Consumer, ConsumerView, outbox as relay};
use longshore_runtime::{Brokers, Engine, Options, Registry};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// An engine with one consumer, `shipping`, of one broker, `main`.
struct House {
    engine: Engine,
    broker: ModelBroker,
}

/// Three attempts without pauses, each longer than anything here takes.
fn orders() -> Consumer {
    let retry = RetryPolicy::immediate().max_attempts(3);
    Consumer::topic("orders.*").retry(retry).timeout(PATIENCE)
}

fn group(name: &str) -> GroupName {
    GroupName::new(name).unwrap()
}

impl House {
    fn with<F: HandlerFn<Args>, Args: 'static>(consumer: Consumer, function: F) -> Self {
        Self::over(ModelBroker::default(), consumer, function)
    }

    fn over<F, Args>(broker: ModelBroker, consumer: Consumer, function: F) -> Self
    where
        F: HandlerFn<Args>,
        Args: 'static,
    {
        let handler = boxed(function, &States::default().for_messages()).unwrap();
        let carried: Arc<dyn Broker> = Arc::new(broker.clone());
        let brokers = Brokers::from_iter([(Arc::from("main"), carried)]);
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(ModelStore::new(clock.clone()));
        let mut registry = Registry::default();
        registry.add(relay::kind(&brokers).unwrap());
        let consumers = vec![(consumer.checked("shipping").unwrap(), handler)];
        let options = Options {
            clock,
            brokers,
            consumers,
            handler_threads: Some(2),
            ..Options::new(store, registry)
        };
        let engine = Engine::start(options).expect("it starts");
        Self { engine, broker }
    }

    fn view(&self) -> ConsumerView {
        self.engine.consumers().get("shipping").unwrap()
    }

    /// Returns once the consumer is so.
    async fn is(&self, word: &str) {
        until(|| async { (self.view().standing.word() == word).then_some(()) }).await;
    }

    async fn publish(&self, envelope: Envelope) {
        let topic = TopicName::new("orders.created").unwrap();
        let answers = self.broker.publish(vec![Outgoing::to_topic(topic, envelope)]).await;
        assert!(answers[0].is_ok(), "{answers:?}");
    }

    /// Returns the first dead letter, once there is one.
    async fn letter(&self) -> Envelope {
        let dead = group("shipping.dead");
        until(|| async { self.broker.waiting(&dead).into_iter().next() }).await
    }

    /// Returns once nothing waits and nothing is with anybody.
    async fn nothing_is_left(&self) {
        let shipping = group("shipping");
        until(|| async {
            let stats = self.broker.inspect(&shipping).await.ok()?;
            (stats.ready == 0 && stats.in_flight == Some(0)).then_some(())
        })
        .await;
    }

    /// Returns the value of a line of the metrics.
    fn metric(&self, begin: &str) -> u64 {
        let text = self.engine.telemetry().encode();
        let line = text.lines().find_map(|line| line.strip_prefix(begin)).unwrap_or("0");
        line.trim().parse().unwrap()
    }
}

/// Looks until there is something.
async fn until<T, F: Future<Output = Option<T>>>(look: impl Fn() -> F) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("it must come")
}
