//! Schedules over the wire, described for the document; see [`super::schemas`].
#![expect(dead_code, reason = "these types exist for their descriptions alone")]

use super::schemas::{Accepted, Duration, Problem, Unique};
use std::collections::BTreeMap;
use utoipa::{IntoParams, IntoResponses, ToSchema};

/// A wish for a schedule: when, and the task that each slot submits. Unknown fields are refused.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSchedule {
    /// The schedule's id, if you want to choose it. Default: made by the server.
    #[schema(format = "uuid")]
    id: Option<String>,
    /// A name for people; the tasks have it too.
    #[schema(min_length = 2, max_length = 32)]
    name: Option<String>,
    /// Five fields (minute, hour, day of month, month, day of week), or six with the second first.
    #[schema(max_length = 256, example = "0 3 * * *")]
    cron: String,
    /// The time zone of these fields: an IANA name.
    #[schema(default = "UTC", example = "Europe/Berlin")]
    timezone: Option<String>,
    /// What becomes of slots that nobody was there for.
    #[schema(default = "one")]
    missed: Option<Missed>,
    /// Whether it makes nothing for the time being.
    #[schema(default = false)]
    paused: Option<bool>,
    /// What is to be done.
    #[schema(pattern = "^[a-z0-9][a-z0-9._-]{0,127}$", example = "hello")]
    kind: Option<String>,
    /// The same as `kind`.
    #[schema(deprecated)]
    r#type: Option<String>,
    /// The same as `kind`.
    #[schema(deprecated, rename = "taskType")]
    task_type: Option<String>,
    /// What the handler is given.
    #[schema(value_type = Value, required = false)]
    payload: Option<serde_json::Value>,
    /// Where the tasks wait. Default: the kind's queue.
    #[schema(pattern = "^[a-z0-9][a-z0-9._-]{0,127}$", example = "default")]
    queue: Option<String>,
    #[schema(minimum = 0, maximum = 9, default = 4)]
    priority: Option<i64>,
    #[schema(minimum = 1, maximum = 100)]
    max_attempts: Option<i64>,
    timeout: Option<Duration>,
    total_timeout: Option<Duration>,
    expires_in: Option<Duration>,
    #[schema(min_length = 1, max_length = 128)]
    order_key: Option<String>,
    unique: Option<Unique>,
    #[schema(max_items = 16)]
    tags: Option<Vec<String>>,
    /// At most 32.
    headers: Option<BTreeMap<String, String>>,
}

/// What was made: a task, or with `cron` a schedule.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum TaskOrSchedule {
    Task(Accepted),
    Schedule(Box<Schedule>),
}

/// What a schedule is to be from now on; null takes back what was set. Unknown fields are refused.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleChange {
    #[schema(min_length = 2, max_length = 32)]
    name: Option<String>,
    #[schema(max_length = 256, example = "0 3 * * *")]
    cron: Option<String>,
    #[schema(example = "Europe/Berlin")]
    timezone: Option<String>,
    missed: Option<Missed>,
    paused: Option<bool>,
    #[schema(pattern = "^[a-z0-9][a-z0-9._-]{0,127}$", example = "hello")]
    kind: Option<String>,
    #[schema(value_type = Value, required = false)]
    payload: Option<serde_json::Value>,
    #[schema(pattern = "^[a-z0-9][a-z0-9._-]{0,127}$", example = "default")]
    queue: Option<String>,
    #[schema(minimum = 0, maximum = 9)]
    priority: Option<i64>,
    #[schema(minimum = 1, maximum = 100)]
    max_attempts: Option<i64>,
    timeout: Option<Duration>,
    total_timeout: Option<Duration>,
    expires_in: Option<Duration>,
    #[schema(min_length = 1, max_length = 128)]
    order_key: Option<String>,
    unique: Option<Unique>,
    #[schema(max_items = 16)]
    tags: Option<Vec<String>>,
    headers: Option<BTreeMap<String, String>>,
}

/// What becomes of slots that nobody was there for: they are left out, one task stands for all, or each
/// makes its task.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum Missed {
    Skip,
    One,
    All,
}

/// Who a schedule comes from.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum ScheduleOrigin {
    Config,
    Api,
}

/// A schedule. Every field is there, null if nothing was said of it; lists leave out `payload`.
#[derive(ToSchema)]
pub(crate) struct Schedule {
    /// The same as `id`, in the answer to a request that made it.
    #[schema(format = "uuid")]
    schedule_id: Option<String>,
    #[schema(format = "uuid")]
    id: String,
    #[schema(required)]
    name: Option<String>,
    origin: ScheduleOrigin,
    /// Fields of a schedule of the configuration that were set through the API.
    overridden: Vec<String>,
    cron: String,
    timezone: String,
    missed: Missed,
    paused: bool,
    kind: String,
    /// What the handler is given; left out of lists.
    #[schema(value_type = Value, required = false)]
    payload: serde_json::Value,
    #[schema(required)]
    queue: Option<String>,
    #[schema(required)]
    priority: Option<i64>,
    #[schema(required)]
    max_attempts: Option<i64>,
    #[schema(required)]
    timeout: Option<String>,
    #[schema(required)]
    total_timeout: Option<String>,
    #[schema(required)]
    expires_in: Option<String>,
    #[schema(required)]
    order_key: Option<String>,
    #[schema(required)]
    unique: Option<Unique>,
    tags: Vec<String>,
    #[schema(required)]
    headers: Option<BTreeMap<String, String>>,
    /// The last slot that made a task, or was left out.
    #[schema(format = DateTime, required)]
    last_slot: Option<String>,
    /// The next slot; null while it is paused, and if there is none any more.
    #[schema(format = DateTime, required)]
    next_slot: Option<String>,
    /// Why its next slot would make no task as things stand.
    #[schema(required, example = "kind: is not a known kind")]
    problem: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    /// Grows with every change.
    version: u64,
}

/// A page of schedules.
#[derive(ToSchema)]
pub(crate) struct ScheduleList {
    /// By id.
    items: Vec<Schedule>,
    /// Where the next page begins; null at the end.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// A slot to come.
#[derive(ToSchema)]
pub(crate) struct Slot {
    #[schema(format = DateTime)]
    slot: String,
    /// As the clock of the schedule's zone shows it.
    #[schema(format = DateTime, example = "2026-10-25T02:30:00+02:00")]
    local: String,
}

/// Slots to come.
#[derive(ToSchema)]
pub(crate) struct SlotList {
    /// Earliest first.
    items: Vec<Slot>,
    /// Always null.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// What became of a schedule.
#[derive(ToSchema)]
pub(crate) struct Deleted {
    #[schema(format = "uuid")]
    id: String,
    deleted: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct ScheduleParam {
    /// The schedule's id.
    #[param(format = "uuid")]
    id: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NextParams {
    /// So many.
    #[param(minimum = 1, maximum = 100, default = 5)]
    count: Option<u32>,
}

#[derive(IntoResponses)]
pub(crate) enum NoSchedule {
    /// The id is no UUID, or a parameter or body holds something
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// There is no such schedule
    #[response(status = 404, content_type = "application/problem+json")]
    Nothing(#[to_schema] Problem),
    /// Somebody else changed it at the same time
    #[response(status = 412, content_type = "application/problem+json")]
    Changed(#[to_schema] Problem),
    /// The store is unavailable
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
}

#[derive(IntoResponses)]
pub(crate) enum NotChanged {
    /// A field is wrong, or unknown
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// There is no such schedule
    #[response(status = 404, content_type = "application/problem+json")]
    Nothing(#[to_schema] Problem),
    /// It has changed since it was read
    #[response(status = 412, content_type = "application/problem+json")]
    Changed(#[to_schema] Problem),
    /// The body is too large
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] Problem),
    /// The body is not JSON by its type, or of an unknown coding
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(#[to_schema] Problem),
    /// The store is unavailable
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
}

#[derive(IntoResponses)]
pub(crate) enum NotRun {
    /// The id is no UUID, or its task is not valid any more
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// There is no such schedule
    #[response(status = 404, content_type = "application/problem+json")]
    Nothing(#[to_schema] Problem),
    /// Its `unique` key is taken
    #[response(status = 409, content_type = "application/problem+json")]
    Taken(#[to_schema] Problem),
    /// The backlog is full
    #[response(status = 429, content_type = "application/problem+json")]
    Full(#[to_schema] Problem),
    /// The store is unavailable, or the server is stopping
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
}

#[derive(IntoResponses)]
pub(crate) enum NotDeleted {
    /// The id is no UUID, or the body holds something
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// There is no such schedule
    #[response(status = 404, content_type = "application/problem+json")]
    Nothing(#[to_schema] Problem),
    /// It comes from the configuration
    #[response(status = 409, content_type = "application/problem+json")]
    Configured(#[to_schema] Problem),
    /// It has changed since it was read
    #[response(status = 412, content_type = "application/problem+json")]
    Changed(#[to_schema] Problem),
    /// The store is unavailable
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
}
