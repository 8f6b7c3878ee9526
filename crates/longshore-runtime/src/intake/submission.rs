//! What somebody asked for, before anybody looked at it.

use longshore_core::task::Idempotency;
use longshore_core::{Payload, Span, TaskId, TenantName, Timestamp};

/// A wish for a task: what is `None` comes from the kind, or from the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Submission {
    /// Which kind; must be known.
    pub kind: String,
    /// Whose; from the credential, never from the request.
    pub tenant: TenantName,
    /// What the handler is given; JSON text.
    pub payload: Option<Payload>,
    /// The task's id, if the client brings one.
    pub id: Option<TaskId>,
    /// A name for people, 2..32 characters.
    pub name: Option<String>,
    /// Where it waits; must be known.
    pub queue: Option<String>,
    /// 0..9, default 4.
    pub priority: Option<i64>,
    /// Not before this time. Not together with `delay`.
    pub run_at: Option<Timestamp>,
    /// Not before this has passed.
    pub delay: Option<Span>,
    /// 1..100.
    pub max_attempts: Option<i64>,
    /// 100 ms..24 h.
    pub timeout: Option<Span>,
    /// Not started by then: it expires.
    pub expires_in: Option<Span>,
    /// At most 16 strings of 1..128 characters.
    pub tags: Vec<String>,
    /// At most 32 pairs.
    pub headers: Vec<(String, String)>,
    /// W3C `traceparent` of the caller.
    pub traceparent: Option<String>,
    /// The request's own name.
    pub idempotency: Option<Idempotency>,
}

impl Submission {
    /// Asks for a task of that kind with every default.
    pub fn new(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), ..Self::default() }
    }
}
