//! Dead letters: tasks that failed for good.

use super::{Client, ClientError, ListFilter, Page, Task};
use longshore_core::TaskId;

/// The dead letters of a service.
#[derive(Debug, Clone, Copy)]
pub struct DeadLetters<'a>(pub(super) &'a Client);

impl DeadLetters<'_> {
    /// Returns a page of them, newest first, without payloads.
    pub async fn list(self, filter: &ListFilter) -> Result<Page<Task>, ClientError> {
        filter.on(self.0.get(&["v1", "dead-letters"])).read().await
    }

    /// Opens one again, as its next run.
    pub async fn retry(self, id: TaskId) -> Result<Task, ClientError> {
        self.0.post(&["v1", "dead-letters", &id.to_string(), "retry"]).read().await
    }

    /// Throws one away: it ends `cancelled`.
    pub async fn discard(self, id: TaskId) -> Result<Task, ClientError> {
        self.0.post(&["v1", "dead-letters", &id.to_string(), "discard"]).read().await
    }
}
