//! Runs components together.

use super::board::{Role, Statuses};
use super::builder::{Builder, node};
use super::graph::Node;
use super::keeper::{Keeper, Order, Shared};
use super::{
    Component, ComponentError, ComponentState, ComponentStatus, ComponentStop, GraphError,
    StopReport,
};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long stopping may take after a start that was refused.
const REFUSED: Duration = Duration::from_secs(10);

/// A component that failed too often, or for good.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{component}` cannot go on: {error}")]
pub struct Fatal {
    /// Its name.
    pub component: String,
    /// Why it failed the last time.
    #[source]
    pub error: ComponentError,
}

/// Why a supervisor did not start.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StartError {
    /// A `pre_start` hook refused, or a component failed too often. What had started is stopped.
    #[error(transparent)]
    Failed(#[from] Fatal),
    /// It was told to stop before everything was ready.
    #[error("was stopped before everything was ready")]
    Stopped,
}

/// Runs components together: starts them up their graph, restarts what fails, stops them down it.
/// Cloning gives another handle; when the last one is dropped, whatever still runs is dropped too.
/// Components that want to know how others are keep [`Statuses`], which keep nothing alive.
#[derive(Debug, Clone)]
pub struct Supervisor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Shared,
    crew: Arc<Mutex<Crew>>,
    keepers: TaskTracker,
    stopping: CancellationToken,
}

#[derive(Default)]
struct Crew {
    built: Vec<(Arc<dyn Component>, Role)>,
    launched: bool,
    orders: BTreeMap<String, Order>,
    stops: Vec<ComponentStop>,
    stop_began: Option<Instant>,
    took: Option<Duration>,
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew").field("orders", &self.orders).finish_non_exhaustive()
    }
}

impl Supervisor {
    /// Begins to gather what is to run.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(super) fn new(shared: Shared, built: Vec<(Arc<dyn Component>, Role)>) -> Self {
        Self(Arc::new(Inner {
            shared,
            crew: Arc::new(Mutex::new(Crew { built, ..Crew::default() })),
            keepers: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }))
    }

    /// Starts everything and returns once all of it is ready, or will not be (see
    /// [`GiveUp::Degraded`](super::GiveUp::Degraded)). Called again, it only waits. After an error
    /// everything has stopped.
    pub async fn start(&self) -> Result<(), StartError> {
        self.launch();
        let settled = self.settled().await;
        if let Err(StartError::Failed(_)) = settled {
            self.stop(REFUSED).await;
        }
        settled
    }

    /// Begins to start everything on the caller's runtime, and returns at once. Does nothing the
    /// second time, or after a stop.
    pub fn launch(&self) {
        let mut crew = self.crew();
        if self.0.stopping.is_cancelled() || std::mem::replace(&mut crew.launched, true) {
            return;
        }
        for (component, role) in std::mem::take(&mut crew.built) {
            self.keep(&mut crew, component, role);
        }
    }

    /// Returns once everything is ready, or will not be.
    pub async fn settled(&self) -> Result<(), StartError> {
        tokio::select! {
            biased;
            fatal = self.failed() => Err(StartError::Failed(fatal)),
            () = self.0.stopping.cancelled() => Err(StartError::Stopped),
            () = self.0.shared.board.until(|rows| rows.all_settled()) => Ok(()),
        }
    }

    /// Returns once a component cannot go on, and the process should stop. Never returns otherwise.
    pub async fn failed(&self) -> Fatal {
        let mut fatal = self.0.shared.fatal.subscribe();
        if let Ok(found) = fatal.wait_for(Option::is_some).await
            && let Some(found) = found.clone()
        {
            return found;
        }
        std::future::pending().await // the sender is ours, so nobody comes here
    }

    /// Adds a component while everything runs; what it needs must be there. Before the start it is
    /// started with the others.
    pub fn add(&self, component: impl Component) -> Result<(), GraphError> {
        let mut crew = self.crew();
        if self.0.stopping.is_cancelled() {
            return Err(GraphError::Stopping);
        }
        let Node { name, needs, .. } = node(&component, Role::Component);
        self.0.shared.board.read(|rows| {
            if rows.0.contains_key(&name) {
                return Err(GraphError::Twice { name: name.clone() });
            }
            match needs.iter().find(|need| !rows.0.contains_key(*need)) {
                None => Ok(()),
                Some(need) => {
                    Err(GraphError::Unknown { component: name.clone(), need: need.clone() })
                }
            }
        })?;
        let gates = self.0.shared.board.read(|rows| {
            let hooks = rows.0.iter().filter(|(_, row)| row.role == Role::PreStart);
            hooks.map(|(name, _)| name.clone()).collect()
        });
        self.0.shared.board.add(&name, Role::Component, needs, gates);
        let component: Arc<dyn Component> = Arc::new(component);
        if crew.launched {
            self.keep(&mut crew, component, Role::Component);
        } else {
            crew.built.push((component, Role::Component));
        }
        Ok(())
    }

    /// Stops one component, forgets it, and returns what stopping it did; nothing if it was not
    /// running. Refuses while others need it.
    pub async fn remove(
        &self,
        name: &str,
        deadline: Duration,
    ) -> Result<Option<ComponentStop>, GraphError> {
        let board = &self.0.shared.board;
        {
            let mut crew = self.crew();
            let by: Vec<_> = board.read(|rows| {
                let rows = rows.0.iter();
                let needing = rows.filter(|(_, row)| row.needs.iter().any(|need| need == name));
                needing.map(|(other, _)| other.clone()).collect()
            });
            if !by.is_empty() {
                return Err(GraphError::Needed { name: name.to_owned(), by });
            }
            if let Some(order) = crew.orders.get(name) {
                order.stop_by(Instant::now().checked_add(deadline));
            } else {
                let before = crew.built.len();
                crew.built.retain(|(component, _)| component.name() != name);
                if crew.built.len() == before {
                    return Err(GraphError::Missing { name: name.to_owned() });
                }
                board.remove(name);
                return Ok(None);
            }
        }
        board
            .until(|rows| rows.0.get(name).is_none_or(|row| row.state == ComponentState::Stopped))
            .await;
        let mut crew = self.crew();
        board.remove(name);
        crew.orders.remove(name);
        let at = crew.stops.iter().position(|stop| stop.name == name);
        Ok(at.map(|at| crew.stops.remove(at)))
    }

    /// Stops everything, what is needed after those who need it; `deadline` is shared by all, and each
    /// has its own [`Policy::grace`](super::Policy::grace) after it. Called again, the earlier
    /// deadline counts and all get the same report.
    pub async fn stop(&self, deadline: Duration) -> StopReport {
        let at = Instant::now().checked_add(deadline);
        {
            let mut crew = self.crew();
            crew.stop_began.get_or_insert_with(Instant::now);
            self.0.stopping.cancel();
            self.0.shared.board.leave(crew.orders.keys());
            for order in crew.orders.values() {
                order.stop_by(at);
            }
        }
        self.0.keepers.close();
        self.0.keepers.wait().await;
        let mut crew = self.crew();
        let began = crew.stop_began;
        let took =
            *crew.took.get_or_insert_with(|| began.map_or(Duration::ZERO, |at| at.elapsed()));
        StopReport { took, components: crew.stops.clone() }
    }

    /// Cuts every stop that has begun short: its deadline is now.
    pub fn hurry(&self) {
        for order in self.crew().orders.values() {
            order.hurry();
        }
    }

    /// Returns how everything is, by name.
    pub fn status(&self) -> Vec<ComponentStatus> {
        self.statuses().all()
    }

    /// Returns where everything can be watched.
    pub fn statuses(&self) -> Statuses {
        self.0.shared.board.statuses()
    }

    fn crew(&self) -> MutexGuard<'_, Crew> {
        self.0.crew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, crew: &mut Crew, component: Arc<dyn Component>, role: Role) {
        let order = Order::new();
        crew.orders.insert(component.name().to_owned(), order.clone());
        let keeper = Keeper { component, order, shared: self.0.shared.clone() };
        let kill = self.0.shared.kill.clone();
        let crew = self.0.crew.clone();
        let tell = move |stop| {
            // What a hook did once is not there to be stopped.
            if matches!(role, Role::Component | Role::Background) {
                crew.lock().unwrap_or_else(PoisonError::into_inner).stops.push(stop);
            }
        };
        self.0.keepers.spawn(async move {
            kill.run_until_cancelled_owned(keeper.run(tell)).await;
        });
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.kill.cancel();
    }
}
