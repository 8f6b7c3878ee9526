//! What a task was given at its accept and seldom has: kept together as JSON, or not at all.

use longshore_core::task::UniqueWhile;
use longshore_core::{NewTask, TaskId};
use std::time::Duration;

/// The seldom parts of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Spec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) parents: Vec<TaskId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replay_of: Option<TaskId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) schedule_id: Option<uuid::Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) traceparent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unique: Option<UniqueSpec>,
}

/// The unique key that a task holds or held.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct UniqueSpec {
    pub(crate) key: String,
    pub(crate) hold: HoldSpec,
}

/// How long it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HoldSpec {
    Queued,
    Active,
    Window(Duration),
}

impl Spec {
    /// Takes the seldom parts of `task`; nothing if it has none of them.
    pub(super) fn of(task: &NewTask) -> Option<Self> {
        let spec = Self {
            name: task.name.clone(),
            tags: task.tags.clone(),
            headers: task.headers.clone(),
            parents: task.after.clone(),
            replay_of: task.replay_of,
            schedule_id: task.schedule_id,
            traceparent: task.traceparent.clone(),
            unique: task.unique.as_ref().map(|unique| UniqueSpec {
                key: unique.key.clone(),
                hold: match unique.hold {
                    UniqueWhile::Queued => HoldSpec::Queued,
                    UniqueWhile::Active => HoldSpec::Active,
                    UniqueWhile::Window(window) => HoldSpec::Window(window),
                },
            }),
        };
        (spec != Self::default()).then_some(spec)
    }

    /// Reads what is stored.
    pub(crate) fn read(text: Option<&str>) -> Self {
        // Written by this program only; what cannot be read hides no more than the seldom parts.
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}
