//! One test of a life, for every component: started, stopped, restarted and killed in random order.
//!
//! For tests only. A component passes when nothing of it outlives its stop, when each stop ends in
//! time, and when it can be started again after anything.

use super::{
    Component, ComponentError, Deadline, Life, Pause, Policy, Restart, StopOutcome, Stopped,
    Supervisor,
};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Random lives of one run.
const ROUNDS: usize = 48;
/// Far above what a stop or a start takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// What may still be on its way out after a stop is gone by then.
const LEAVING: Duration = Duration::from_secs(5);
/// A deadline for stops that should not need one.
const DEADLINE: Duration = Duration::from_secs(5);

/// Leads components that `make` makes, one after another, through many lives. To be called outside
/// of any runtime: it brings one of its own, so that whatever a component leaves behind is seen.
///
/// # Panics
/// With what the component did wrong, and the seed that shows it again by [`lifecycle_of`].
pub fn lifecycle<C: Component>(make: impl Fn() -> C) {
    lifecycle_of(make, fastrand::u64(..));
}

/// The same with that seed.
///
/// # Panics
/// With what the component did wrong.
pub fn lifecycle_of<C: Component>(make: impl Fn() -> C, seed: u64) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    let mut dice = fastrand::Rng::with_seed(seed);
    let run = AssertUnwindSafe(|| {
        alone(&runtime, &make);
        for _ in 0..ROUNDS {
            round(&runtime, Arc::new(make()), &mut dice);
        }
    });
    if let Err(panic) = std::panic::catch_unwind(run) {
        let error = ComponentError::panicked(&*panic);
        runtime.shutdown_background();
        panic!("lifecycle, seed {seed}: {error}");
    }
}

/// Without a supervisor: a stop before any start, and a stop after a stop.
fn alone<C: Component>(runtime: &Runtime, make: &impl Fn() -> C) {
    let component = make();
    let name = component.name().to_owned();
    runtime.block_on(async {
        for time in ["before any start", "for the second time"] {
            let stop = component.stop(Deadline::after(DEADLINE));
            match tokio::time::timeout(PATIENCE, stop).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => panic!("{name}: a stop {time} failed: {error}"),
                Err(_) => panic!("{name}: a stop {time} took more than {PATIENCE:?}"),
            }
        }
    });
    drop(component);
    nothing_is_left(runtime, &name);
}

/// One supervisor over a component that has had other lives before.
fn round<C: Component>(runtime: &Runtime, component: Arc<C>, dice: &mut fastrand::Rng) {
    let name = component.name().to_owned();
    for _ in 0..dice.usize(1..4) {
        let life = Arc::new(Mutex::new(None));
        let watched = Watched { component: component.clone(), life: life.clone() };
        let built = Supervisor::builder().component(watched).pause(NoPause).build();
        let built = built.unwrap_or_else(|error| panic!("{error}"));
        runtime.block_on(async {
            let moves: Vec<_> = (0..dice.usize(1..8)).map(|_| dice.usize(0..6)).collect();
            for step in moves {
                play(step, &built, &life).await;
            }
            end(&built, &name, dice.usize(0..4)).await;
        });
        drop(built);
        nothing_is_left(runtime, &name);
    }
}

type Shown = Arc<Mutex<Option<Life>>>;

/// One random thing that may happen.
async fn play(step: usize, supervisor: &Supervisor, life: &Shown) {
    let kill = |how: &'static str| {
        let life = life.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(life) = life {
            life.spawn(async move { panic!("{how}") });
        }
    };
    match step {
        0 => supervisor.launch(),
        1 => {
            let (one, two) = (supervisor.clone(), supervisor.clone());
            let both = async { tokio::join!(one.start(), two.start()) };
            if tokio::time::timeout(PATIENCE, both).await.is_err() {
                panic!("was not ready within {PATIENCE:?}: {:?}", supervisor.status());
            }
        }
        2 => kill("killed by the stress test"),
        3 => {
            kill("killed twice by the stress test");
            kill("killed twice by the stress test");
        }
        _ => tokio::task::yield_now().await,
    }
}

/// One of the ways in which it may end.
async fn end(supervisor: &Supervisor, name: &str, how: usize) {
    let began = Instant::now();
    let reports = async {
        match how {
            0 => Vec::new(), // dropped without a stop
            1 => vec![supervisor.stop(DEADLINE).await],
            2 => {
                let (one, two) = tokio::join!(supervisor.stop(DEADLINE), supervisor.stop(DEADLINE));
                vec![one, two]
            }
            _ => {
                let stop = supervisor.stop(PATIENCE);
                let (report, ()) = tokio::join!(stop, async { supervisor.hurry() });
                vec![report]
            }
        }
    };
    let Ok(reports) = tokio::time::timeout(PATIENCE, reports).await else {
        panic!("{name}: a stop did not end within {:?}", began.elapsed());
    };
    for stop in reports.iter().flat_map(|report| &report.components) {
        assert_ne!(stop.outcome, StopOutcome::TimedOut, "{name}: had to be dropped: {stop:?}");
    }
    // A killed one says so; it must not have panicked by itself.
    let errors =
        reports.iter().flat_map(|report| &report.components).filter_map(|s| s.error.as_ref());
    for error in errors {
        assert!(error.contains("by the stress test"), "{name}: {error}");
    }
}

/// Waits until no spawned task is alive: all the ways to stop have ended by now.
fn nothing_is_left(runtime: &Runtime, name: &str) {
    let began = Instant::now();
    loop {
        let left = runtime.metrics().num_alive_tasks();
        if left == 0 {
            return;
        }
        assert!(began.elapsed() < LEAVING, "{name}: {left} spawned tasks were left behind");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A component that shows its life, so that it can be killed, and needs nothing.
struct Watched<C> {
    component: Arc<C>,
    life: Shown,
}

#[async_trait::async_trait]
impl<C: Component> Component for Watched<C> {
    fn name(&self) -> &str {
        self.component.name()
    }

    fn policy(&self) -> Policy {
        let restart = Restart { limit: usize::MAX, ..Restart::default() };
        Policy { restart, ..self.component.policy() }
    }

    async fn start(&self, life: Life) -> Result<(), ComponentError> {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = Some(life.clone());
        self.component.start(life).await
    }

    async fn ready(&self) -> Result<(), ComponentError> {
        self.component.ready().await
    }

    async fn stop(&self, deadline: Deadline) -> Result<Stopped, ComponentError> {
        self.component.stop(deadline).await
    }
}

/// Does not wait.
#[derive(Debug)]
struct NoPause;

impl Pause for NoPause {
    fn pause(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::task::yield_now())
    }
}
