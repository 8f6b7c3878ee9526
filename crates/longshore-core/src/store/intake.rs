//! Taking tasks in, and acting on them from outside.

use super::Result;
use crate::queue::{QueueSettings, Scope};
use crate::task::{Accepted, Idempotency};
use crate::{Event, NewTask, Payload, QueueName, State, Task, TaskId, TenantName, Valid};
use std::time::Duration;

/// Why one task was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A task of that id exists.
    #[error("a task with this id exists")]
    IdTaken {
        /// It.
        existing: TaskId,
    },
    /// The idempotency key was used with another body.
    #[error("the idempotency key was used with another body")]
    KeyReused,
    /// An equal `unique` key holds.
    #[error("a task with this unique key exists")]
    UniqueTaken {
        /// Its holder.
        existing: TaskId,
    },
    /// A parent does not exist (or is another tenant's).
    #[error("no such parent task: {parent}")]
    NoSuchParent {
        /// The id that was named.
        parent: TaskId,
    },
    /// So many wait in the queue that no more are taken in.
    #[error("{waiting} tasks wait in the queue {}, which takes no more", queue.as_str())]
    BacklogFull {
        /// The queue.
        queue: QueueName,
        /// How many wait in it.
        waiting: u64,
    },
    /// There is no such task (or it is another tenant's).
    #[error("no such task")]
    NotFound,
    /// It is not as it was when it was read.
    #[error("it was changed meanwhile")]
    Changed,
    /// The state does not allow it.
    #[error("not possible while the task is {state}")]
    WrongState {
        /// Where it stands.
        state: State,
    },
}

/// Something that is done to tasks from outside; each leaves a line in the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Who does it.
    pub by: String,
    /// Whose tasks may be touched; others are not found.
    pub tenant: TenantName,
    /// What is done.
    pub what: ActKind,
}

/// What an [`Act`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActKind {
    /// Ends a waiting task; tells a running one, which then has the grace to stop.
    Cancel {
        /// Which.
        id: TaskId,
        /// How long a running handler may go on.
        grace: Duration,
    },
    /// Opens an ended task again as run + 1, now.
    Reopen {
        /// Which.
        id: TaskId,
    },
    /// Throws a waiting task or a dead letter away.
    Discard {
        /// Which.
        id: TaskId,
    },
    /// Gives a waiting task another priority.
    Reprioritise {
        /// Which.
        id: TaskId,
        /// 0..9.
        priority: u8,
    },
    /// Holds back handing out.
    Pause(Scope),
    /// Ends a pause.
    Resume(Scope),
    /// Cancels all waiting tasks of a queue, batch by batch: others are served in between.
    Purge(QueueName),
    /// From now on a broker carries the queue's tasks; with nothing, the store hands out again.
    Carry {
        /// Which queue.
        queue: QueueName,
        /// The broker's name.
        carrier: Option<String>,
    },
    /// Overrides what is set on a queue; with nothing, the override goes.
    Configure {
        /// Which queue.
        queue: QueueName,
        /// What is set from now on.
        settings: Option<QueueSettings>,
    },
    /// Only leaves a line in the audit log: for what is done elsewhere.
    Note {
        /// What was done, in one word.
        act: String,
        /// To what.
        target: Option<String>,
        /// How it stood before, as JSON.
        before: Option<Payload>,
        /// How it stood afterwards, as JSON.
        after: Option<Payload>,
    },
}

impl ActKind {
    /// Returns the word of the audit log.
    pub fn word(&self) -> &str {
        match self {
            Self::Cancel { .. } => "cancel",
            Self::Reopen { .. } => "retry",
            Self::Discard { .. } => "discard",
            Self::Reprioritise { .. } => "reprioritise",
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
            Self::Purge(_) => "purge",
            Self::Carry { .. } => "carry",
            Self::Configure { .. } => "configure",
            Self::Note { act, .. } => act,
        }
    }

    /// Returns what it is done to, as the audit log names it.
    pub fn target(&self) -> Option<String> {
        match self {
            Self::Cancel { id, .. }
            | Self::Reopen { id }
            | Self::Discard { id }
            | Self::Reprioritise { id, .. } => Some(id.to_string()),
            Self::Pause(scope) | Self::Resume(scope) => Some(scope.to_string()),
            Self::Purge(queue) | Self::Carry { queue, .. } | Self::Configure { queue, .. } => {
                Some(queue.as_str().to_owned())
            }
            Self::Note { target, .. } => target.clone(),
        }
    }
}

/// What an [`Act`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acted {
    /// The task, if it was about one.
    pub task: Option<Task>,
    /// How many tasks it touched.
    pub count: u64,
    /// What happened.
    pub events: Vec<Event>,
}

/// Takes tasks in.
#[async_trait::async_trait]
pub trait Intake: Send + Sync {
    /// Accepts tasks, all durable when this returns, with one sync for the batch. Each answer
    /// stands for the task at its place. Decides idempotency keys, ids and `unique`.
    async fn accept(&self, tasks: Vec<Valid<NewTask>>) -> Result<Vec<Result<Accepted, Refused>>>;

    /// Looks up what a key was answered with. `Some(Err(KeyReused))` if the body was another one.
    async fn replay(
        &self,
        tenant: TenantName,
        key: Idempotency,
    ) -> Result<Option<Result<Accepted, Refused>>>;

    /// Acts on tasks; durable when this returns.
    async fn act(&self, acts: Vec<Act>) -> Result<Vec<Result<Acted, Refused>>>;
}
