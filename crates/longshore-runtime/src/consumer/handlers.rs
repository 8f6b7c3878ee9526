//! The handlers as a component: at a stop they have until the deadline, and what still runs then is
//! given back uncharged.

use super::context::Context;
use super::opening::Asked;
use crate::supervisor::{Component, ComponentError, Deadline, Life, Policy, Stopped};
use longshore_core::failpoint;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// How long a handler may go on once its task is given back.
const RELEASE_GRACE: Duration = Duration::from_millis(250);
/// How long it may take until all handlers that yield have returned then.
const RELEASING: Duration = Duration::from_secs(1);
/// How long it may take to record the ends of those that have.
const RECORDING: Duration = Duration::from_secs(8);
/// Between two looks at what is not recorded yet.
const LOOK: Duration = Duration::from_millis(5);

/// All handlers that run.
pub(crate) struct Handlers {
    pub(crate) cx: Arc<Context>,
    /// One token for each opening that is not recorded yet.
    pub(crate) attempts: TaskTracker,
    pub(crate) needs: Vec<String>,
}

impl Handlers {
    /// Returns once every end of a handler that has returned is recorded.
    async fn recorded(&self) {
        while self.attempts.len() > self.cx.running.len() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

#[async_trait::async_trait]
impl Component for Handlers {
    fn name(&self) -> &str {
        "handlers"
    }

    fn needs(&self) -> &[String] {
        &self.needs
    }

    fn policy(&self) -> Policy {
        Policy { grace: RELEASING + RECORDING + RELEASE_GRACE, ..Policy::default() }
    }

    async fn start(&self, _: Life) -> Result<(), ComponentError> {
        self.attempts.reopen();
        Ok(())
    }

    async fn stop(&self, deadline: Deadline) -> Result<Stopped, ComponentError> {
        self.attempts.close();
        let running = self.attempts.len();
        tokio::select! {
            () = self.attempts.wait() => {}
            () = deadline.passed() => {}
        }
        let _ = failpoint::pass("stop.drained");
        let released = self.attempts.len();
        for opening in self.cx.running.all() {
            opening.ask(Asked::Release, RELEASE_GRACE);
        }
        let _ = tokio::time::timeout(RELEASING, self.attempts.wait()).await;
        // What has returned is the store's by now, and a slow disk is no reason to leave it behind.
        let _ = tokio::time::timeout(RECORDING, self.recorded()).await;
        // A handler that never yields cannot be stopped: its task is made ready at the next start.
        if !self.attempts.is_empty() {
            let handlers = self.attempts.len();
            tracing::warn!(handlers, "handlers did not stop; their tasks run again");
        }
        let _ = failpoint::pass("stop.released");
        let ended = running.saturating_sub(released);
        let cleaned = if ended > 0 { vec![format!("{ended} attempts ended")] } else { Vec::new() };
        Ok(Stopped { cleaned, given_back: released as u64 })
    }
}
