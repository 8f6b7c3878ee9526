//! Tasks: looking at them, waiting for them, acting on them.

use super::{Attempt, Client, ClientError, ListFilter, Page, Submitted, Task};
use longshore_core::{Span, TaskId};
use reqwest::Method;
use serde_json::value::RawValue;
use std::time::{Duration, Instant};

/// Longest wait of one request; the service allows 60 s.
const ONE_WAIT: Duration = Duration::from_secs(30);
/// Pause before a wait that ended early is begun again.
const PAUSE: Duration = Duration::from_millis(250);

/// The tasks of a service.
#[derive(Debug, Clone, Copy)]
pub struct Tasks<'a>(pub(super) &'a Client);

impl Tasks<'_> {
    /// Returns a task.
    pub async fn get(self, id: TaskId) -> Result<Task, ClientError> {
        self.0.get(&["v1", "tasks", &id.to_string()]).read().await
    }

    /// Returns a task once its run has ended, or as it stands when `at_most` has passed
    /// ([`Task::has_ended`] tells which).
    ///
    /// A service that goes away meanwhile is asked again until the time is up.
    pub async fn wait(self, id: TaskId, at_most: Duration) -> Result<Task, ClientError> {
        let until = Instant::now() + at_most;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let wait = Duration::from_millis(left.min(ONE_WAIT).as_millis() as u64);
            let mut ask = self.0.get(&["v1", "tasks", &id.to_string()]).wait(wait);
            if !wait.is_zero() {
                ask = ask.query("wait", &Span(wait).to_string());
            }
            let over = left <= PAUSE;
            let began = Instant::now();
            match ask.read::<Task>().await {
                Ok(task) if task.has_ended() || over => return Ok(task),
                Err(error) if over || !error.may_pass() => return Err(error),
                // The service is stopping, or is not there: not at once again.
                Ok(_) if began.elapsed() < wait.saturating_sub(PAUSE) => {
                    tokio::time::sleep(PAUSE).await;
                }
                Ok(_) => {}
                Err(error) => {
                    let pause = error.retry_after().unwrap_or(PAUSE).min(left / 2).max(PAUSE);
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Returns a page of tasks, newest first, without payloads and results.
    pub async fn list(self, filter: &ListFilter) -> Result<Page<Task>, ClientError> {
        filter.on(self.0.get(&["v1", "tasks"])).read().await
    }

    /// Cancels a task. One that runs is told, and ends within its grace. One that has ended is a
    /// conflict.
    pub async fn cancel(self, id: TaskId) -> Result<Task, ClientError> {
        self.act(id, "cancel").await
    }

    /// Opens a failed, cancelled or expired task again, as its next run. Any other is a conflict.
    pub async fn retry(self, id: TaskId) -> Result<Task, ClientError> {
        self.act(id, "retry").await
    }

    /// Submits a task like this one, with this payload instead if there is one. The old one stays
    /// as it is. Repeated by itself as [`Client::submit`] is.
    pub async fn replay(
        self,
        id: TaskId,
        payload: Option<&RawValue>,
    ) -> Result<Submitted, ClientError> {
        self.0.submit_replay(id, payload).await
    }

    /// Returns all openings of a task, oldest first.
    pub async fn attempts(self, id: TaskId) -> Result<Vec<Attempt>, ClientError> {
        let ask = self.0.get(&["v1", "tasks", &id.to_string(), "attempts"]);
        Ok(ask.read::<Page<Attempt>>().await?.items)
    }

    async fn act(self, id: TaskId, act: &str) -> Result<Task, ClientError> {
        self.0.ask(Method::POST, &["v1", "tasks", &id.to_string(), act]).read().await
    }
}
