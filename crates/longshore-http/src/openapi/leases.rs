//! What workers send and are sent, described for the document.
#![expect(dead_code, reason = "these types exist for their descriptions alone")]

use super::schemas::{Duration, Problem};
use std::collections::BTreeMap;
use utoipa::{IntoParams, IntoResponses, ToSchema};

/// What a worker has room for. Unknown fields are refused.
#[derive(ToSchema)]
#[schema(examples(json!({"kinds": ["image.resize"], "max": 10, "wait": "20s", "worker": "w1"})))]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    /// The kinds that it runs.
    #[schema(min_items = 1, max_items = 100, example = json!(["image.resize"]))]
    kinds: Vec<String>,
    /// From these queues. Default: `default`.
    #[schema(max_items = 100)]
    queues: Option<Vec<String>>,
    /// At most so many tasks.
    #[schema(minimum = 1, maximum = 1000, default = 1)]
    max: Option<i64>,
    /// How long to wait for the first task, at most a minute. Default: not at all.
    wait: Option<Duration>,
    /// The worker's name; best a new one whenever it starts.
    #[schema(min_length = 1, max_length = 128)]
    worker: String,
    /// How long it holds a task without another word, 5s to 24h. Default: the task's timeout and 10 s.
    lease: Option<Duration>,
}

/// Tasks under leases.
#[derive(ToSchema)]
pub(crate) struct Tasks {
    tasks: Vec<Leased>,
}

/// A task under a lease.
#[derive(ToSchema)]
pub(crate) struct Leased {
    #[schema(format = "uuid")]
    id: String,
    kind: String,
    queue: String,
    /// As it was sent, byte for byte.
    #[schema(value_type = Value)]
    payload: serde_json::Value,
    /// From 1.
    attempt: u32,
    max_attempts: u32,
    /// Names the lease in the calls that follow.
    lease: String,
    /// The fencing token: it grows with every opening. A target that refuses smaller ones is safe from
    /// workers that were given up.
    token: String,
    headers: BTreeMap<String, String>,
    /// The W3C trace context of whoever submitted the task.
    traceparent: Option<String>,
    /// When the attempt's time is up.
    #[schema(format = DateTime)]
    deadline: String,
    /// When the lease ends, unless it is extended.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// What came of it.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Complete {
    /// Any JSON, shown as the task's result.
    #[schema(value_type = Value)]
    result: Option<serde_json::Value>,
}

/// Why it failed.
#[derive(ToSchema)]
#[schema(examples(json!({"error": {"class": "dependency", "message": "no answer"}, "retry_in": "30s"})))]
#[serde(deny_unknown_fields)]
pub(crate) struct Fail {
    /// What went wrong.
    error: Option<Fault>,
    /// The pause before the next attempt, at most 24h. Default: as the kind says.
    retry_in: Option<Duration>,
}

/// What went wrong: a sentence, or more than that.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum Fault {
    /// A sentence.
    Text(String),
    /// A sentence and what kind of failure it is.
    Whole(WholeFault),
}

/// What went wrong.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WholeFault {
    /// How it is treated. `bad_data` goes straight to the dead letters.
    #[schema(default = "transient")]
    class: Option<FaultClass>,
    /// The worker's own code.
    code: Option<String>,
    /// One sentence; its first 1,024 characters are kept.
    message: Option<String>,
    /// The worker's own trace; its first 8,192 characters are kept.
    trace: Option<String>,
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
}

/// A sign of life.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extend {
    /// Any JSON of at most 4 KiB, shown as the task's progress.
    #[schema(value_type = Value)]
    progress: Option<serde_json::Value>,
    /// How long it is held from now on, 5s to 24h. Default: as long as before.
    lease: Option<Duration>,
}

/// Whether it is held on.
#[derive(ToSchema)]
pub(crate) struct Held {
    /// Whether somebody cancelled the task.
    cancel: bool,
    /// When the lease ends, unless it is extended again.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// Where the task stands now.
#[derive(ToSchema)]
pub(crate) struct Ended {
    #[schema(format = "uuid")]
    id: String,
    status: super::schemas::Status,
    /// When it is due again, if it is.
    #[schema(format = DateTime)]
    run_at: Option<String>,
}

/// The lease in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct LeaseParam {
    /// The `lease` that came with the task.
    lease: String,
}

/// What may go wrong with a lease.
#[derive(IntoResponses)]
pub(crate) enum Late {
    /// The lease is not held any more: nothing was changed
    #[response(status = 409, content_type = "application/problem+json")]
    Over(Problem),
    /// Something is wrong with the request; `errors` names each field
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(Problem),
    /// The store is away; try again
    #[response(status = 503, content_type = "application/problem+json")]
    Away(Problem),
}

/// The workers.
#[derive(ToSchema)]
pub(crate) struct Workers {
    items: Vec<Worker>,
    /// Always null: all are on one page.
    next_cursor: Option<String>,
}

/// A process that runs tasks.
#[derive(ToSchema)]
pub(crate) struct Worker {
    /// Its name: no two incarnations of a server have the same.
    worker: String,
    host: String,
    /// Its number there; 0 for workers outside.
    pid: u32,
    version: String,
    /// `lost`: silent for longer than it had said.
    status: WorkerStatus,
    #[schema(format = DateTime)]
    started_at: String,
    #[schema(format = DateTime)]
    seen_at: String,
    /// How long ago it was heard of.
    heartbeat_age: Duration,
    kinds: Vec<String>,
    /// Its slots, by queue.
    queues: Vec<WorkerQueue>,
    /// All its slots.
    slots: Slots,
    /// Ids of some of the tasks that it runs, at most 100.
    tasks: Vec<String>,
}

/// What a worker does.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum WorkerStatus {
    Active,
    Draining,
    Lost,
}

/// A worker's slots of a queue.
#[derive(ToSchema)]
pub(crate) struct WorkerQueue {
    queue: String,
    used: u32,
    free: u32,
}

/// Slots.
#[derive(ToSchema)]
pub(crate) struct Slots {
    used: u32,
    free: u32,
}

/// A worker that begins nothing new.
#[derive(ToSchema)]
pub(crate) struct Drained {
    worker: String,
    draining: bool,
}
