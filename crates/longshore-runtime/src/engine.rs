//! The whole engine over one store: composed in one place, started and stopped in order.

use crate::consumer::{Context, Fetch, Slots};
use crate::intake::Intake;
use crate::notify::Hub;
use crate::registry::Registry;
use crate::stall::StallWatch;
use crate::telemetry::Telemetry;
use crate::upkeep::{self, Due, Expiry, Health, Nudge, Pruner, Rescuer};
use longshore_core::store::{Condition, Retention, Store, StoreError};
use longshore_core::{Clock, KindName, SystemClock, failpoint};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Ends that may wait to be recorded before slots are held back.
const RECORDING: usize = 4_096;

/// How long closing the store may take.
const CLOSING: Duration = Duration::from_secs(10);

/// Claims that each queue makes at the same time: while one is answered, another one waits at the
/// store, so that what comes in meanwhile is handed over at once.
const CLAIMS: usize = 2;

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

/// How the store was when it was last asked, once a second.
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
#[derive(Debug)]
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
        }
    }
}

/// What stopping did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StopReport {
    /// How long it took.
    pub took: Duration,
    /// Attempts that ended within the deadline.
    pub ended: usize,
    /// Attempts that were given back.
    pub released: usize,
}

/// Takes tasks in, runs them, keeps them moving. Cloning gives another handle.
#[derive(Debug, Clone)]
pub struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    intake: Intake,
    context: Arc<Context>,
    phase: watch::Sender<Phase>,
    health: watch::Sender<StoreHealth>,
    fatal: watch::Sender<Option<StoreError>>,
    handlers: Mutex<Option<tokio::runtime::Runtime>>,
    fetches: TaskTracker,
    attempts: TaskTracker,
    duties: TaskTracker,
    stop_duties: CancellationToken,
    hurry: CancellationToken,
}

impl Engine {
    /// Starts everything. Handlers get threads of their own; the duties run on the caller's
    /// runtime.
    pub fn start(options: Options) -> std::io::Result<Self> {
        let Options { store, registry, clock, retention, handler_threads, consume } = options;
        let registry = Arc::new(registry);
        let hub = Arc::new(Hub::default());
        let telemetry = Arc::new(Telemetry::default());
        let nudge = Nudge::default();
        let fatal = watch::Sender::new(None);
        // It was opened just now.
        let health = watch::Sender::new(StoreHealth::Up {
            latency: Duration::ZERO,
            condition: Condition::default(),
        });
        let context = Arc::new(Context {
            store: store.clone(),
            registry: registry.clone(),
            clock: clock.clone(),
            hub: hub.clone(),
            telemetry: telemetry.clone(),
            nudge: nudge.clone(),
            stall: StallWatch::start()?,
            recording: Arc::new(Semaphore::new(RECORDING)),
            fetching: CancellationToken::new(),
            releasing: CancellationToken::new(),
            fatal: fatal.clone(),
        });
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        if let Some(count) = handler_threads {
            threads.worker_threads(count);
        }
        let handlers = threads.thread_name("handlers").enable_all().build()?;
        let engine = Self(Arc::new(Inner {
            intake: Intake::new(store, registry, clock, hub, nudge, telemetry),
            context,
            phase: watch::Sender::new(Phase::Starting),
            health,
            fatal,
            handlers: Mutex::new(None),
            fetches: TaskTracker::new(),
            attempts: TaskTracker::new(),
            duties: TaskTracker::new(),
            stop_duties: CancellationToken::new(),
            hurry: CancellationToken::new(),
        }));
        engine.start_duties(retention);
        if consume {
            engine.start_fetching(handlers.handle());
        }
        *engine.0.handlers.lock().unwrap_or_else(PoisonError::into_inner) = Some(handlers);
        engine.0.phase.send_replace(Phase::Ready);
        Ok(engine)
    }

    fn start_duties(&self, keep: Retention) {
        let Inner { context, duties, stop_duties, .. } = &*self.0;
        let (store, hub) = (&context.store, &context.hub);
        let stop = || stop_duties.child_token();
        let (clock, nudge) = (context.clock.clone(), context.nudge.clone());
        upkeep::spawn(duties, stop(), Due::new(store.clone(), hub.clone(), clock, nudge));
        upkeep::spawn(duties, stop(), Rescuer { store: store.clone(), hub: hub.clone() });
        upkeep::spawn(duties, stop(), Expiry { store: store.clone(), hub: hub.clone() });
        upkeep::spawn(duties, stop(), Pruner { store: store.clone(), keep });
        let health = Health {
            store: store.clone(),
            telemetry: context.telemetry.clone(),
            shown: self.0.health.clone(),
            fatal: self.0.fatal.clone(),
        };
        upkeep::spawn(duties, stop(), health);
    }

    fn start_fetching(&self, handlers: &tokio::runtime::Handle) {
        let Inner { context, fetches, attempts, .. } = &*self.0;
        let kinds: Arc<[KindName]> =
            context.registry.kinds().map(|kind| kind.name.clone()).collect();
        let worker = incarnation();
        for (name, queue) in context.registry.queues() {
            let fetch = Fetch {
                queue: name.clone(),
                kinds: kinds.clone(),
                slots: Slots::new(queue.slots, CLAIMS),
                worker: worker.clone(),
            };
            for _ in 0..CLAIMS {
                let fetch = fetch.clone();
                fetches.spawn_on(fetch.run(context.clone(), attempts.clone()), handlers);
            }
        }
    }

    /// Returns where work comes in.
    pub fn intake(&self) -> &Intake {
        &self.0.intake
    }

    /// Returns the store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.context.store
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

    /// Returns once the store cannot go on: then the process must stop.
    pub async fn failed(&self) -> StoreError {
        let mut fatal = self.0.fatal.subscribe();
        loop {
            if let Some(error) = fatal.borrow_and_update().clone() {
                return error;
            }
            if fatal.changed().await.is_err() {
                return StoreError::Closed;
            }
        }
    }

    /// Refuses new work and stops fetching, at once. What runs goes on.
    pub fn begin_drain(&self) {
        self.0.phase.send_replace(Phase::Draining);
        self.0.intake.stop();
        self.0.context.fetching.cancel();
    }

    /// Cuts the drain short.
    pub fn hurry(&self) {
        self.0.hurry.cancel();
    }

    /// Drains: fetching stops at once, handlers have until `deadline`, and what still runs then is
    /// given back uncharged. Reading and waiting go on until [`Engine::close`].
    pub async fn drain(&self, deadline: Duration) -> StopReport {
        let began = Instant::now();
        self.begin_drain();
        let Inner { context, fetches, attempts, hurry, .. } = &*self.0;
        fetches.close();
        fetches.wait().await;
        attempts.close();
        let running = attempts.len();
        let drained = tokio::time::timeout(deadline, attempts.wait());
        let _ = hurry.run_until_cancelled(drained).await;
        let _ = failpoint::pass("stop.drained");
        let released = attempts.len();
        context.releasing.cancel();
        // A handler that never yields cannot be stopped: its task is made ready at the next start.
        if tokio::time::timeout(Duration::from_secs(1), attempts.wait()).await.is_err() {
            tracing::warn!(
                handlers = attempts.len(),
                "handlers did not stop; their tasks run again"
            );
        }
        let _ = failpoint::pass("stop.released");
        StopReport { took: began.elapsed(), ended: running.saturating_sub(released), released }
    }

    /// Ends the duties and closes the store.
    pub async fn close(&self) {
        let Inner { context, duties, stop_duties, .. } = &*self.0;
        stop_duties.cancel();
        duties.close();
        duties.wait().await;
        match tokio::time::timeout(CLOSING, context.store.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the store did not close cleanly"),
            Err(_) => tracing::error!("the store did not close within {CLOSING:?}"),
        }
        self.0.phase.send_replace(Phase::Stopped);
        let handlers = self.0.handlers.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handlers) = handlers {
            handlers.shutdown_background();
        }
    }

    /// Drains, then closes.
    pub async fn stop(&self, deadline: Duration) -> StopReport {
        let report = self.drain(deadline).await;
        self.close().await;
        report
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop_duties.cancel();
        self.context.fetching.cancel();
        // A runtime must not be dropped inside another one.
        let handlers = self.handlers.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handlers) = handlers {
            handlers.shutdown_background();
        }
    }
}

/// A name for this life of this process: no two are the same.
fn incarnation() -> Arc<str> {
    let random = uuid::Uuid::now_v7().simple().to_string();
    format!("{}-{}", std::process::id(), &random[20..]).into()
}
