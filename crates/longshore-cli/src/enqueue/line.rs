//! A line of a batch file: a task as `POST /v1/tasks` takes it.

use super::unique;
use longshore::client::Submit;
use longshore::core::task::Unique;
use longshore::core::{Span, TaskId, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The fields of a line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    #[serde(alias = "type", alias = "taskType")]
    kind: Option<String>,
    payload: Option<Box<RawValue>>,
    id: Option<TaskId>,
    name: Option<String>,
    queue: Option<String>,
    priority: Option<u8>,
    run_at: Option<Timestamp>,
    delay: Option<Span>,
    max_attempts: Option<u32>,
    timeout: Option<Span>,
    total_timeout: Option<Span>,
    expires_in: Option<Span>,
    order_key: Option<String>,
    unique: Option<UniqueField>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    idempotency_key: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UniqueField {
    key: String,
    r#while: Option<String>,
    on_conflict: Option<String>,
}

impl Line {
    /// Reads a line. What the values may be is judged by the server.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|bad| bad.to_string())
    }

    /// Makes a task of it. `kind` and `key` are for what it does not say itself.
    pub(super) fn submit(self, kind: Option<&str>, key: Option<String>) -> Result<Submit, String> {
        let kind = self.kind.as_deref().or(kind);
        let kind = kind.ok_or("it has no kind, and none was given for all of them")?;
        let mut submit = Submit::new(kind);
        if let Some(payload) = self.payload {
            submit = submit.payload(&*payload).map_err(|bad| bad.to_string())?;
        }
        macro_rules! set {
            ($($field:ident),* with $take:expr) => {
                $(if let Some(value) = self.$field { submit = submit.$field($take(value)); })*
            };
        }
        set!(id, name, queue, priority, run_at, max_attempts, order_key with |same| same);
        set!(delay, timeout, total_timeout, expires_in with |Span(span)| span);
        if let Some(UniqueField { key, r#while, on_conflict }) = self.unique {
            let hold = unique::held(r#while.as_deref().unwrap_or("active"))?;
            let on_conflict = unique::conflict(on_conflict.as_deref().unwrap_or("existing"))?;
            submit = submit.unique(Unique { key, hold, on_conflict });
        }
        submit = self.tags.into_iter().fold(submit, Submit::tag);
        submit = self
            .headers
            .into_iter()
            .fold(submit, |submit, (name, value)| submit.header(name, value));
        Ok(match self.idempotency_key.or(key) {
            Some(key) => submit.idempotency_key(key),
            None => submit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str) -> Result<String, String> {
        let submit = Line::read(text)?.submit(Some("hello"), None)?;
        Ok(serde_json::to_string(&submit).unwrap())
    }

    #[test]
    fn numbers_keep_every_digit() {
        let line = r#"{"payload":{"n":123456789012345678901234567890.10}}"#;
        let json = r#"{"kind":"hello","payload":{"n":123456789012345678901234567890.10}}"#;
        assert_eq!(sent(line).as_deref(), Ok(json));
    }

    #[test]
    fn all_fields_are_taken() {
        let line = r#"{"type":"a.b","delay":"5m","timeout":30,"tags":["x"],"headers":{"h":"v"},"unique":{"key":"k","while":"1h"},"priority":9}"#;
        let json = r#"{"kind":"a.b","priority":9,"delay":"5m","timeout":"30s","unique":{"key":"k","while":"1h","on_conflict":"existing"},"tags":["x"],"headers":{"h":"v"}}"#;
        assert_eq!(sent(line).as_deref(), Ok(json));
    }

    #[test]
    fn what_is_unknown_is_refused_by_name() {
        assert!(sent(r#"{"kynd":"a"}"#).unwrap_err().contains("unknown field `kynd`"));
        assert!(sent("[1]").is_err());
    }
}
