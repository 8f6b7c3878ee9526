//! What is submitted, and what is answered.

use super::ClientError;
use longshore_core::task::{Durability, OnConflict, Unique, UniqueWhile};
use longshore_core::{Span, State, TaskId, Timestamp};
use longshore_runtime::FieldError;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::time::Duration;

/// A task that somebody wants done. What is not set is decided by the kind and the service.
///
/// ```
/// use longshore::client::Submit;
/// use std::time::Duration;
/// let mail = Submit::new("email.send")
///     .payload(&serde_json::json!({"to": "a@b.c"}))?
///     .delay(Duration::from_secs(60))
///     .tag("welcome");
/// assert_eq!(
///     serde_json::to_string(&mail).expect("JSON"),
///     r#"{"kind":"email.send","payload":{"to":"a@b.c"},"delay":"1m","tags":["welcome"]}"#,
/// );
/// # Ok::<(), longshore::client::ClientError>(())
/// ```
#[derive(Debug, Clone, Serialize)]
pub struct Submit {
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<TaskId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_timeout: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "unique")]
    unique: Option<Unique>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "pairs")]
    headers: Vec<(String, String)>,
    #[serde(skip)]
    pub(super) idempotency_key: Option<String>,
}

impl Submit {
    /// Begins a task of that kind.
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            payload: None,
            id: None,
            name: None,
            queue: None,
            priority: None,
            run_at: None,
            delay: None,
            max_attempts: None,
            timeout: None,
            total_timeout: None,
            expires_in: None,
            order_key: None,
            unique: None,
            tags: Vec::new(),
            headers: Vec::new(),
            idempotency_key: None,
        }
    }

    /// What the handler is given, written as JSON. Default: `null`.
    pub fn payload<T: Serialize + ?Sized>(mut self, payload: &T) -> Result<Self, ClientError> {
        let raw = serde_json::value::to_raw_value(payload);
        self.payload = Some(raw.map_err(|why| {
            ClientError::unusable("the payload", format!("cannot be written as JSON: {why}"))
        })?);
        Ok(self)
    }

    /// What the handler is given, as JSON text that goes out as it is.
    pub fn payload_text(mut self, json: impl Into<String>) -> Result<Self, ClientError> {
        let raw = RawValue::from_string(json.into());
        self.payload =
            Some(raw.map_err(|why| {
                ClientError::unusable("the payload", format!("must be JSON: {why}"))
            })?);
        Ok(self)
    }

    /// Its identity. Default: made by the service.
    pub fn id(mut self, id: TaskId) -> Self {
        self.id = Some(id);
        self
    }

    /// A name for people, 2 to 32 characters.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Where it waits. Default: the kind's queue.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// 0 to 9, higher first. Default: 4.
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Not before this time.
    pub fn run_at(mut self, at: Timestamp) -> Self {
        self.run_at = Some(at);
        self
    }

    /// Not before this much time has passed since the accept.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(Span(delay));
        self
    }

    /// How often it is tried, the first time included: 1 to 100. Default: the kind's.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// How long one attempt may take: 100 ms to 24 h. Default: the kind's.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(Span(timeout));
        self
    }

    /// How long all attempts may take together. Default: no limit.
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.total_timeout = Some(Span(timeout));
        self
    }

    /// Not started within this time after the accept: it expires. Default: never.
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.expires_in = Some(Span(time));
        self
    }

    /// Its lane: tasks of one lane run one at a time, in the order of their accepts.
    pub fn order_key(mut self, key: impl Into<String>) -> Self {
        self.order_key = Some(key.into());
        self
    }

    /// At most one task of this key at a time.
    pub fn unique(mut self, unique: Unique) -> Self {
        self.unique = Some(unique);
        self
    }

    /// Adds a word to find it by.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Adds a header that travels with it.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Your own name for this request: repeated with the same key, also by another process and for
    /// 24 hours, it makes no second task. 1 to 128 visible ASCII characters. Default: a new one for
    /// each call.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// As an item of a batch, which carries its key in itself.
    pub(super) fn in_batch(&self) -> InBatch<'_> {
        let made = || TaskId::fresh().to_string();
        let idempotency_key = self.idempotency_key.clone().unwrap_or_else(made);
        InBatch { submit: self, idempotency_key }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct InBatch<'a> {
    #[serde(flatten)]
    submit: &'a Submit,
    idempotency_key: String,
}

fn unique<S: Serializer>(unique: &Option<Unique>, to: S) -> Result<S::Ok, S::Error> {
    let Some(Unique { key, hold, on_conflict }) = unique else { return to.serialize_none() };
    let mut map = to.serialize_map(Some(3))?;
    map.serialize_entry("key", key)?;
    match hold {
        UniqueWhile::Queued => map.serialize_entry("while", "queued")?,
        UniqueWhile::Active => map.serialize_entry("while", "active")?,
        UniqueWhile::Window(window) => map.serialize_entry("while", &Span(*window))?,
    }
    let on_conflict = match on_conflict {
        OnConflict::Existing => "existing",
        OnConflict::Reject => "reject",
        OnConflict::Replace => "replace",
    };
    map.serialize_entry("on_conflict", on_conflict)?;
    map.end()
}

fn pairs<S: Serializer>(pairs: &[(String, String)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

/// The promise: the task is on stable storage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Submitted {
    /// Its identity.
    pub id: TaskId,
    /// Its kind.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// Where it stood when it was accepted.
    pub status: State,
    /// When it may run.
    pub run_at: Timestamp,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// How safe it is.
    pub durability: Durability,
    /// Whether this call made it. Else an earlier one did: with the same idempotency key, or with
    /// an equal `unique` key.
    #[serde(skip_deserializing)]
    pub new: bool,
}

/// What became of one task of a batch.
pub type BatchItem = Result<Stored, Rejected>;

/// A task of a batch that is on stable storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Its identity.
    pub id: TaskId,
    /// Where it stood when it was accepted.
    pub status: State,
}

/// A task of a batch that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (LS-{code})")]
pub struct Rejected {
    /// The error's code.
    pub code: u32,
    /// One sentence for people.
    pub message: String,
    /// Which fields are wrong.
    pub errors: Vec<FieldError>,
}
