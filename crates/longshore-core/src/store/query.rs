//! Reading.

use super::Result;
use crate::task::Seq;
use crate::{Attempt, KindName, QueueName, State, Task, TaskId, TenantName, Timestamp};

/// Which tasks to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Whose; nothing means everybody's.
    pub tenant: Option<TenantName>,
    /// In one of these states; none means any.
    pub states: Vec<State>,
    /// Of this queue.
    pub queue: Option<QueueName>,
    /// Of this kind.
    pub kind: Option<KindName>,
    /// With this tag.
    pub tag: Option<String>,
    /// Accepted at this time or later, and before that time.
    pub created: (Option<Timestamp>, Option<Timestamp>),
    /// Whose last error is of this class, or has this code.
    pub error: Option<String>,
    /// Accepted before this one.
    pub before: Option<Seq>,
    /// At most so many.
    pub limit: usize,
}

/// A page of a list, newest first; without payloads and results.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The tasks.
    pub items: Vec<Task>,
    /// Where the next page begins, if there is one.
    pub next: Option<Seq>,
}

/// How many tasks of a sort there are; kept, never counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count {
    /// Whose.
    pub tenant: TenantName,
    /// Of which queue.
    pub queue: QueueName,
    /// Of which kind.
    pub kind: KindName,
    /// In which state.
    pub state: State,
    /// So many.
    pub count: u64,
}

/// Reads tasks. What was answered before is seen.
#[async_trait::async_trait]
pub trait TaskQuery: Send + Sync {
    /// Returns a task.
    async fn get(&self, tenant: TenantName, id: TaskId) -> Result<Option<Task>>;

    /// Returns a page of tasks, newest first. A page may be short, even empty, before the last.
    async fn page(&self, filter: Filter) -> Result<Page>;

    /// Returns how many tasks there are of each sort; sorts with none are left out.
    async fn counters(&self) -> Result<Vec<Count>>;

    /// Returns the openings of a task, oldest first; nothing if there is no such task.
    async fn attempts(&self, tenant: TenantName, id: TaskId) -> Result<Option<Vec<Attempt>>>;
}
