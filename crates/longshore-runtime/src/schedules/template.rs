//! A submission as JSON: what a schedule's slots submit, with the names of the API.

use crate::intake::Submission;
use longshore_core::task::{OnConflict, Unique, UniqueWhile};
use longshore_core::{Payload, Span};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The fields of a submission that make sense again and again.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Template {
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_timeout: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique: Option<Once>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", with = "pairs")]
    headers: Vec<(String, String)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Once {
    key: String,
    #[serde(rename = "while")]
    hold: String,
    on_conflict: String,
}

impl From<&Submission> for Template {
    fn from(task: &Submission) -> Self {
        let raw = |payload: &Payload| serde_json::from_str(payload.as_str()).ok();
        Self {
            kind: task.kind.clone(),
            payload: task.payload.as_ref().and_then(raw),
            queue: task.queue.clone(),
            priority: task.priority,
            max_attempts: task.max_attempts,
            timeout: task.timeout,
            total_timeout: task.total_timeout,
            expires_in: task.expires_in,
            order_key: task.order_key.clone(),
            unique: task.unique.as_ref().map(Once::from),
            tags: task.tags.clone(),
            headers: task.headers.clone(),
        }
    }
}

impl From<Template> for Submission {
    fn from(template: Template) -> Self {
        let payload = template.payload.map(|raw| Payload::from_json(Box::<str>::from(raw)));
        Self {
            kind: template.kind,
            payload,
            queue: template.queue,
            priority: template.priority,
            max_attempts: template.max_attempts,
            timeout: template.timeout,
            total_timeout: template.total_timeout,
            expires_in: template.expires_in,
            order_key: template.order_key,
            unique: template.unique.map(Unique::from),
            tags: template.tags,
            headers: template.headers,
            ..Self::default()
        }
    }
}

impl From<&Unique> for Once {
    fn from(unique: &Unique) -> Self {
        let hold = match unique.hold {
            UniqueWhile::Queued => "queued".to_owned(),
            UniqueWhile::Active => "active".to_owned(),
            UniqueWhile::Window(window) => Span(window).to_string(),
        };
        let on_conflict = match unique.on_conflict {
            OnConflict::Existing => "existing",
            OnConflict::Reject => "reject",
            OnConflict::Replace => "replace",
        };
        Self { key: unique.key.clone(), hold, on_conflict: on_conflict.to_owned() }
    }
}

impl From<Once> for Unique {
    fn from(once: Once) -> Self {
        let hold = match once.hold.as_str() {
            "queued" => UniqueWhile::Queued,
            window => window
                .parse()
                .map_or(UniqueWhile::Active, |Span(window)| UniqueWhile::Window(window)),
        };
        let on_conflict = match once.on_conflict.as_str() {
            "reject" => OnConflict::Reject,
            "replace" => OnConflict::Replace,
            _ => OnConflict::Existing,
        };
        Self { key: once.key, hold, on_conflict }
    }
}

/// Pairs as an object.
mod pairs {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::collections::BTreeMap;

    pub(super) fn serialize<S: Serializer>(
        pairs: &[(String, String)],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_map(pairs.iter().map(|(name, value)| (name, value)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<(String, String)>, D::Error> {
        Ok(BTreeMap::deserialize(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_submission_is_the_same_after_it_was_written_and_read() {
        let unique = |hold, on_conflict| Some(Unique { key: "k".into(), hold, on_conflict });
        let full = Submission {
            payload: Some(Payload::from_json(r#"{"n": 1.000, "big": 99999999999999999999}"#)),
            queue: Some("mail".into()),
            priority: Some(9),
            max_attempts: Some(2),
            timeout: Some(Span(Duration::from_secs(5))),
            total_timeout: Some(Span(Duration::from_secs(60))),
            expires_in: Some(Span(Duration::from_millis(90_500))),
            order_key: Some("lane".into()),
            tags: vec!["night".into()],
            headers: vec![("x-team".into(), "ops".into())],
            ..Submission::new("tidy")
        };
        let window = UniqueWhile::Window(Duration::from_secs(5_400));
        for task in [
            Submission::new("tidy"),
            full.clone(),
            Submission { unique: unique(window, OnConflict::Replace), ..full.clone() },
            Submission { unique: unique(UniqueWhile::Queued, OnConflict::Reject), ..full.clone() },
            Submission { unique: unique(UniqueWhile::Active, OnConflict::Existing), ..full },
        ] {
            let text = serde_json::to_string(&Template::from(&task)).unwrap();
            let read: Template = serde_json::from_str(&text).unwrap();
            assert_eq!(Submission::from(read), task, "{text}");
        }
    }
}
