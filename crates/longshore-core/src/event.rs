//! What is told to those who wait and watch. Views only: the truth is stored.

use crate::{KindName, QueueName, State, TaskId, TenantName, Timestamp};

/// A task has come to a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which task.
    pub task: TaskId,
    /// Whose.
    pub tenant: TenantName,
    /// Its queue.
    pub queue: QueueName,
    /// Its kind.
    pub kind: KindName,
    /// Where it stands now.
    pub state: State,
    /// Since when.
    pub at: Timestamp,
}

impl Event {
    /// Returns the name of the API, such as `task.succeeded`.
    pub fn name(&self) -> &'static str {
        match self.state {
            State::Scheduled => "task.scheduled",
            State::Pending => "task.pending",
            State::Running => "task.started",
            State::Retrying => "task.retrying",
            State::Success => "task.succeeded",
            State::Failed => "task.failed",
            State::Cancelled => "task.cancelled",
            State::Expired => "task.expired",
        }
    }
}
