//! One call of a handler, and what the handler may ask of it.

use super::{Message, Progress};
use crate::layers::Next;
use crate::registry::DEFAULT_GRACE;
use bytes::Bytes;
use longshore_core::store::Leased;
use longshore_core::{KindName, Payload, QueueName, TaskId, TenantName, Timestamp, Token};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Largest progress, in bytes.
const MAX_PROGRESS: usize = 4_096;

/// A progress that cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum BadProgress {
    /// It cannot be written as JSON.
    #[error("the progress cannot be JSON: {0}")]
    NotJson(#[source] serde_json::Error),
    /// It is larger than 4 KiB.
    #[error("the progress has {bytes} bytes, at most 4096 can be shown")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
}

/// One call of a handler.
#[derive(Debug, Clone)]
pub struct Call {
    /// What is done; of a message, what it would be as a task.
    pub(crate) task: Arc<Leased>,
    /// The message, unless this is a task's.
    pub(crate) message: Option<Message>,
    pub(crate) deadline: Instant,
    pub(crate) cancel: CancellationToken,
    pub(crate) progress: Arc<Progress>,
    /// How long it may go on once it is told to stop.
    pub(crate) grace: Duration,
    /// The rest of the stack, while the call passes a layer that was made for tower.
    pub(crate) next: Option<Box<Next>>,
}

impl Call {
    /// Makes the call of an opening, which has so much time.
    pub(crate) fn new(
        task: Arc<Leased>,
        allowed: Duration,
        cancel: CancellationToken,
        progress: Arc<Progress>,
    ) -> Self {
        let deadline = Instant::now() + allowed;
        Self { task, message: None, deadline, cancel, progress, grace: DEFAULT_GRACE, next: None }
    }

    /// Returns what the work is given, byte for byte.
    pub(crate) fn body(&self) -> Bytes {
        match &self.message {
            Some(message) => message.payload().clone(),
            None => Bytes::copy_from_slice(self.task.payload.as_bytes()),
        }
    }

    /// Returns what a handler may ask of this call.
    pub fn cx(&self) -> Cx {
        Cx(self.clone())
    }
}

/// The context of a call: who the task is, which attempt this is, how much time is left.
///
/// A message has less of it than a task: what does not exist there says so below.
#[derive(Debug, Clone)]
pub struct Cx(pub(crate) Call);

impl Cx {
    /// Returns the message, if this is not a task.
    pub fn message(&self) -> Option<&Message> {
        self.0.message.as_ref()
    }

    /// Returns the task's id. Of a message: its identity if that is a UUID, else one made of it, the same at each
    /// hand-out; without any identity, a new one each time.
    pub fn id(&self) -> TaskId {
        self.0.task.lease.id
    }

    /// Returns the task's kind; of a message, the name of its consumer.
    pub fn kind(&self) -> &KindName {
        &self.0.task.kind
    }

    /// Returns the task's queue; of a message, the name of its consumer.
    pub fn queue(&self) -> &QueueName {
        &self.0.task.queue
    }

    /// Returns whose task it is; messages are `default`'s.
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

    /// Returns how often the task was opened, this time included; crashes and releases count too. Of a message: which
    /// hand-out of this attempt it is, if the broker counts; else 1.
    pub fn openings(&self) -> u32 {
        self.0.task.openings
    }

    /// Returns the number of this life of the task, from 1; a message has but one.
    pub fn run(&self) -> u32 {
        self.0.task.run
    }

    /// Returns the fencing token: a target that refuses smaller ones than it has seen is safe
    /// from attempts that were given up. A message has none: it is 0.
    pub fn token(&self) -> Token {
        self.0.task.lease.token
    }

    /// Returns when the task was accepted; of a message, when it was published if it says so, else when it came.
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

    /// Says how far the work is: any JSON value of at most 4 KiB, shown as the task's `progress`
    /// within half a second. What is said faster than that is skipped, but for the last word. Of a message nobody sees
    /// it.
    ///
    /// # Errors
    /// If the value cannot be written as JSON, or is larger.
    pub fn progress(&self, value: impl serde::Serialize) -> Result<(), BadProgress> {
        let text = serde_json::to_string(&value).map_err(BadProgress::NotJson)?;
        if text.len() > MAX_PROGRESS {
            return Err(BadProgress::TooLarge { bytes: text.len() });
        }
        self.0.progress.say(Payload::from_json(text));
        Ok(())
    }

    /// Returns once the handler should stop: it was cancelled, or the process is stopping. Messages cannot be cancelled.
    pub async fn stopped(&self) {
        self.0.cancel.cancelled().await;
    }

    /// Returns whether the handler should stop.
    pub fn is_stopped(&self) -> bool {
        self.0.cancel.is_cancelled()
    }
}
