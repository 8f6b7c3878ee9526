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
    /// Makes a schedule instead: five fields (minute, hour, day of month, month, day of week), or six
    /// with the second first. Not together with `run_at` or `delay`, and not in a batch.
    #[schema(max_length = 256, example = "0 3 * * *")]
    cron: Option<String>,
    /// The time zone of `cron`, an IANA name. Default: UTC.
    #[schema(example = "Europe/Berlin")]
    timezone: Option<String>,
    /// How often it is tried, the first time included. Default: the kind's, 4.
    #[schema(minimum = 1, maximum = 100)]
    max_attempts: Option<i64>,
    /// How long one attempt may take: 100ms to 24h. Default: the kind's, 5m.
    timeout: Option<Duration>,
    /// How long all attempts of a run may take together: 100ms to ten years. Default: no limit.
    total_timeout: Option<Duration>,
    /// Not started within this: it expires.
    expires_in: Option<Duration>,
    /// A lane of the queue: tasks with the same key run one at a time, in the order of accepting.
    /// Not together with `run_at` or `delay`.
    #[schema(min_length = 1, max_length = 128)]
    order_key: Option<String>,
    /// At most one task of the kind with this key at a time.
    unique: Option<Unique>,
    /// In a batch only: the item's own name, as `Idempotency-Key` is that of a request.
    #[schema(min_length = 1, max_length = 128)]
    idempotency_key: Option<String>,
    /// Words to find it by.
    #[schema(max_items = 16)]
    tags: Option<Vec<String>>,
    /// Travel with the envelope; at most 32.
    headers: Option<BTreeMap<String, String>>,
}

/// At most one task of the kind with this key at a time. Unknown fields are refused.
#[derive(ToSchema)]
#[schema(examples(json!({"key": "invoice-7", "while": "active", "on_conflict": "reject"})))]
#[serde(deny_unknown_fields)]
pub(crate) struct Unique {
    #[schema(min_length = 1, max_length = 128)]
    key: String,
    /// How long the key is taken: `queued` (until it starts), `active` (until it ends), or a
    /// duration from the accept on.
    #[schema(default = "active")]
    r#while: Option<UniqueWhile>,
    #[schema(default = "existing")]
    on_conflict: Option<OnConflict>,
}

/// How long a `unique` key is taken.
#[derive(ToSchema)]
#[schema(examples("active", "queued", "1h"))]
#[serde(untagged)]
pub(crate) enum UniqueWhile {
    /// `queued`, `active`, or a duration.
    Text(String),
    /// Seconds.
    Seconds(f64),
}

/// What becomes of the second task with a `unique` key: the first is answered (200), it is refused
/// (409), or it takes the place of the first unless that runs already (then 409).
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum OnConflict {
    Existing,
    Reject,
    Replace,
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

/// What became of each item of a batch.
#[derive(ToSchema)]
pub(crate) struct BatchAnswer {
    /// In the order of the request.
    items: Vec<BatchItem>,
}

/// What became of one item: `{id, status}`, or why it was refused.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum BatchItem {
    /// It was accepted, or it is known by its key.
    Task {
        #[schema(format = "uuid")]
        id: String,
        status: Status,
    },
    /// It was refused; the others were not harmed.
    Refused {
        /// As of a request of its own.
        code: u32,
        message: String,
        /// At most 10.
        errors: Vec<FieldError>,
    },
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

/// What a replayed task has of its own. Unknown fields are refused.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replay {
    /// What the handler is given. Default: what the old task was given.
    #[schema(value_type = Value, required = false)]
    payload: Option<serde_json::Value>,
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

/// A queue.
#[derive(ToSchema)]
pub(crate) struct Queue {
    name: String,
    /// Whether handing out is held back. Tasks are still taken in.
    paused: bool,
    /// Tasks that one process runs at a time.
    #[schema(minimum = 1, maximum = 10000)]
    slots: u32,
    /// Tasks that run at a time over all processes; null: no limit.
    #[schema(required, minimum = 1)]
    limit: Option<u32>,
    /// Tasks that are handed out in a time; null: no limit.
    #[schema(required, example = "500/s")]
    rate: Option<String>,
    /// Tasks that may wait; with so many, others are refused with 429. Null: no limit.
    #[schema(required, minimum = 1)]
    backlog: Option<u64>,
    /// Where each setting comes from.
    origin: QueueOrigin,
    /// How many tasks there are in each state.
    tasks: BTreeMap<String, u64>,
    /// How many can be handed out now.
    ready: u64,
    running: u64,
    /// How long the oldest of those waits that go next; null if none is ready.
    #[schema(required, example = "2s")]
    oldest_age: Option<String>,
}

/// Where the settings of a queue come from.
#[derive(ToSchema)]
pub(crate) struct QueueOrigin {
    slots: Origin,
    limit: Origin,
    rate: Origin,
    backlog: Origin,
}

/// Where a setting comes from: set through the API, configured, or neither.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum Origin {
    Api,
    Config,
    Default,
}

/// All queues.
#[derive(ToSchema)]
pub(crate) struct QueueList {
    /// By name.
    items: Vec<Queue>,
    /// Always null: all are on one page.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// What to set on a queue; null takes it back. Unknown fields are refused.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueueChange {
    /// Tasks that one process runs at a time.
    #[schema(minimum = 1, maximum = 10000)]
    slots: Option<u32>,
    /// Tasks that run at a time over all processes.
    #[schema(minimum = 1)]
    limit: Option<u32>,
    /// Tasks that are handed out in a time.
    #[schema(example = "500/s")]
    rate: Option<String>,
    /// Tasks that may wait; with so many, others are refused with 429.
    #[schema(minimum = 1)]
    backlog: Option<u64>,
}

/// What a purge did.
#[derive(ToSchema)]
pub(crate) struct Purged {
    /// How many tasks were cancelled.
    purged: u64,
}

/// A kind that is held back, or not.
#[derive(ToSchema)]
pub(crate) struct KindHeld {
    kind: String,
    paused: bool,
}

/// A tenant that is held back, or not.
#[derive(ToSchema)]
pub(crate) struct TenantHeld {
    tenant: String,
    paused: bool,
}

/// How much there is to do in a queue.
#[derive(ToSchema)]
pub(crate) struct Scaling {
    /// Tasks that can be handed out now.
    depth: u64,
    /// How long the oldest of those waits that go next; null if none is ready.
    #[schema(required, example = "2s")]
    oldest_age: Option<String>,
    /// Tasks that run.
    in_flight: u64,
    /// Processes whose slots all that fills, at most what the queue's `limit` keeps busy.
    wanted: u64,
}

/// The configuration: what it holds is up to the program.
#[derive(ToSchema)]
pub(crate) struct Config(BTreeMap<String, serde_json::Value>);

/// One line of the audit log.
#[derive(ToSchema)]
pub(crate) struct AuditLine {
    /// From 1, without gaps.
    number: u64,
    #[schema(format = DateTime)]
    at: String,
    by: String,
    tenant: String,
    /// Such as `cancel`, `retry`, `pause`, `configure`.
    act: String,
    /// What it was done to: a task's id, or a name.
    #[schema(required)]
    target: Option<String>,
    /// How that stood before; null if there is nothing to say.
    #[schema(value_type = Value)]
    before: serde_json::Value,
    /// How it stood afterwards.
    #[schema(value_type = Value)]
    after: serde_json::Value,
    /// How many tasks were touched.
    count: u64,
    /// SHA-256 over this line and the hash of the one before, in hex.
    hash: String,
}

/// A page of the audit log.
#[derive(ToSchema)]
pub(crate) struct AuditList {
    /// Newest first.
    items: Vec<AuditLine>,
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
    /// Of `handlers`: slots that are taken by handlers which do not yield.
    stuck: Option<u64>,
}

/// How the server and its parts are.
#[derive(ToSchema)]
pub(crate) struct Health {
    status: Health3,
    reason: Option<String>,
    /// By part: `store`, `handlers`, and every component that is not ready.
    details: BTreeMap<String, Part>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct IdParam {
    /// The task's id.
    #[param(format = "uuid")]
    id: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct QueueParam {
    /// The queue's name.
    #[param(example = "default")]
    queue: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct KindParam {
    /// The kind's name.
    #[param(example = "hello")]
    kind: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct TenantParam {
    /// Your own tenant's name.
    #[param(example = "default")]
    tenant: String,
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
    /// Only with this tag.
    tag: Option<String>,
    /// Only of this tenant; others than your own have nothing to show.
    tenant: Option<String>,
    /// Only accepted then: `gt:`, `gte:`, `lt:` or `lte:` and a time; repeated for both ends.
    #[param(example = "gt:2026-11-20T09:00:00Z")]
    created: Option<Vec<String>>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// So many at most.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// So many at most.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ErrorParam {
    /// Only those whose last error is of this class, or has this code.
    #[param(example = "bad_data")]
    error: Option<String>,
}

#[derive(IntoResponses)]
pub(crate) enum Refusals {
    /// Fields are wrong, or the body is not JSON; nothing was stored
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// A task of this id, or with this `unique` key, exists; `Location` is its path
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
pub(crate) enum BatchRefusals {
    /// No JSON array, too many items, or an `Idempotency-Key`; nothing was stored
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// The body did not arrive in time
    #[response(status = 408, content_type = "application/problem+json")]
    Slow(#[to_schema] Problem),
    /// The body is too large
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] Problem),
    /// The body is not JSON by its type, or of an unknown coding
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(#[to_schema] Problem),
    /// The outcome is unknown: repeat it if its items have keys
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
pub(crate) enum NotNow {
    /// The id is no UUID, or the body holds something
    #[response(status = 400, content_type = "application/problem+json")]
    BadId(#[to_schema] Problem),
    /// There is no such task
    #[response(status = 404, content_type = "application/problem+json")]
    NoTask(#[to_schema] Problem),
    /// Not possible in its present state, or its `unique` key is taken
    #[response(status = 409, content_type = "application/problem+json")]
    WrongState(#[to_schema] Problem),
    /// The outcome is unknown
    #[response(status = 500, content_type = "application/problem+json")]
    Unknown(#[to_schema] Problem),
    /// The store is unavailable
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
}

#[derive(IntoResponses)]
pub(crate) enum NoSuchName {
    /// A parameter, or the body of a call, holds something
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// There is nothing of that name
    #[response(status = 404, content_type = "application/problem+json")]
    NoName(#[to_schema] Problem),
    /// The store is unavailable
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
}

#[derive(IntoResponses)]
pub(crate) enum NotChanged {
    /// A setting is out of its range, or unknown
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// There is no such queue
    #[response(status = 404, content_type = "application/problem+json")]
    NoQueue(#[to_schema] Problem),
    /// The settings changed since they were read
    #[response(status = 412, content_type = "application/problem+json")]
    Changed(#[to_schema] Problem),
    /// The body is not JSON by its type, or of an unknown coding
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(#[to_schema] Problem),
    /// The store is unavailable
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
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
