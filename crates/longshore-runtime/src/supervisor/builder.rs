//! Gathers what is to run, and checks that it can.

use super::board::{Board, Role};
use super::graph::{self, Node};
use super::keeper::Shared;
use super::{Component, GraphError, Hook, Pause, RealPause, Supervisor};
use longshore_core::{Clock, SystemClock};
use std::fmt;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Gathers what is to run.
pub struct Builder {
    components: Vec<(Arc<dyn Component>, Role)>,
    clock: Arc<dyn Clock>,
    pause: Arc<dyn Pause>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self { components: Vec::new(), clock: Arc::new(SystemClock), pause: Arc::new(RealPause) }
    }

    /// Adds a component. In which order they are added does not matter.
    pub fn component(mut self, component: impl Component) -> Self {
        self.components.push((Arc::new(component), Role::Component));
        self
    }

    /// Adds a hook.
    pub fn hook(mut self, hook: Hook) -> Self {
        let role = hook.role();
        self.components.push((Arc::new(hook), role));
        self
    }

    /// Sets what dates states and failures. Default: [`SystemClock`].
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets what waits before restarts. Default: [`RealPause`].
    pub fn pause(mut self, pause: impl Pause + 'static) -> Self {
        self.pause = Arc::new(pause);
        self
    }

    /// Checks that all needs are there, and that none is a circle. Nothing runs yet.
    pub fn build(self) -> Result<Supervisor, GraphError> {
        let Self { components, clock, pause } = self;
        let nodes: Vec<_> = components.iter().map(|(c, role)| node(&**c, *role)).collect();
        let mut gates = graph::check(&nodes)?;
        let board = Arc::new(Board::new(clock.clone()));
        for Node { name, role, needs } in nodes {
            let gates = gates.remove(&name).unwrap_or_default();
            board.add(&name, role, needs, gates);
        }
        let shared = Shared {
            board,
            clock,
            pause,
            fatal: watch::Sender::new(None),
            kill: CancellationToken::new(),
        };
        Ok(Supervisor::new(shared, components))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.components.iter().map(|(c, _)| c.name()).collect();
        f.debug_struct("Builder").field("components", &names).finish_non_exhaustive()
    }
}

pub(super) fn node(component: &dyn Component, role: Role) -> Node {
    Node { name: component.name().to_owned(), role, needs: component.needs().to_vec() }
}
