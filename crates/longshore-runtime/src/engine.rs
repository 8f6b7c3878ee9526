//! The whole engine over one store: composed in one place, started and stopped in order.

use crate::brokers::Brokers;
use crate::carriage::{self, NoCarrier};
use crate::consumer::{Context, Ends, Executor, Running};
use crate::handler::BoxHandler;
use crate::intake::Intake;
use crate::layers::{Stack, standard};
use crate::link::Outside;
use crate::live::Live;
use crate::messages::{Checked, Consumers, NoBroker, Part, consuming};
use crate::notify::Hub;
use crate::parts::{self, Roles};
use crate::queues::Queues;
use crate::registry::Registry;
use crate::schedules::Schedules;
use crate::stall::StallWatch;
use crate::supervisor::{
    Component, Fatal, GraphError, Hook, StartError, Statuses, StopReport, Supervisor,
};
use crate::tasks::Tasks;
use crate::telemetry::Telemetry;
use crate::upkeep::{Horizon, Nudge};
use longshore_core::store::{Condition, Hold, Retention, Store, StoreError};
use longshore_core::{Clock, SystemClock};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Where the engine stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not everything runs yet.
    Starting,
    /// Takes work in and runs it.
    Ready,
    /// Takes nothing in; what runs may end.
    Draining,
    /// Over.
    Stopped,
}

/// How the store was when it was last asked: every second, a shared one every two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreHealth {
    /// It answered.
    Up {
        /// How long that took.
        latency: Duration,
        /// What it said.
        condition: Condition,
    },
    /// It did not.
    Down {
        /// What it said instead.
        why: String,
    },
}

/// What an engine is made of.
pub struct Options {
    /// Where tasks are kept.
    pub store: Arc<dyn Store>,
    /// The kinds and queues of this process.
    pub registry: Registry,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How long ended tasks are kept.
    pub retention: Retention,
    /// Threads that run handlers; nothing means one per core.
    pub handler_threads: Option<usize>,
    /// Whether this process runs tasks, or only takes them in.
    pub consume: bool,
    /// Whether it does what the store needs from time to time: makes due tasks ready, takes back what was
    /// abandoned, expires, prunes.
    pub upkeep: bool,
    /// How it holds the tasks that it runs.
    pub hold: Hold,
    /// Layers around the handlers of all kinds, inside of the [standard ones](crate::layers).
    pub layers: Stack,
    /// What else runs beside the engine's own parts; may need them by name, see [`Engine`].
    pub components: Vec<Arc<dyn Component>>,
    /// What is done when everything starts.
    pub hooks: Vec<Hook>,
    /// What carries tasks and messages.
    pub brokers: Brokers,
    /// So long the broker of a carried queue and its consumers must have been idle before a task that it has and that did
    /// not come counts as lost, and is published again. Default: 5 s.
    pub lost_after: Duration,
    /// Who receives messages, and what is done with them. Not in a process that does not consume.
    pub consumers: Vec<(Checked, BoxHandler)>,
}

impl Options {
    /// Runs the kinds of `registry` over `store`, with every default.
    pub fn new(store: Arc<dyn Store>, registry: Registry) -> Self {
        Self {
            store,
            registry,
            clock: Arc::new(SystemClock),
            retention: Retention::default(),
            handler_threads: None,
            consume: true,
            upkeep: true,
            hold: Hold::Process,
            layers: Stack::default(),
            components: Vec::new(),
            hooks: Vec::new(),
            brokers: Brokers::default(),
            lost_after: Duration::from_secs(5),
            consumers: Vec::new(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registry, retention, consume, layers, hooks, .. } = self;
        f.debug_struct("Options")
            .field("registry", registry)
            .field("retention", retention)
            .field("consume", consume)
            .field("layers", layers)
            .field("hooks", hooks)
            .finish_non_exhaustive()
    }
}

/// Why an engine was not put together.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The system gives no threads.
    #[error("cannot start threads: {0}")]
    Threads(#[from] std::io::Error),
    /// The components do not fit together.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A consumer names no broker that there is.
    #[error(transparent)]
    Consumer(#[from] NoBroker),
    /// A queue is to be carried by a broker that there is not.
    #[error(transparent)]
    Carrier(#[from] NoCarrier),
}

/// Why everything must stop.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failed {
    /// The store cannot go on.
    #[error(transparent)]
    Store(StoreError),
    /// A component failed too often, or for good.
    #[error(transparent)]
    Component(Fatal),
}

/// Takes tasks in, runs them, keeps them moving. Cloning gives another handle.
///
/// Its parts are [components](Component) of one [`Supervisor`]: `store`, the duties `due`, `cron`,
/// `rescuer`, `expiry`, `pruner` and `health`, the `recorder`, the `handlers`, the `watchdog`, each broker as `broker.NAME`
/// with what it carries, `relay.NAME`, the `carriage` that tells the store which queues are carried, and, if it runs tasks,
/// `fetch`, what brokers carry as `receive.NAME`, and each consumer of messages as `consumer.NAME`.
#[derive(Debug, Clone)]
pub struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    intake: Arc<Intake>,
    tasks: Tasks,
    queues: Queues,
    schedules: Arc<Schedules>,
    outside: Outside,
    consumers: Consumers,
    context: Arc<Context>,
    layers: Stack,
    supervisor: Supervisor,
    phase: watch::Sender<Phase>,
    health: watch::Sender<StoreHealth>,
    /// One thread that fetches, records and does the upkeep.
    threads: Mutex<Option<Runtime>>,
}

impl Engine {
    /// Begins to start everything, on threads of its own: one that fetches, records and does the
    /// upkeep, and those of the handlers. What the caller's threads do, or fail to do, stops none
    /// of it. See [`Engine::started`].
    pub fn start(options: Options) -> Result<Self, EngineError> {
        let Options { store, registry, clock, retention, handler_threads, consume, .. } = options;
        carriage::check(&registry, &options.brokers)?;
        let stall = StallWatch::start()?;
        let hub = Arc::new(Hub::default());
        let telemetry = Arc::new(Telemetry::default());
        let layers = standard(telemetry.clone(), stall.clone()).around(&options.layers);
        let live = Arc::new(Live::new(registry.inside(&layers)));
        let nudge = Nudge::default();
        // It was opened just now.
        let health = watch::Sender::new(StoreHealth::Up {
            latency: Duration::ZERO,
            condition: Condition::default(),
        });
        let context = Arc::new(Context {
            store: store.clone(),
            live: live.clone(),
            clock: clock.clone(),
            hub: hub.clone(),
            telemetry: telemetry.clone(),
            nudge: nudge.clone(),
            horizon: Horizon::default(),
            stall,
            executor: Executor::start(handler_threads)?,
            running: Arc::new(Running::default()),
            slots: Mutex::default(),
            ends: Ends::default(),
            hold: options.hold,
            brokers: options.brokers,
            worker: incarnation(),
            fetching: CancellationToken::new(),
            fatal: watch::Sender::new(None),
        });
        let mut parts = Supervisor::builder().clock(clock.clone());
        let intake = Arc::new(Intake::new(
            store.clone(),
            live.clone(),
            clock.clone(),
            hub.clone(),
            nudge.clone(),
            telemetry.clone(),
        ));
        let schedules = Arc::new(Schedules::new(
            store.clone(),
            intake.clone(),
            hub.clone(),
            telemetry.clone(),
            clock,
        ));
        let consuming = match consume {
            true => consuming(options.consumers, &context, &layers)?,
            false => Vec::new(),
        };
        let consumers = Consumers::new(consuming.iter().cloned());
        for one in consuming {
            parts = parts.component(Arc::new(Part::new(one)) as Arc<dyn Component>);
        }
        let roles = Roles { consume, upkeep: options.upkeep, lost_after: options.lost_after };
        for part in parts::of(&context, &schedules, retention, &health, roles) {
            parts = parts.component(part);
        }
        for component in options.components {
            parts = parts.component(component);
        }
        for hook in options.hooks {
            parts = parts.hook(hook);
        }
        let supervisor = parts.build()?;
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("engine")
            .enable_all()
            .build()?;
        let phase = watch::Sender::new(Phase::Starting);
        threads.spawn(begin(supervisor.clone(), phase.clone()));
        threads.spawn(show(supervisor.statuses(), telemetry));
        let running = context.running.clone();
        let (to, told) = (hub.clone(), nudge);
        let queues = Queues::new(store.clone(), hub, live);
        Ok(Self(Arc::new(Inner {
            tasks: Tasks::new(store, intake.clone(), to, told, running),
            queues,
            schedules,
            outside: Outside::new(context.clone()),
            consumers,
            intake,
            context,
            layers,
            supervisor,
            phase,
            health,
            threads: Mutex::new(Some(threads)),
        })))
    }

    /// Returns once everything runs; an error if something refused to, or if it is stopped before.
    pub async fn started(&self) -> Result<(), StartError> {
        self.0.supervisor.settled().await
    }

    /// Returns who looks after everything that runs: to add components, and to see how they are.
    pub fn supervisor(&self) -> &Supervisor {
        &self.0.supervisor
    }

    /// Puts other kinds and queues in force. What runs goes on as it was begun.
    pub fn reload(&self, registry: Registry) {
        self.reloader().apply(registry);
    }

    /// Returns what puts other kinds and queues in force; it keeps nothing running.
    pub fn reloader(&self) -> Reload {
        let Context { live, brokers, .. } = &*self.0.context;
        Reload { live: live.clone(), layers: self.0.layers.clone(), brokers: brokers.clone() }
    }

    /// Returns the kinds and queues, and what operators set over them.
    pub fn live(&self) -> &Arc<Live> {
        &self.0.context.live
    }

    /// Returns how many slots are taken by handlers that were given up because they do not yield,
    /// and whether those are so many that no handler can be expected to run.
    pub fn stuck(&self) -> (usize, bool) {
        let Context { running, executor, .. } = &*self.0.context;
        // Some may be stuck where they begin, and some where they go on.
        let all = running.stuck() >= executor.threads() && *executor.blocked().borrow();
        (running.stuck(), all)
    }

    /// Returns where work comes in.
    pub fn intake(&self) -> &Intake {
        &self.0.intake
    }

    /// Returns what can be done to tasks that exist.
    pub fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    /// Returns what can be seen of queues and set on them.
    pub fn queues(&self) -> &Queues {
        &self.0.queues
    }

    /// Returns what is submitted again and again.
    pub fn schedules(&self) -> &Arc<Schedules> {
        &self.0.schedules
    }

    /// Returns what serves workers outside of this process.
    pub fn outside(&self) -> &Outside {
        &self.0.outside
    }

    /// Returns the name of this process as a worker.
    pub fn worker(&self) -> &str {
        &self.0.context.worker
    }

    /// Returns the kinds and queues that are in force.
    pub fn registry(&self) -> Arc<Registry> {
        self.0.context.live.registry()
    }

    /// Returns the store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.context.store
    }

    /// Returns what carries tasks and messages.
    pub fn brokers(&self) -> &Brokers {
        &self.0.context.brokers
    }

    /// Returns who receives messages here.
    pub fn consumers(&self) -> &Consumers {
        &self.0.consumers
    }

    /// Returns where ends are told.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.0.context.hub
    }

    /// Returns the metrics.
    pub fn telemetry(&self) -> &Arc<Telemetry> {
        &self.0.context.telemetry
    }

    /// Returns where the engine stands.
    pub fn phase(&self) -> Phase {
        *self.0.phase.borrow()
    }

    /// Returns how the store was when it was last asked.
    pub fn store_health(&self) -> StoreHealth {
        self.0.health.borrow().clone()
    }

    /// Returns once something cannot go on, the store above all: then the process must stop.
    pub async fn failed(&self) -> Failed {
        let mut fatal = self.0.context.fatal.subscribe();
        tokio::select! {
            Ok(error) = fatal.wait_for(Option::is_some) => {
                Failed::Store(error.clone().unwrap_or(StoreError::Closed))
            }
            fatal = self.0.supervisor.failed() => Failed::Component(fatal),
        }
    }

    /// Refuses new work and stops fetching, at once. What runs goes on.
    pub fn begin_drain(&self) {
        self.0.phase.send_replace(Phase::Draining);
        self.0.intake.stop();
        self.0.context.fetching.cancel();
    }

    /// Cuts the stop short.
    pub fn hurry(&self) {
        self.0.supervisor.hurry();
    }

    /// Stops everything in order: fetching at once, handlers by `deadline`, and what still runs then
    /// is given back uncharged; the store is the last to go.
    pub async fn stop(&self, deadline: Duration) -> StopReport {
        self.begin_drain();
        let report = self.0.supervisor.stop(deadline).await;
        self.0.phase.send_replace(Phase::Stopped);
        self.0.shut();
        report
    }
}

/// Puts other kinds and queues in force.
#[derive(Debug, Clone)]
pub struct Reload {
    live: Arc<Live>,
    layers: Stack,
    brokers: Brokers,
}

impl Reload {
    /// Checks that the brokers which are to carry queues are there.
    pub fn check(&self, registry: &Registry) -> Result<(), NoCarrier> {
        carriage::check(registry, &self.brokers)
    }

    /// Does it. What runs goes on as it was begun.
    pub fn apply(&self, registry: Registry) {
        self.live.set_registry(registry.inside(&self.layers));
    }
}

/// Starts everything, and says when it runs.
async fn begin(supervisor: Supervisor, phase: watch::Sender<Phase>) {
    supervisor.launch();
    if supervisor.settled().await.is_ok() {
        phase.send_if_modified(|phase| {
            let starting = *phase == Phase::Starting;
            if starting {
                *phase = Phase::Ready;
            }
            starting
        });
    }
}

/// Shows in the metrics how everything is, whenever that changes.
async fn show(statuses: Statuses, telemetry: Arc<Telemetry>) {
    let shown = statuses.until(|all| {
        telemetry.components(all);
        false
    });
    shown.await;
}

impl Inner {
    /// Ends the threads. A runtime must not be dropped inside another one.
    fn shut(&self) {
        self.context.executor.shut();
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(threads) = threads {
            threads.shutdown_background();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.context.fetching.cancel();
        self.shut();
    }
}

/// A name for this life of this process: no two are the same.
fn incarnation() -> Arc<str> {
    let random = uuid::Uuid::now_v7().simple().to_string();
    format!("{}-{}", std::process::id(), &random[20..]).into()
}
