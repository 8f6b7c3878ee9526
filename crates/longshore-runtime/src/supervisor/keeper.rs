//! One component, from life to life.

use super::board::{Board, ComponentState};
use super::restart::Failures;
use super::{
    Component, ComponentError, ComponentStop, Deadline, Fatal, GiveUp, Life, Pause, Policy,
    StopOutcome, Stopped,
};
use futures_util::FutureExt;
use longshore_core::Clock;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long what was dropped may take to go. What never yields cannot be dropped.
const UNWIND: Duration = Duration::from_millis(250);

/// Tells one component to stop, and by when.
#[derive(Debug, Clone)]
pub(super) struct Order {
    asked: CancellationToken,
    deadline: watch::Sender<Option<Instant>>,
}

impl Order {
    pub(super) fn new() -> Self {
        Self { asked: CancellationToken::new(), deadline: watch::Sender::new(None) }
    }

    /// Asks it to stop by then. Asked again, the earlier moment counts.
    pub(super) fn stop_by(&self, at: Option<Instant>) {
        self.deadline.send_if_modified(|deadline| {
            let earlier = match (*deadline, at) {
                (Some(old), Some(new)) => new < old,
                (None, Some(_)) => true,
                (_, None) => false,
            };
            if earlier {
                *deadline = at;
            }
            earlier
        });
        self.asked.cancel();
    }

    /// Moves the deadline of a stop that has begun to now.
    pub(super) fn hurry(&self) {
        if self.asked.is_cancelled() {
            self.stop_by(Some(Instant::now()));
        }
    }
}

/// What all keepers of a supervisor share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) board: Arc<Board>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) pause: Arc<dyn Pause>,
    pub(super) fatal: watch::Sender<Option<Fatal>>,
    pub(super) kill: CancellationToken,
}

/// Leads one component through its lives.
pub(super) struct Keeper {
    pub(super) component: Arc<dyn Component>,
    pub(super) order: Order,
    pub(super) shared: Shared,
}

impl Keeper {
    /// Starts it when what it needs is ready, again after each failure, and stops it after those who
    /// need it. Tells how it stopped before it is shown as stopped, unless it was not running.
    pub(super) async fn run(self, tell: impl FnOnce(ComponentStop)) {
        let board = &self.shared.board;
        let name = self.component.name();
        let last = self.lives().await;
        self.order.asked.cancelled().await; // one that was given up waits here
        board.until(|rows| rows.may_stop(name)).await;
        if let Some(life) = last {
            tell(self.stop(&life).await);
        }
        board.set(name, ComponentState::Stopped);
    }

    /// Returns the life that goes on until the stop; nothing if there is none.
    async fn lives(&self) -> Option<Life> {
        let Shared { board, clock, pause, kill, .. } = &self.shared;
        let (component, asked) = (&self.component, &self.order.asked);
        let name = component.name();
        let policy = component.policy();
        let mut failures = Failures::default();
        loop {
            board.set(name, ComponentState::Waiting);
            asked.run_until_cancelled(board.until(|rows| rows.may_start(name))).await?;
            let life = Life::new(name, component.needs(), board.clone(), kill.child_token());
            let mut ready_at = None;
            // Panics of its own are caught here, those of what it spawned where they run.
            let live = AssertUnwindSafe(self.live(&life, &policy, &mut ready_at)).catch_unwind();
            let error = match live.await {
                Ok(None) => return Some(life),
                Ok(Some(error)) => error,
                Err(panic) => ComponentError::panicked(&*panic),
            };
            let now = clock.monotonic();
            let ready_for = ready_at.map_or(Duration::ZERO, |at| now.saturating_sub(at));
            let again = failures.count(&policy.restart, now, ready_for);
            let again = again.filter(|_| !error.is_lasting());
            let state =
                if again.is_some() { ComponentState::Restarting } else { ComponentState::Failed };
            self.note(state, &error);
            self.clear_up(&life, &policy).await;
            let Some(time) = again else {
                self.give_up(error, &policy);
                return None;
            };
            tracing::warn!(component = name, %error, pause = ?time, "failed, will be started again");
            asked.run_until_cancelled(pause.pause(time)).await?;
            board.change(name, |row| row.restarts += 1);
        }
    }

    /// Starts it and lets it run. Returns why it failed; nothing if it is to stop.
    async fn live(
        &self,
        life: &Life,
        policy: &Policy,
        ready_at: &mut Option<Duration>,
    ) -> Option<ComponentError> {
        let Shared { board, clock, .. } = &self.shared;
        let name = self.component.name();
        board.set(name, ComponentState::Starting);
        let up = timeout(policy.start_within, async {
            self.component.start(life.clone()).await?;
            self.component.ready().await
        });
        tokio::select! {
            biased;
            () = self.order.asked.cancelled() => return None,
            error = life.failed() => return Some(error),
            up = up => match up {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Some(error),
                Err(_) => return Some(ComponentError::Late { waited: policy.start_within }),
            },
        }
        board.change(name, |row| (row.state, row.reason) = life.standing());
        *ready_at = Some(clock.monotonic());
        tokio::select! {
            biased;
            () = self.order.asked.cancelled() => None,
            error = life.failed() => Some(error),
        }
    }

    fn note(&self, state: ComponentState, error: &ComponentError) {
        self.shared.board.change(self.component.name(), |row| {
            row.state = state;
            row.reason = None;
            row.last_error = Some(error.to_string());
        });
    }

    fn give_up(&self, error: ComponentError, policy: &Policy) {
        let component = self.component.name().to_owned();
        tracing::error!(component, %error, "failed, will not be started again");
        if policy.give_up == GiveUp::Fatal {
            self.shared.fatal.send_if_modified(|fatal| {
                let first = fatal.is_none();
                if first {
                    *fatal = Some(Fatal { component, error });
                }
                first
            });
        }
    }

    /// Ends a life that failed.
    async fn clear_up(&self, life: &Life, policy: &Policy) {
        let cleared = self.end(life, Deadline::after(policy.grace), policy).await;
        if let Some(error) = cleared.error {
            tracing::warn!(component = self.component.name(), %error, "did not stop cleanly after a failure");
        }
    }

    /// Ends the last life.
    async fn stop(&self, life: &Life) -> ComponentStop {
        let began = Instant::now();
        let name = self.component.name();
        self.shared.board.set(name, ComponentState::Stopping);
        let deadline = Deadline::new(self.order.deadline.subscribe());
        let Ending { stopped, in_time, error } =
            self.end(life, deadline, &self.component.policy()).await;
        let error = error.or_else(|| life.failure());
        let outcome = match (in_time, &error) {
            (_, Some(_)) => StopOutcome::Failed,
            (false, None) => StopOutcome::TimedOut,
            (true, None) => StopOutcome::Stopped,
        };
        let Stopped { cleaned, given_back } = stopped;
        let took = began.elapsed();
        let name = name.to_owned();
        let error = error.map(|error| error.to_string());
        match outcome {
            StopOutcome::Stopped => tracing::debug!(component = name, ?took, given_back, "stopped"),
            _ => tracing::warn!(
                component = name,
                ?took,
                given_back,
                ?outcome,
                error,
                "did not stop cleanly"
            ),
        }
        ComponentStop { name, took, outcome, error, cleaned, given_back }
    }

    /// Tells what runs to stop, calls `stop`, waits for what runs, and drops what is left at the end.
    async fn end(&self, life: &Life, deadline: Deadline, policy: &Policy) -> Ending {
        life.ask_to_stop();
        let grace = policy.grace;
        let limit = async {
            deadline.passed().await;
            sleep(grace).await;
        };
        tokio::pin!(limit);
        let stop = AssertUnwindSafe(async { self.component.stop(deadline.clone()).await });
        let (stopped, mut in_time, error) = tokio::select! {
            biased;
            stopped = stop.catch_unwind() => match stopped {
                Ok(Ok(stopped)) => (stopped, true, None),
                Ok(Err(error)) => (Stopped::default(), true, Some(error)),
                Err(panic) => (Stopped::default(), true, Some(ComponentError::panicked(&*panic))),
            },
            () = &mut limit => (Stopped::default(), false, None),
        };
        if in_time {
            in_time = tokio::select! {
                biased;
                () = life.ended() => true,
                () = &mut limit => false,
            };
        }
        // Always, so that what is spawned too late does not stay.
        life.kill();
        if timeout(UNWIND, life.ended()).await.is_err() {
            in_time = false;
            tracing::warn!(
                component = life.name(),
                running = life.running(),
                "never yields and was left behind"
            );
        }
        Ending { stopped, in_time, error }
    }
}

/// How a life ended.
struct Ending {
    stopped: Stopped,
    in_time: bool,
    error: Option<ComponentError>,
}
