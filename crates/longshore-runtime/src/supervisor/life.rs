//! One life of a component: from a start to the stop that follows.

use super::ComponentError;
use super::board::{Board, ComponentState};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a component is given to live with: it tells the component when to stop, and the supervisor
/// how the component is. Cloning gives another handle of the same life.
#[derive(Debug, Clone)]
pub struct Life(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    needs: Vec<String>,
    board: Arc<Board>,
    /// Asks politely.
    stop: CancellationToken,
    /// Drops what still runs.
    kill: CancellationToken,
    running: TaskTracker,
    failure: watch::Sender<Option<ComponentError>>,
    /// Why it cannot serve, also if it says so before it is ready.
    unready: Mutex<Option<String>>,
}

impl Life {
    pub(super) fn new(
        name: &str,
        needs: &[String],
        board: Arc<Board>,
        kill: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            name: name.to_owned(),
            needs: needs.to_vec(),
            board,
            stop: kill.child_token(),
            kill,
            running: TaskTracker::new(),
            failure: watch::Sender::new(None),
            unready: Mutex::default(),
        }))
    }

    /// Returns the component's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Runs `work` under this life. An error or a panic of it fails the component. It is waited for
    /// when the component stops, and dropped when the deadline has passed.
    pub fn spawn<F>(&self, work: F)
    where
        F: Future<Output = Result<(), ComponentError>> + Send + 'static,
    {
        self.spawn_on(&Handle::current(), work);
    }

    /// Runs `work` under this life on the threads of another runtime.
    pub fn spawn_on<F>(&self, runtime: &Handle, work: F)
    where
        F: Future<Output = Result<(), ComponentError>> + Send + 'static,
    {
        let life = self.clone();
        let guarded = async move {
            let kill = life.0.kill.clone();
            // Dropping it may panic too.
            let work = AssertUnwindSafe(kill.run_until_cancelled_owned(work)).catch_unwind();
            match work.await {
                Ok(None | Some(Ok(()))) => {}
                Ok(Some(Err(error))) => life.fail(error),
                Err(panic) => life.fail(ComponentError::panicked(&*panic)),
            }
        };
        self.0.running.spawn_on(guarded, runtime);
    }

    /// Fails the component: it is stopped, and started again after a pause. The first error counts.
    pub fn fail(&self, error: ComponentError) {
        self.0.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            if first {
                *failure = Some(error);
            }
            first
        });
    }

    /// Says that it goes on running but cannot serve: it and all who need it are shown as unready.
    pub fn unready(&self, why: impl Into<String>) {
        self.say(Some(why.into()));
    }

    /// Says that it can serve again.
    pub fn ready(&self) {
        self.say(None);
    }

    fn say(&self, why: Option<String>) {
        *self.0.unready.lock().unwrap_or_else(PoisonError::into_inner) = why;
        self.0.board.change(&self.0.name, |row| {
            let running = matches!(row.state, ComponentState::Ready | ComponentState::Unready);
            if running && !self.0.stop.is_cancelled() {
                (row.state, row.reason) = self.standing();
            }
        });
    }

    /// Where it stands if it runs. What is said meanwhile is said again on the board afterwards.
    pub(super) fn standing(&self) -> (ComponentState, Option<String>) {
        match self.0.unready.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            None => (ComponentState::Ready, None),
            why => (ComponentState::Unready, why),
        }
    }

    /// Returns once everything that the component needs is ready; at once if it is.
    pub async fn needs_ready(&self) {
        let needs = &self.0.needs;
        self.0.board.until(|rows| needs.iter().all(|need| rows.ready(need))).await;
    }

    /// Returns once the component should stop.
    pub async fn stopping(&self) {
        self.0.stop.cancelled().await;
    }

    /// Returns whether the component should stop.
    pub fn is_stopping(&self) -> bool {
        self.0.stop.is_cancelled()
    }

    /// Returns a token that is cancelled when the component should stop.
    pub fn token(&self) -> CancellationToken {
        self.0.stop.child_token()
    }

    /// Returns how much runs under it now.
    pub fn running(&self) -> usize {
        self.0.running.len()
    }

    pub(super) async fn failed(&self) -> ComponentError {
        let mut failure = self.0.failure.subscribe();
        // The sender is ours, so this cannot fail.
        let found = failure.wait_for(Option::is_some).await;
        found.ok().and_then(|error| error.clone()).unwrap_or(ComponentError::Ended)
    }

    pub(super) fn failure(&self) -> Option<ComponentError> {
        self.0.failure.borrow().clone()
    }

    pub(super) fn ask_to_stop(&self) {
        self.0.stop.cancel();
    }

    pub(super) fn kill(&self) {
        self.0.stop.cancel();
        self.0.kill.cancel();
    }

    /// Returns once nothing runs under it.
    pub(super) async fn ended(&self) {
        self.0.running.close();
        self.0.running.wait().await;
    }
}
