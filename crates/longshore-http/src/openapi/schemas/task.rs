//! Tasks and their attempts.

use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Where a task stands.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum Status {
    Scheduled,
    Pending,
    Running,
    Retrying,
    Success,
    Failed,
    Cancelled,
    Expired,
}

/// How safe a task is: on this machine's disk, on several machines, or (in tests) in memory.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum Durability {
    Disk,
    Replicated,
    None,
}

/// A failure of the handler.
#[derive(ToSchema)]
pub(crate) struct TaskError {
    class: FaultClass,
    #[schema(required)]
    code: Option<String>,
    message: String,
    /// The handler's own; never the server's.
    #[schema(required)]
    trace: Option<String>,
    #[schema(format = DateTime)]
    at: String,
}

/// How a failure is treated.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum FaultClass {
    Transient,
    Timeout,
    RateLimited,
    Dependency,
    BadData,
    Panic,
    Crash,
}

/// What a pending task waits for.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum BlockedBy {
    Parents,
    Lane,
}

/// A task. Every field is there, null if it has no value; lists leave out `payload` and `result`.
#[derive(ToSchema)]
pub(crate) struct Task {
    #[schema(format = "uuid")]
    id: String,
    kind: String,
    #[schema(required)]
    name: Option<String>,
    queue: String,
    status: Status,
    #[schema(required)]
    blocked_by: Option<BlockedBy>,
    /// Why it ended, where the status alone does not say.
    #[schema(required)]
    reason: Option<String>,
    #[schema(minimum = 0, maximum = 9)]
    priority: u8,
    /// What the handler is given; left out of lists.
    #[schema(value_type = Value, required = false)]
    payload: serde_json::Value,
    /// What the handler returned; left out of lists.
    #[schema(value_type = Value, required = false)]
    result: serde_json::Value,
    /// The last failure.
    #[schema(required)]
    error: Option<TaskError>,
    /// Counts lives, from 1.
    run: u32,
    /// Number of the current or last attempt of this run, from 1.
    attempt: u32,
    max_attempts: u32,
    /// Deaths of a process while it ran inside.
    crashes: u32,
    #[schema(format = DateTime)]
    run_at: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime, required)]
    started_at: Option<String>,
    #[schema(format = DateTime, required)]
    finished_at: Option<String>,
    #[schema(example = "5m")]
    timeout: String,
    #[schema(required)]
    order_key: Option<String>,
    tags: Vec<String>,
    headers: BTreeMap<String, String>,
    tenant: String,
    /// What the running handler last said.
    #[schema(value_type = Value)]
    progress: serde_json::Value,
    #[schema(format = "uuid", required)]
    schedule_id: Option<String>,
    #[schema(format = "uuid", required)]
    replay_of: Option<String>,
    parents: Vec<String>,
    #[schema(format = "uuid", required)]
    group: Option<String>,
    #[schema(required)]
    worker: Option<String>,
    /// Of the `traceparent` that it was submitted with.
    #[schema(required)]
    trace_id: Option<String>,
    durability: Durability,
}

/// One opening of a task.
#[derive(ToSchema)]
pub(crate) struct Attempt {
    /// The life of the task that it belongs to, from 1.
    run: u32,
    /// Its number in that run, from 1. Openings that cost nothing repeat it.
    attempt: u32,
    /// The fencing token: a whole number as text.
    token: String,
    #[schema(required)]
    worker: Option<String>,
    #[schema(format = DateTime)]
    started_at: String,
    /// Null while it runs.
    #[schema(format = DateTime, required)]
    ended_at: Option<String>,
    /// Null while it runs.
    #[schema(required)]
    outcome: Option<AttemptOutcome>,
    #[schema(required)]
    error: Option<TaskError>,
    /// When the next opening was due.
    #[schema(format = DateTime, required)]
    next_at: Option<String>,
}

/// How an opening ended.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum AttemptOutcome {
    Success,
    Retry,
    Failed,
    Snoozed,
    Discarded,
    Cancelled,
    Released,
    Lost,
    Crashed,
}

/// The openings of a task.
#[derive(ToSchema)]
pub(crate) struct AttemptList {
    /// Oldest first.
    items: Vec<Attempt>,
    /// Always null: all are on one page.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// A page of tasks.
#[derive(ToSchema)]
pub(crate) struct TaskList {
    /// Newest first.
    items: Vec<Task>,
    /// Where the next page begins; null at the end.
    #[schema(required)]
    next_cursor: Option<String>,
}
