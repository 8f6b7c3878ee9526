//! What is submitted, and what is answered to that.

use super::{Durability, FieldError, Status, Task};
use std::borrow::Cow;
use std::collections::BTreeMap;
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

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

/// What answers a `200`: the short form of the task that has an equal `unique` key, or with `wait` a
/// task that has ended.
///
/// Whatever is a task has the fields of the short form too: any of the two, not one of them.
pub(crate) struct TaskOrAccepted;

impl PartialSchema for TaskOrAccepted {
    fn schema() -> RefOr<Schema> {
        let of = |name: Cow<'_, str>| Ref::from_schema_name(name);
        let either = AnyOfBuilder::new().item(of(Task::name())).item(of(Accepted::name()));
        RefOr::T(Schema::AnyOf(either.build()))
    }
}

impl ToSchema for TaskOrAccepted {}

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

/// What a replayed task has of its own. Unknown fields are refused.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replay {
    /// What the handler is given. Default: what the old task was given.
    #[schema(value_type = Value, required = false)]
    payload: Option<serde_json::Value>,
}
