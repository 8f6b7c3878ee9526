//! One call of a handler, and what the handler may ask of it.

use longshore_core::store::Leased;
use longshore_core::{KindName, QueueName, TaskId, TenantName, Timestamp, Token};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// One call of a handler.
#[derive(Debug, Clone)]
pub struct Call {
    pub(crate) task: Arc<Leased>,
    pub(crate) deadline: Instant,
    pub(crate) cancel: CancellationToken,
}

impl Call {
    /// Makes the call of an opening, which has so much time.
    pub(crate) fn new(task: Arc<Leased>, allowed: Duration, cancel: CancellationToken) -> Self {
        let deadline = Instant::now() + allowed;
        Self { task, deadline, cancel }
    }
}

/// The context of a call: who the task is, which attempt this is, how much time is left.
#[derive(Debug, Clone)]
pub struct Cx(pub(crate) Call);

impl Cx {
    /// Returns the task's id.
    pub fn id(&self) -> TaskId {
        self.0.task.lease.id
    }

    /// Returns the task's kind.
    pub fn kind(&self) -> &KindName {
        &self.0.task.kind
    }

    /// Returns the task's queue.
    pub fn queue(&self) -> &QueueName {
        &self.0.task.queue
    }

    /// Returns whose task it is.
    pub fn tenant(&self) -> &TenantName {
        &self.0.task.tenant
    }

    /// Returns the number of this attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.0.task.attempt
    }

    /// Returns how many attempts there may be, the first included.
    pub fn max_attempts(&self) -> u32 {
        self.0.task.max_attempts
    }

    /// Returns how often the task was opened, this time included; crashes and releases count too.
    pub fn openings(&self) -> u32 {
        self.0.task.openings
    }

    /// Returns the number of this life of the task, from 1.
    pub fn run(&self) -> u32 {
        self.0.task.run
    }

    /// Returns the fencing token: a target that refuses smaller ones than it has seen is safe
    /// from attempts that were given up.
    pub fn token(&self) -> Token {
        self.0.task.lease.token
    }

    /// Returns when the task was accepted.
    pub fn created_at(&self) -> Timestamp {
        self.0.task.created_at
    }

    /// Returns the headers that came with the task.
    pub fn headers(&self) -> &[(String, String)] {
        &self.0.task.headers
    }

    /// Returns when this attempt's time is up; later if the whole process stands still meanwhile.
    pub fn deadline(&self) -> Instant {
        self.0.deadline
    }

    /// Returns once the handler should stop: it was cancelled, or the process is stopping.
    pub async fn stopped(&self) {
        self.0.cancel.cancelled().await;
    }

    /// Returns whether the handler should stop.
    pub fn is_stopped(&self) -> bool {
        self.0.cancel.is_cancelled()
    }
}
