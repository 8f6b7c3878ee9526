//! What goes over the wire, described for the document. Nothing here is ever made: the code that
//! reads and writes works on bytes.
#![expect(dead_code, reason = "these types exist for their descriptions alone")]

use std::collections::BTreeMap;
use utoipa::{IntoParams, IntoResponses, ToSchema};

/// A success.
#[derive(ToSchema)]
pub(crate) struct Envelope<T> {
    /// The HTTP status.
    #[schema(example = 200)]
    code: u16,
    /// A word for it.
    #[schema(example = "ok")]
    message: String,
    /// What was asked for.
    data: T,
}

/// A duration: text such as `250ms`, `1s`, `1h30m`, or a number of seconds.
#[derive(ToSchema)]
#[schema(examples("1h30m", 90))]
#[serde(untagged)]
pub(crate) enum Duration {
    /// Text.
    Text(String),
    /// Seconds.
    Seconds(f64),
}

/// A wish for a task. Unknown fields are refused.
#[derive(ToSchema)]
#[schema(examples(json!({"kind": "hello", "payload": {"name": "Ada"}})))]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTask {
    /// What is to be done. Without it, a `name` that is a known kind is taken as the kind.
    #[schema(pattern = "^[a-z0-9][a-z0-9._-]{0,127}$", example = "hello")]
    kind: Option<String>,
    /// The same as `kind`.
    #[schema(deprecated)]
    r#type: Option<String>,
    /// The same as `kind`.
    #[schema(deprecated, rename = "taskType")]
    task_type: Option<String>,
    /// What the handler is given; comes back byte for byte.
    #[schema(value_type = Value, required = false)]
    payload: Option<serde_json::Value>,
    /// The task's id, if you want to choose it. Default: made by the server.
    #[schema(format = "uuid")]
    id: Option<String>,
    /// A name for people.
    #[schema(min_length = 2, max_length = 32)]
    name: Option<String>,
    /// Where it waits. Default: the kind's queue.
    #[schema(pattern = "^[a-z0-9][a-z0-9._-]{0,127}$", example = "default")]
    queue: Option<String>,
    /// Higher first; a step is worth 30 s of waiting.
    #[schema(minimum = 0, maximum = 9, default = 4)]
    priority: Option<i64>,
    /// Not before this time. Not together with `delay`.
    #[schema(format = DateTime)]
    run_at: Option<String>,
    /// Not before this has passed. Not together with `run_at`.
    delay: Option<Duration>,
    /// How often it is tried, the first time included. Default: the kind's, 4.
    #[schema(minimum = 1, maximum = 100)]
    max_attempts: Option<i64>,
    /// How long one attempt may take: 100ms to 24h. Default: the kind's, 5m.
    timeout: Option<Duration>,
    /// Not started within this: it expires.
    expires_in: Option<Duration>,
    /// Words to find it by.
    #[schema(max_items = 16)]
    tags: Option<Vec<String>>,
    /// Travel with the envelope; at most 32.
    headers: Option<BTreeMap<String, String>>,
}

/// The promise, as at the accept.
#[derive(ToSchema)]
pub(crate) struct Accepted {
    #[schema(format = "uuid")]
    id: String,
    kind: String,
    queue: String,
    status: Status,
    #[schema(format = DateTime)]
    run_at: String,
    #[schema(format = DateTime)]
    created_at: String,
    durability: Durability,
}

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

/// A page of tasks.
#[derive(ToSchema)]
pub(crate) struct TaskList {
    /// Newest first.
    items: Vec<Task>,
    /// Where the next page begins; null at the end.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// One thing that is wrong with a request.
#[derive(ToSchema)]
pub(crate) struct FieldError {
    /// Where, as you wrote it, such as `tags[3]`.
    #[schema(example = "priority")]
    field: String,
    /// What is wrong and what would be right.
    #[schema(example = "must be 0 to 9")]
    message: String,
}

/// An error: an RFC 9457 problem and the envelope at once.
#[derive(ToSchema)]
#[schema(examples(json!({
    "type": "/docs/errors/LS-40001", "title": "The request is not valid", "status": 400,
    "detail": "priority: must be 0 to 9", "instance": "/v1/tasks", "code": 40001,
    "message": "priority: must be 0 to 9", "data": null,
    "errors": [{"field": "priority", "message": "must be 0 to 9"}],
    "trace_id": "0af7651916cd43dd8448eb211c80319c"
})))]
pub(crate) struct Problem {
    /// A page that this server serves.
    r#type: String,
    title: String,
    status: u16,
    detail: String,
    /// The path that was asked for.
    instance: String,
    /// Five digits that begin with the HTTP status.
    code: u32,
    message: String,
    /// Always null.
    #[schema(value_type = Value)]
    data: (),
    errors: Vec<FieldError>,
    /// Names this request in the server's log.
    trace_id: String,
}

/// The answer of a probe.
#[derive(ToSchema)]
pub(crate) struct Probe {
    status: Health3,
    /// Why it is not UP.
    reason: Option<String>,
    /// With `verbose` only.
    details: Option<BTreeMap<String, Part>>,
}

/// How something is.
#[derive(ToSchema)]
#[schema(rename_all = "UPPERCASE", as = HealthStatus)]
pub(crate) enum Health3 {
    Up,
    Degraded,
    Down,
}

/// How a part of the server is.
#[derive(ToSchema)]
pub(crate) struct Part {
    status: Health3,
    #[schema(example = "2ms")]
    latency: Option<String>,
    reason: Option<String>,
    used_bytes: Option<u64>,
}

/// How the server and its parts are.
#[derive(ToSchema)]
pub(crate) struct Health {
    status: Health3,
    reason: Option<String>,
    /// By part, such as `store`.
    details: BTreeMap<String, Part>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitParam {
    /// Wait so long for the end of the run, at most 60s.
    #[param(example = "10s")]
    wait: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct IdempotencyKey {
    /// Your own name for the request, 1 to 128 visible characters, bare or quoted; kept for 24 h.
    #[param(rename = "Idempotency-Key")]
    key: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Only of these; repeated or between commas.
    #[param(style = Form, explode = false)]
    status: Option<Vec<Status>>,
    /// Only of this queue.
    queue: Option<String>,
    /// Only of this kind.
    kind: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// So many at most.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

#[derive(IntoResponses)]
pub(crate) enum Refusals {
    /// Fields are wrong, or the body is not JSON; nothing was stored
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// A task of this id exists; `Location` is its path
    #[response(status = 409, content_type = "application/problem+json")]
    Taken(#[to_schema] Problem),
    /// The body is too large
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] Problem),
    /// The body is not JSON by its type, or of an unknown coding
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(#[to_schema] Problem),
    /// The idempotency key was used with another body
    #[response(status = 422, content_type = "application/problem+json")]
    KeyReused(#[to_schema] Problem),
    /// The outcome is unknown: repeat with the same idempotency key
    #[response(status = 500, content_type = "application/problem+json")]
    Unknown(#[to_schema] Problem),
    /// The store is unavailable, or the server is stopping; see `Retry-After`
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
    /// The store is full
    #[response(status = 507, content_type = "application/problem+json")]
    Full(#[to_schema] Problem),
}

#[derive(IntoResponses)]
pub(crate) enum NotFound {
    /// The id is no UUID, or a parameter is wrong
    #[response(status = 400, content_type = "application/problem+json")]
    BadId(#[to_schema] Problem),
    /// There is no such task
    #[response(status = 404, content_type = "application/problem+json")]
    NoTask(#[to_schema] Problem),
    /// The store is unavailable
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
}

#[derive(IntoResponses)]
pub(crate) enum Unreadable {
    /// A parameter is wrong
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// The store is unavailable
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
}
