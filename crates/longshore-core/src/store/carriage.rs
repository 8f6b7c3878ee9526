//! What a store keeps of queues whose tasks a broker carries: which ready tasks the broker has, and which it has not.

use super::Result;
use crate::task::Seq;
use crate::{KindName, QueueName, TaskId, TenantName};
use std::collections::BTreeMap;
use std::time::Duration;

/// Names a mark: a task that was opened since then, and is ready again, has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MarkRef {
    /// The task's place in the store.
    pub seq: Seq,
    /// How often it had been opened.
    pub openings: u32,
}

/// A ready task of a carried queue, waiting to be given to its broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// Names the mark.
    pub mark: MarkRef,
    /// Which task.
    pub id: TaskId,
    /// Whose.
    pub tenant: TenantName,
    /// From which queue.
    pub queue: QueueName,
    /// Of which kind.
    pub kind: KindName,
    /// W3C `traceparent` of whoever submitted it.
    pub traceparent: Option<String>,
}

/// Asks what is to be given to the broker of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// Which queue.
    pub queue: QueueName,
    /// So many tasks of each kind may be with the broker at a time.
    pub window: usize,
    /// At most so many in one answer.
    pub limit: usize,
    /// How long to wait for the first; zero answers at once.
    pub wait: Duration,
}

/// What is to be given to the broker of a queue, and how much it has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outbox {
    /// Best rank first.
    pub marks: Vec<Marked>,
    /// How many tasks the broker has that were not opened, by kind; kinds of which it has none are left out.
    pub carried: BTreeMap<KindName, usize>,
}

/// A task that a broker has, and that nobody has opened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Carried {
    /// Names the mark.
    pub mark: MarkRef,
    /// Its kind.
    pub kind: KindName,
}

/// Keeps marks of the ready tasks of carried queues.
#[async_trait::async_trait]
pub trait Carriage: Send + Sync {
    /// Returns ready tasks of a carried queue that its broker does not have, as far as the window has room for them;
    /// those that may not be handed out now (paused, suspects while one runs isolated) are left out. Dropping the
    /// future takes nothing.
    async fn outbox(&self, want: Relay) -> Result<Outbox>;

    /// Notes that a broker confirmed these. A mark that is not the task's current one is passed over.
    async fn relayed(&self, marks: Vec<MarkRef>) -> Result<()>;

    /// Returns what the broker of a queue has, and nobody has opened, by place.
    async fn carried(&self, queue: &QueueName) -> Result<Vec<Carried>>;

    /// Notes that a broker has lost these: they are to be given to it again. Returns how many that concerns; a mark that
    /// is not the task's current one is passed over.
    async fn lost(&self, marks: Vec<MarkRef>) -> Result<usize>;
}
