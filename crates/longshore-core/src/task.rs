//! The noun of the whole house: a task, before and after it was accepted.
//!
//! [`NewTask`] is what somebody wants done, [`Valid`] says that it was checked, [`Accepted`] is
//! the promise, [`Task`] is what is read back.

use crate::attempt::TaskError;
pub use crate::identity::{TaskId, time_of};
use crate::readiness::{BlockedBy, DEFAULT_PRIORITY, OnParentFailure};
use crate::retry::DEFAULT_MAX_ATTEMPTS;
use crate::{Event, KindName, QueueName, Span, State, TenantName, Timestamp, Token};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A task's place in the order of accepting; unique within a store. Some stores lay a task at the place that its id
/// [carries](TaskId::place): they say nothing of the order within a moment of what different servers accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seq(pub i64);

/// JSON text, kept byte for byte as it was sent.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Payload(Bytes);

impl Payload {
    /// Takes text that is known to be JSON.
    pub fn from_json(text: impl Into<String>) -> Self {
        Self(Bytes::from(text.into()))
    }

    /// Takes bytes, unless they are not UTF-8. Whether they are JSON was judged by the caller.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Self, std::str::Utf8Error> {
        let bytes = bytes.into();
        std::str::from_utf8(&bytes)?;
        Ok(Self(bytes))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Payload {
    /// Tells the size only: payloads stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// While what an equal `unique` key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UniqueWhile {
    /// The other one has not started.
    Queued,
    /// The other one has not ended.
    Active,
    /// Less than this has passed since the other one's accept.
    Window(Duration),
}

/// What happens to the second of two tasks with an equal `unique` key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// The first one is answered.
    #[default]
    Existing,
    /// It is refused.
    Reject,
    /// It takes the place of the first, if that is not running yet.
    Replace,
}

/// At most one task of a (tenant, kind, key) at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    /// The key, at most 128 characters.
    pub key: String,
    /// How long it holds.
    pub hold: UniqueWhile,
    /// What happens to the second one.
    pub on_conflict: OnConflict,
}

/// A client's own name for a request, so that a repeated one is answered as the first was.
/// Scoped to the tenant and the route; kept for [`Idempotency::KEPT`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The route it was used on.
    pub route: &'static str,
    /// The key, at most 128 characters.
    pub key: String,
    /// SHA-256 of the raw body.
    pub fingerprint: [u8; 32],
}

impl Idempotency {
    /// How long a key is kept.
    pub const KEPT: Duration = Duration::from_secs(24 * 3600);
}

/// What somebody wants done.
///
/// ```
/// use longshore_core::{KindName, NewTask, Payload};
/// let mail = NewTask::new(KindName::new("email.send")?).payload(Payload::from_json(r#"{"to":"a@b.c"}"#));
/// assert_eq!((mail.priority, mail.max_attempts), (4, 4));
/// # Ok::<(), longshore_core::name::BadName>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// Its identity.
    pub id: TaskId,
    /// Whether somebody chose the identity, so that another task may have it. One that was drawn is hardly ever
    /// there before: a store need not look first.
    pub id_is_chosen: bool,
    /// Picks the handler.
    pub kind: KindName,
    /// Where it waits.
    pub queue: QueueName,
    /// Whose it is.
    pub tenant: TenantName,
    /// What the handler is given.
    pub payload: Payload,
    /// A name for people, 2..32 characters.
    pub name: Option<String>,
    /// 0..9, higher first.
    pub priority: u8,
    /// Not before this time.
    pub run_at: Option<Timestamp>,
    /// How often it is tried, the first time included.
    pub max_attempts: u32,
    /// How long one attempt may take.
    pub timeout: Span,
    /// How long all attempts of a run may take together, from the first start on.
    pub total_timeout: Option<Span>,
    /// Not started within this time after the accept: it expires.
    pub expires_in: Option<Span>,
    /// Its lane: tasks of one (tenant, queue, key) run one at a time, in accept order.
    pub order_key: Option<String>,
    /// At most one at a time.
    pub unique: Option<Unique>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Travel with the envelope.
    pub headers: Vec<(String, String)>,
    /// Starts when these have succeeded.
    pub after: Vec<TaskId>,
    /// What it does if one of them does not.
    pub on_parent_failure: OnParentFailure,
    /// The group it belongs to.
    pub group: Option<uuid::Uuid>,
    /// The task that it repeats.
    pub replay_of: Option<TaskId>,
    /// The schedule that made it.
    pub schedule_id: Option<uuid::Uuid>,
    /// W3C `traceparent` of whoever submitted it.
    pub traceparent: Option<String>,
    /// The request's own name.
    pub idempotency: Option<Idempotency>,
    /// With so many tasks waiting in its queue it is refused; nothing means no limit. Not kept.
    pub backlog: Option<u64>,
}

impl NewTask {
    /// Makes a task of that kind with every default: queue `default`, priority 4, 4 attempts of
    /// at most 5 min, now.
    pub fn new(kind: KindName) -> Self {
        Self {
            id: TaskId::fresh(),
            id_is_chosen: true, // whoever sets another one need not think of it
            kind,
            queue: QueueName::default(),
            tenant: TenantName::default(),
            payload: Payload(Bytes::from_static(b"null")),
            name: None,
            priority: DEFAULT_PRIORITY,
            run_at: None,
            max_attempts: DEFAULT_MAX_ATTEMPTS,
            timeout: Span(Duration::from_secs(300)),
            total_timeout: None,
            expires_in: None,
            order_key: None,
            unique: None,
            tags: Vec::new(),
            headers: Vec::new(),
            after: Vec::new(),
            on_parent_failure: OnParentFailure::default(),
            group: None,
            replay_of: None,
            schedule_id: None,
            traceparent: None,
            idempotency: None,
            backlog: None,
        }
    }

    /// Sets what the handler is given.
    pub fn payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }
}

/// Something that was checked. Only `longshore-runtime`'s intake (and test suites) vouch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Valid<T>(T);

impl<T> Valid<T> {
    /// Says that `inner` was checked by the caller.
    pub fn vouch(inner: T) -> Self {
        Self(inner)
    }

    /// Returns what was checked.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Valid<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// How safe an accepted task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Synced to this machine's disk.
    Disk,
    /// On several machines.
    Replicated,
    /// In memory only: the model store of the tests.
    None,
}

impl Durability {
    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Replicated => "replicated",
            Self::None => "none",
        }
    }
}

/// The promise: the task is on stable storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its identity.
    pub id: TaskId,
    /// Its kind.
    pub kind: KindName,
    /// Its queue.
    pub queue: QueueName,
    /// Where it stood when it was accepted.
    pub state: State,
    /// When it may run.
    pub run_at: Timestamp,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// How safe it is.
    pub durability: Durability,
    /// Whether this accept made it.
    pub how: AcceptedHow,
    /// What happened to other tasks because of it.
    pub others: Vec<Event>,
}

/// Whether an accept made a task or found one, and whether it was answered before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptedHow {
    /// It is new.
    New,
    /// The idempotency key was known: this is the first answer again, to an accept that made a task.
    Replayed,
    /// The same, of an accept that had found one by its `unique` key.
    ReplayedExisting,
    /// An equal `unique` key holds: this is that task.
    Existing,
}

impl AcceptedHow {
    /// Returns how the same answer is given again.
    pub fn again(self) -> Self {
        match self {
            Self::New | Self::Replayed => Self::Replayed,
            Self::Existing | Self::ReplayedExisting => Self::ReplayedExisting,
        }
    }

    /// Returns whether it is an answer that was given before.
    pub fn is_replayed(self) -> bool {
        matches!(self, Self::Replayed | Self::ReplayedExisting)
    }
}

/// A task as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its place in the order of accepting.
    pub seq: Seq,
    /// Its identity.
    pub id: TaskId,
    /// Its kind.
    pub kind: KindName,
    /// Its queue.
    pub queue: QueueName,
    /// Whose it is.
    pub tenant: TenantName,
    /// A name for people.
    pub name: Option<String>,
    /// Where it stands.
    pub state: State,
    /// What it waits for, if it is pending and not ready.
    pub blocked_by: Option<BlockedBy>,
    /// Why it ended, where the state alone does not say.
    pub reason: Option<String>,
    /// 0..9.
    pub priority: u8,
    /// What the handler is given; left out of lists.
    pub payload: Option<Payload>,
    /// What the handler returned; left out of lists.
    pub result: Option<Payload>,
    /// The last failure.
    pub error: Option<TaskError>,
    /// Counts lives, from 1.
    pub run: u32,
    /// Number of the current or last attempt of this run, from 1.
    pub attempt: u32,
    /// Attempts it may use, the first included.
    pub max_attempts: u32,
    /// Deaths of a process while it ran inside.
    pub crashes: u32,
    /// Those of which it is thought guilty.
    pub charges: u32,
    /// When it may run, or might.
    pub run_at: Timestamp,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When the current or last attempt was opened.
    pub started_at: Option<Timestamp>,
    /// When the run ended.
    pub finished_at: Option<Timestamp>,
    /// How long one attempt may take.
    pub timeout: Span,
    /// How long all attempts may take together.
    pub total_timeout: Option<Span>,
    /// When it expires if it has not started.
    pub expires_at: Option<Timestamp>,
    /// Its lane.
    pub order_key: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Travel with the envelope.
    pub headers: Vec<(String, String)>,
    /// What the running handler last said of its progress.
    pub progress: Option<Payload>,
    /// The schedule that made it.
    pub schedule_id: Option<uuid::Uuid>,
    /// The task that it repeats.
    pub replay_of: Option<TaskId>,
    /// Tasks that had to succeed first.
    pub parents: Vec<TaskId>,
    /// The group it belongs to.
    pub group: Option<uuid::Uuid>,
    /// Who holds or held it.
    pub worker: Option<Arc<str>>,
    /// W3C `traceparent` of whoever submitted it.
    pub traceparent: Option<String>,
    /// The fencing token of the last opening.
    pub token: Option<Token>,
    /// How safe it is.
    pub durability: Durability,
}
