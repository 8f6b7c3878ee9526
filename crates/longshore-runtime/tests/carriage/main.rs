//! Carried queues over the broker and the store in memory: whatever becomes of an envelope, its task ends once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bounds;
mod losses;
mod servers;
mod ways;

use longshore_conformance::{ManualClock, ModelBroker, ModelStore};
use longshore_core::broker::{Broker, GroupName};
use longshore_core::queue::QueueSettings;
use longshore_core::{KindName, QueueName, RetryPolicy, State, Task, TaskId, TenantName};
use longshore_runtime::handler::{HandlerFn, States, boxed};
use longshore_runtime::{Brokers, Engine, Kind, Options, Registry, Submission};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is missing for so long, twice, is lost.
const LOST_AFTER: Duration = Duration::from_millis(100);

/// An engine whose queue `mail` the broker `main` carries.
struct House {
    engine: Engine,
    store: Arc<ModelStore>,
    broker: ModelBroker,
    clock: Arc<ManualClock>,
}

fn queue() -> QueueName {
    QueueName::new("mail").unwrap()
}

/// A kind of the queue `mail`, three attempts without pauses.
fn kind<F: HandlerFn<Args>, Args: 'static>(name: &str, function: F) -> Kind {
    let handler = boxed(function, &States::default()).unwrap();
    let retry = RetryPolicy::immediate().max_attempts(3);
    Kind::new(KindName::new(name).unwrap(), handler).queue(queue()).retry(retry)
}

/// The same, that nobody runs here.
fn foreign(name: &str) -> Kind {
    Kind::pulled(KindName::new(name).unwrap()).queue(queue())
}

/// These kinds, and the queue `mail` with so many slots, carried by `main`.
fn registry(kinds: impl IntoIterator<Item = Kind>, settings: QueueSettings) -> Registry {
    let mut registry = Registry::default();
    kinds.into_iter().for_each(|kind| registry.add(kind));
    registry.add_queue(queue(), settings);
    registry.carry(queue(), Some("main".into()));
    registry
}

fn carried(kinds: impl IntoIterator<Item = Kind>) -> Registry {
    registry(kinds, QueueSettings { slots: Some(4), ..QueueSettings::default() })
}

fn group(kind: &str) -> GroupName {
    GroupName::new(&format!("ls.tasks/mail/{kind}")).unwrap()
}

impl House {
    fn of(kinds: impl IntoIterator<Item = Kind>) -> Self {
        Self::with(carried(kinds))
    }

    fn with(registry: Registry) -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(ModelStore::new(clock.clone()));
        Self::over(store, ModelBroker::new(clock.clone()), clock, registry)
    }

    fn over(
        store: Arc<ModelStore>,
        broker: ModelBroker,
        clock: Arc<ManualClock>,
        registry: Registry,
    ) -> Self {
        let carrying: Arc<dyn Broker> = Arc::new(broker.clone());
        let options = Options {
            clock: clock.clone(),
            brokers: Brokers::from_iter([(Arc::from("main"), carrying)]),
            handler_threads: Some(2),
            lost_after: LOST_AFTER,
            ..Options::new(store.clone(), registry)
        };
        let engine = Engine::start(options).expect("it starts");
        Self { engine, store, broker, clock }
    }

    /// Another server beside this one.
    fn beside(&self, registry: Registry) -> Self {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        Self::over(store, self.broker.connect(), clock, registry)
    }

    /// Returns once the store knows who carries the queue.
    async fn is_carried(&self) {
        until(|| async { self.engine.live().now().carrier(&queue()).map(drop) }).await;
    }

    async fn submit(&self, kind: &str) -> TaskId {
        let wish = Submission { kind: kind.into(), ..Submission::default() };
        self.engine.intake().submit(wish).await.expect("accepted").id
    }

    async fn submit_many(&self, kind: &str, count: usize) -> Vec<TaskId> {
        let mut ids = Vec::with_capacity(count);
        for _ in 0..count {
            ids.push(self.submit(kind).await);
        }
        ids
    }

    async fn task(&self, id: TaskId) -> Task {
        let found = self.engine.store().get(TenantName::default(), id).await;
        found.expect("it serves").expect("it is there")
    }

    /// Returns once all of these have succeeded.
    async fn succeed(&self, ids: &[TaskId]) {
        for id in ids {
            until(|| async { self.task(*id).await.state.is_end().then_some(()) }).await;
            assert_eq!(self.task(*id).await.state, State::Success);
        }
    }

    /// Returns once so many envelopes of a kind wait at the broker.
    async fn waiting(&self, kind: &str, count: usize) {
        until(|| async { (self.broker.waiting(&group(kind)).len() == count).then_some(()) }).await;
    }

    /// Returns once nothing waits and nothing is with anybody.
    async fn nothing_is_left(&self, kind: &str) {
        until(|| async {
            let stats = self.broker.inspect(&group(kind)).await.ok()?;
            (stats.ready == 0 && stats.in_flight == Some(0)).then_some(())
        })
        .await;
    }

    /// Returns the value of a metric of the queue.
    fn metric(&self, name: &str) -> u64 {
        let text = self.engine.telemetry().encode();
        let begin = format!("longshore_carriage_{name}{{queue=\"mail\"}}");
        let line = text.lines().find_map(|line| line.strip_prefix(&begin)).unwrap_or("0");
        line.trim().parse().unwrap()
    }
}

/// Counts how often a handler was called.
#[derive(Debug, Clone, Default)]
struct Calls(Arc<AtomicUsize>);

impl Calls {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// A kind that counts.
    fn kind(&self, name: &str) -> Kind {
        let calls = self.0.clone();
        kind(name, move || {
            calls.fetch_add(1, Ordering::SeqCst);
            async {}
        })
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
