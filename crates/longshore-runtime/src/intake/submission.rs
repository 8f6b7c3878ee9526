//! What somebody asked for, before anybody looked at it.

use super::{FieldError, SubmitError};
use longshore_core::task::{Idempotency, Unique};
use longshore_core::{Payload, Span, TaskId, TenantName, Timestamp};
use serde::Serialize;

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
    /// 100 ms..ten years, over all attempts of a run.
    pub total_timeout: Option<Span>,
    /// Not started by then: it expires.
    pub expires_in: Option<Span>,
    /// Its lane, 1..128 characters. Not together with `run_at` or `delay`.
    pub order_key: Option<String>,
    /// At most one of its key at a time; a key has 1..128 characters.
    pub unique: Option<Unique>,
    /// At most 16 strings of 1..128 characters.
    pub tags: Vec<String>,
    /// At most 32 pairs.
    pub headers: Vec<(String, String)>,
    /// The task that it repeats; from the server, never from the request.
    pub replay_of: Option<TaskId>,
    /// It may be of a kind that is for the server alone; from the server, never from the request.
    pub is_ours: bool,
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

    /// What the handler is given, written as JSON. Default: `null`.
    ///
    /// # Errors
    /// If the value cannot be written as JSON, such as a map whose keys are not text.
    pub fn payload<T: Serialize + ?Sized>(mut self, payload: &T) -> Result<Self, SubmitError> {
        let text = serde_json::to_string(payload).map_err(|why| {
            let why = format!("cannot be written as JSON: {why}");
            SubmitError::Invalid(vec![FieldError::new("payload", why)])
        })?;
        self.payload = Some(Payload::from_json(text));
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_payload_that_cannot_be_json_is_refused_by_its_name() {
        let keys_are_no_text = BTreeMap::from([((1, 2), "a pair")]);
        let refused = Submission::new("hello").payload(&keys_are_no_text).unwrap_err();
        let SubmitError::Invalid(faults) = refused else { panic!("{refused:?}") };
        assert_eq!(faults[0].field, "payload");
        assert!(faults[0].message.starts_with("cannot be written as JSON: "), "{faults:?}");
    }
}
