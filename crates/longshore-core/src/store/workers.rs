//! Who runs tasks, and which kinds are known because of that.

use super::Result;
use crate::{KindName, QueueName, Span, TaskId, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// How long a kind stays known after the last worker that ran it was heard of.
pub const KIND_KEPT: Duration = Duration::from_secs(30 * 86_400);

/// How long a worker that is not heard of any more is still shown, as lost.
pub const LOST_SHOWN: Duration = Duration::from_secs(3_600);

/// What a server has to know of a kind to take its tasks in, although somebody else runs it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct KnownKind {
    /// Its name.
    pub name: KindName,
    /// Where its tasks wait unless they say otherwise.
    pub queue: QueueName,
    /// Attempts of a task that does not say how many, 1..=100.
    pub max_attempts: u32,
    /// How long one attempt may take.
    pub timeout: Span,
    /// How long all attempts may take together.
    pub total_timeout: Option<Span>,
    /// The JSON Schema of its payloads, as text.
    pub schema: Option<String>,
}

/// What a worker has of a queue.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Share {
    /// The queue.
    pub queue: QueueName,
    /// Tasks of it that the worker may run at once.
    pub slots: u32,
    /// How many of these are taken.
    pub used: u32,
}

/// A process that runs tasks, as it shows itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Worker {
    /// Its name: no two incarnations have the same.
    pub id: Arc<str>,
    /// The machine it is on.
    pub host: String,
    /// Its number there.
    pub pid: u32,
    /// The program's version, or what a worker in another language says of itself.
    pub version: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// What it runs.
    pub kinds: Vec<KindName>,
    /// Its slots, by queue.
    pub queues: Vec<Share>,
    /// Some of what it runs right now: at most 100.
    pub tasks: Vec<TaskId>,
    /// Whether it takes nothing new.
    pub draining: bool,
}

/// A worker, and when it was last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenWorker {
    /// What it said last.
    pub worker: Worker,
    /// When that was.
    pub seen_at: Timestamp,
    /// How long ago that was, by a clock that only grows.
    pub silent: Duration,
    /// Whether it has been silent for longer than it had said.
    pub lost: bool,
}

/// What a worker is told in answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// Somebody asked it to take nothing new and to end.
    pub drain: bool,
}

/// Keeps the register of workers, and the kinds that are known because of them.
#[async_trait::async_trait]
pub trait Workers: Send + Sync {
    /// Notes a worker and its kinds; after `lasts` without another word it counts as lost.
    async fn announce(
        &self,
        worker: Worker,
        kinds: Vec<KnownKind>,
        lasts: Duration,
    ) -> Result<Told>;

    /// Takes a worker out of the register; its kinds stay known.
    async fn leave(&self, id: &str) -> Result<()>;

    /// Asks a worker to take nothing new and to end; false if there is none of that name.
    async fn drain(&self, id: &str) -> Result<bool>;

    /// Returns all workers by name, those that are lost for [`LOST_SHOWN`].
    async fn workers(&self) -> Result<Vec<SeenWorker>>;

    /// Returns the kinds that workers run or ran within [`KIND_KEPT`], by name.
    async fn known_kinds(&self) -> Result<Vec<KnownKind>>;
}
