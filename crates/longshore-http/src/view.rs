//! Tasks as clients read them.

use longshore_core::attempt::TaskError;
use longshore_core::readiness::BlockedBy;
use longshore_core::task::{Accepted, Durability};
use longshore_core::{KindName, Payload, QueueName, Span, Task, TaskId, TenantName, Timestamp};
use serde::Serialize;
use serde::ser::Serializer;
use serde_json::value::RawValue;

/// The short form: what an accept answers. It holds nothing but what was decided then, so that a
/// repeated request is answered byte for byte as the first one.
#[derive(Debug, Serialize)]
pub(crate) struct Short<'a> {
    id: TaskId,
    kind: &'a KindName,
    queue: &'a QueueName,
    status: &'static str,
    run_at: Timestamp,
    created_at: Timestamp,
    durability: Durability,
}

impl<'a> From<&'a Accepted> for Short<'a> {
    fn from(accepted: &'a Accepted) -> Self {
        Self {
            id: accepted.id,
            kind: &accepted.kind,
            queue: &accepted.queue,
            status: accepted.state.as_str(),
            run_at: accepted.run_at,
            created_at: accepted.created_at,
            durability: accepted.durability,
        }
    }
}

/// The whole task: every field is there, null if it has no value. Lists leave out payload and
/// result.
#[derive(Debug, Serialize)]
pub(crate) struct Whole<'a> {
    id: TaskId,
    kind: &'a KindName,
    name: Option<&'a str>,
    queue: &'a QueueName,
    status: &'static str,
    blocked_by: Option<BlockedBy>,
    reason: Option<&'a str>,
    priority: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Json<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Json<'a>>,
    error: Option<&'a TaskError>,
    run: u32,
    attempt: u32,
    max_attempts: u32,
    crashes: u32,
    run_at: Timestamp,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    timeout: Span,
    order_key: Option<&'a str>,
    tags: &'a [String],
    headers: Pairs<'a>,
    tenant: &'a TenantName,
    progress: Json<'a>,
    schedule_id: Option<uuid::Uuid>,
    replay_of: Option<TaskId>,
    parents: &'a [TaskId],
    group: Option<uuid::Uuid>,
    worker: Option<&'a str>,
    trace_id: Option<&'a str>,
    durability: Durability,
}

impl<'a> Whole<'a> {
    /// Shows a task with its payload and result.
    pub(crate) fn new(task: &'a Task) -> Self {
        Self {
            payload: Some(Json(task.payload.as_ref())),
            result: Some(Json(task.result.as_ref())),
            ..Self::in_list(task)
        }
    }

    /// Shows a task as an item of a list.
    pub(crate) fn in_list(task: &'a Task) -> Self {
        Self {
            id: task.id,
            kind: &task.kind,
            name: task.name.as_deref(),
            queue: &task.queue,
            status: task.state.as_str(),
            blocked_by: task.blocked_by,
            reason: task.reason.as_deref(),
            priority: task.priority,
            payload: None,
            result: None,
            error: task.error.as_ref(),
            run: task.run,
            attempt: task.attempt,
            max_attempts: task.max_attempts,
            crashes: task.crashes,
            run_at: task.run_at,
            created_at: task.created_at,
            started_at: task.started_at,
            finished_at: task.finished_at,
            timeout: task.timeout,
            order_key: task.order_key.as_deref(),
            tags: &task.tags,
            headers: Pairs(&task.headers),
            tenant: &task.tenant,
            progress: Json(task.progress.as_ref()),
            schedule_id: task.schedule_id,
            replay_of: task.replay_of,
            parents: &task.parents,
            group: task.group,
            worker: task.worker.as_deref(),
            trace_id: task.traceparent.as_deref().map(crate::trace::trace_id),
            durability: task.durability,
        }
    }
}

/// JSON text that goes out as it came in; null if there is none.
#[derive(Debug)]
pub(crate) struct Json<'a>(pub(crate) Option<&'a Payload>);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let raw = self.0.map(|payload| serde_json::from_str::<&RawValue>(payload.as_str()));
        match raw {
            Some(Ok(raw)) => raw.serialize(to),
            // Text that is no JSON would break the whole answer.
            Some(Err(_)) | None => to.serialize_none(),
        }
    }
}

#[derive(Debug)]
struct Pairs<'a>(&'a [(String, String)]);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub(crate) struct List<T> {
    /// What is on the page.
    pub(crate) items: Vec<T>,
    /// Where the next page begins; null at the end.
    pub(crate) next_cursor: Option<String>,
}
