//! Every metric of the product, in one table.
//!
//! Each runtime has its own registry: two in one process do not meet. Label values come from
//! names that were checked, never from raw requests.

mod carriage;
mod messages;

use crate::drain::Drain;
use crate::layers::ENDINGS;
use crate::schedules::Slot;
use crate::supervisor::ComponentStatus;
use longshore_core::state::STATES;
use longshore_core::store::Count;
use longshore_core::task::Accepted;
use longshore_core::{KindName, QueueName, State};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use rustc_hash::FxHashMap as HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// Buckets of all durations, in seconds.
pub const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Sort {
    queue: String,
    kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    queue: String,
    kind: String,
    became: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Standing {
    queue: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    component: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    queue: String,
    kind: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Became {
    became: &'static str,
}

use carriage::Carriage;
use messages::Messages;
pub(crate) use messages::{Consuming, How};

type Times = Family<Sort, Histogram, fn() -> Histogram>;

/// The handles of one (queue, kind), found once.
#[derive(Debug)]
struct PerKind {
    accepted: Counter,
    /// By the number of the state that the task came to.
    attempts: [Counter; STATES.len()],
    wait: Histogram,
    run: Histogram,
    running: Gauge,
    /// In the order of [`ENDINGS`].
    outcomes: [Counter; ENDINGS.len()],
}

/// The metrics of one runtime.
#[derive(Debug)]
pub struct Telemetry {
    registry: Mutex<Registry>,
    accepted: Family<Sort, Counter>,
    attempts: Family<Ended, Counter>,
    wait: Times,
    run: Times,
    running: Family<Sort, Gauge>,
    outcomes: Family<Answered, Counter>,
    tasks: Family<Standing, Gauge>,
    stale: Counter,
    late: Counter,
    slots: Family<Became, Counter>,
    store_bytes: Gauge,
    drain: Drain,
    component_ready: Family<Named, Gauge>,
    component_restarts: Family<Named, Gauge>,
    /// By kind, in each queue.
    kinds: RwLock<HashMap<QueueName, HashMap<KindName, Arc<PerKind>>>>,
    messages: Messages,
    carriage: Carriage,
}

impl Default for Telemetry {
    fn default() -> Self {
        let mut registry = Registry::default();
        let times = || Times::new_with_constructor(|| Histogram::new(BUCKETS));
        let telemetry = Self {
            accepted: Family::default(),
            attempts: Family::default(),
            wait: times(),
            run: times(),
            running: Family::default(),
            outcomes: Family::default(),
            tasks: Family::default(),
            stale: Counter::default(),
            late: Counter::default(),
            slots: Family::default(),
            store_bytes: Gauge::default(),
            drain: Drain::default(),
            component_ready: Family::default(),
            component_restarts: Family::default(),
            kinds: RwLock::default(),
            messages: Messages::default(),
            carriage: Carriage::default(),
            registry: Mutex::default(),
        };
        // The crate appends `_total` and the unit to the names.
        registry.register("longshore_tasks_accepted", "Tasks accepted", telemetry.accepted.clone());
        registry.register(
            "longshore_attempts",
            "Attempts ended, by what became of the task",
            telemetry.attempts.clone(),
        );
        registry.register_with_unit(
            "longshore_task_wait",
            "From ready to start",
            Unit::Seconds,
            telemetry.wait.clone(),
        );
        registry.register_with_unit(
            "longshore_attempt",
            "How long attempts took",
            Unit::Seconds,
            telemetry.run.clone(),
        );
        registry.register(
            "longshore_attempts_running",
            "Handlers that run",
            telemetry.running.clone(),
        );
        registry.register(
            "longshore_outcomes",
            "Handlers that returned, by how",
            telemetry.outcomes.clone(),
        );
        registry.register("longshore_tasks", "Tasks there are, by state", telemetry.tasks.clone());
        registry.register(
            "longshore_ends_refused",
            "Ends that came with an old token",
            telemetry.stale.clone(),
        );
        registry.register(
            "longshore_tasks_late",
            "Tasks that came when their lease was over, or nearly so",
            telemetry.late.clone(),
        );
        registry.register(
            "longshore_schedule_slots",
            "Slots of schedules that came, by what became of them",
            telemetry.slots.clone(),
        );
        for slot in Slot::ALL {
            let _ = telemetry.slots.get_or_create(&Became { became: slot.as_str() });
        }
        registry.register_with_unit(
            "longshore_store",
            "What tasks use",
            Unit::Bytes,
            telemetry.store_bytes.clone(),
        );
        registry.register(
            "longshore_component_ready",
            "Whether a component and all that it needs run",
            telemetry.component_ready.clone(),
        );
        registry.register(
            "longshore_component_restarts",
            "How often a component was started again",
            telemetry.component_restarts.clone(),
        );
        telemetry.messages.register(&mut registry);
        telemetry.carriage.register(&mut registry);
        *telemetry.registry.lock().unwrap_or_else(PoisonError::into_inner) = registry;
        telemetry
    }
}

impl Telemetry {
    fn per_kind(&self, queue: &QueueName, kind: &KindName) -> Arc<PerKind> {
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kinds.get(queue).and_then(|kinds| kinds.get(kind)) {
            return found.clone();
        }
        drop(kinds);
        let sort = Sort { queue: queue.to_string(), kind: kind.to_string() };
        let ended = |state: State| Ended {
            queue: queue.to_string(),
            kind: kind.to_string(),
            became: state.as_str(),
        };
        let answered = |outcome: &'static str| Answered {
            queue: queue.to_string(),
            kind: kind.to_string(),
            outcome,
        };
        let made = Arc::new(PerKind {
            attempts: STATES.map(|state| self.attempts.get_or_create(&ended(state)).clone()),
            accepted: self.accepted.get_or_create(&sort).clone(),
            wait: self.wait.get_or_create(&sort).clone(),
            run: self.run.get_or_create(&sort).clone(),
            running: self.running.get_or_create(&sort).clone(),
            outcomes: ENDINGS.map(|one| self.outcomes.get_or_create(&answered(one)).clone()),
        });
        let mut kinds = self.kinds.write().unwrap_or_else(PoisonError::into_inner);
        kinds.entry(queue.clone()).or_default().insert(kind.clone(), made.clone());
        made
    }

    /// Counts an accepted task.
    pub fn accepted(&self, task: &Accepted) {
        self.per_kind(&task.queue, &task.kind).accepted.inc();
    }

    /// Counts an attempt that ended.
    pub fn attempt(
        &self,
        queue: &QueueName,
        kind: &KindName,
        became: State,
        waited: Duration,
        ran: Duration,
    ) {
        let per_kind = self.per_kind(queue, kind);
        per_kind.wait.observe(waited.as_secs_f64());
        per_kind.run.observe(ran.as_secs_f64());
        per_kind.attempts[became as usize].inc();
        if became.is_end() {
            self.drain.ended();
        }
    }

    /// Shows one more handler that runs, until what this returns is dropped.
    pub fn running(&self, queue: &QueueName, kind: &KindName) -> Running {
        let per_kind = self.per_kind(queue, kind);
        per_kind.running.inc();
        Running(per_kind)
    }

    /// Counts an attempt that ended outside, of which no more is known here.
    pub(crate) fn elsewhere(&self, became: State) {
        if became.is_end() {
            self.drain.ended();
        }
    }

    /// Counts an end that came too late.
    pub fn stale(&self) {
        self.stale.inc();
    }

    /// Counts a task that came too late to be begun.
    pub(crate) fn late(&self) {
        self.late.inc();
    }

    /// Counts a slot of a schedule that came.
    pub(crate) fn slot(&self, slot: Slot) {
        self.slots.get_or_create(&Became { became: slot.as_str() }).inc();
    }

    /// Shows how many tasks there are.
    pub fn standing(&self, counts: &[Count], store_bytes: u64) {
        self.tasks.clear();
        let waiting = |count: &&Count| !count.state.is_end() && count.state != State::Running;
        self.drain.note_waiting(counts.iter().filter(waiting).map(|count| count.count).sum());
        for count in counts {
            let label = Standing { queue: count.queue.to_string(), state: count.state.as_str() };
            let number = i64::try_from(count.count).unwrap_or(i64::MAX);
            self.tasks.get_or_create(&label).inc_by(number);
        }
        self.store_bytes.set(i64::try_from(store_bytes).unwrap_or(i64::MAX));
    }

    /// Shows how components are. Those that are not among them are shown no more.
    pub fn components(&self, all: &[ComponentStatus]) {
        self.component_ready.clear();
        self.component_restarts.clear();
        for one in all {
            let label = Named { component: one.name.clone() };
            let restarts = i64::try_from(one.restarts).unwrap_or(i64::MAX);
            self.component_ready.get_or_create(&label).set(i64::from(one.ready));
            self.component_restarts.get_or_create(&label).set(restarts);
        }
    }

    /// Returns when it is worth to come back for one who was turned away: when a tenth of what waits
    /// will be worked off, as fast as it went in the last ten seconds. 1 to 60 s.
    pub fn retry_after(&self) -> Duration {
        self.drain.retry_after()
    }

    /// Lets the floor above add its own metrics.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Writes all metrics in the OpenMetrics text format, which Prometheus reads.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        text
    }
}

/// A handler that runs.
#[derive(Debug)]
pub struct Running(Arc<PerKind>);

impl Running {
    /// Counts how it ended, in the word of the outcome.
    pub(crate) fn ended(self, word: &'static str) {
        if let Some(at) = ENDINGS.iter().position(|one| *one == word) {
            self.0.outcomes[at].inc();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.dec();
    }
}
