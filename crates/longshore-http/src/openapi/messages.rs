//! Messages and their consumers over the wire, described for the document; see [`super::schemas`].
#![expect(dead_code, reason = "these types exist for their descriptions alone")]

use super::schemas::{Duration, Problem};
use std::collections::BTreeMap;
use utoipa::{IntoParams, IntoResponses, ToSchema};

/// A message that is to be published. Unknown fields are refused.
#[derive(ToSchema)]
#[schema(examples(json!({"payload": {"order": 42}, "key": "customer 7", "headers": {"region": "eu"}})))]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMessage {
    /// What is sent, byte for byte as it is written here. Required, unless there is `payload_base64`.
    #[schema(value_type = Value, required = false)]
    payload: Option<serde_json::Value>,
    /// In its place: any bytes.
    #[schema(format = Byte)]
    payload_base64: Option<String>,
    /// Messages of one key are in order, where the broker keeps any.
    #[schema(min_length = 1, max_length = 128)]
    key: Option<String>,
    /// At most 32; names that begin with `ls-`, `nats-` or `x-`, and those that steer brokers, are refused.
    headers: Option<BTreeMap<String, String>>,
    /// Identifies the message: who gets two of one id has a duplicate. Default: a new UUID.
    #[schema(min_length = 1, max_length = 128)]
    id: Option<String>,
    /// The media type of the payload. Default: that of JSON; of `payload_base64` none.
    #[schema(min_length = 1, max_length = 128)]
    content_type: Option<String>,
}

/// A message, or an array of at most 1,000.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum Messages {
    One(Box<NewMessage>),
    Many(Vec<NewMessage>),
}

/// What became of each message, in order.
#[derive(ToSchema)]
pub(crate) struct Published {
    items: Vec<PublishedItem>,
}

/// A message that was published, or why it was not.
#[derive(ToSchema)]
pub(crate) struct PublishedItem {
    id: String,
    /// The code of the error; confirmed ones have none.
    code: Option<u32>,
    /// What happened.
    message: Option<String>,
}

#[derive(IntoResponses)]
pub(crate) enum NotPublished {
    /// A field is wrong, the body is not JSON, or an `Idempotency-Key` without `outbox`; nothing was published
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// There is no such broker
    #[response(status = 404, content_type = "application/problem+json")]
    NoBroker(#[to_schema] Problem),
    /// The body, or a message, is too large, for this server or for the broker
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] Problem),
    /// The body is not JSON by its type, or of an unknown coding
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(#[to_schema] Problem),
    /// Nobody would receive it, or the idempotency key was used with another body
    #[response(status = 422, content_type = "application/problem+json")]
    Unroutable(#[to_schema] Problem),
    /// The broker refuses it
    #[response(status = 502, content_type = "application/problem+json")]
    Refused(#[to_schema] Problem),
    /// The broker is unavailable, or did not confirm in time; see `Retry-After`
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
    /// With `outbox`: the store is full
    #[response(status = 507, content_type = "application/problem+json")]
    Full(#[to_schema] Problem),
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct ConsumerParam {
    /// The consumer's name.
    #[param(example = "shipping")]
    name: String,
}

/// A consumer of messages.
#[derive(ToSchema)]
pub(crate) struct Consumer {
    name: String,
    broker: String,
    /// Patterns: `*` stands for one word, `#` for any number of them.
    topics: Vec<String>,
    /// A broadcast has none.
    #[schema(required)]
    group: Option<String>,
    mode: Mode,
    concurrency: Concurrency,
    /// So many messages may be unsettled.
    prefetch: u64,
    decode: Decode,
    max_attempts: u32,
    timeout: Duration,
    /// The group that gets the dead letters; a broadcast has none.
    #[schema(required)]
    dead_letter: Option<String>,
    state: ConsumerState,
    /// Why it does not receive.
    #[schema(required)]
    reason: Option<String>,
    #[schema(format = DateTime)]
    since: String,
    /// How many of its handlers run.
    running: u64,
    /// An operator has paused it.
    paused: bool,
    /// How its group stands in the broker, if that says so; not in lists.
    waiting: Option<GroupStats>,
}

/// How many handlers run at once.
#[derive(ToSchema)]
pub(crate) struct Concurrency {
    parallel: u32,
}

/// Who gets which messages.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Mode {
    Compete,
    SingleActive,
    Broadcast,
}

/// How payloads are read.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Decode {
    Json,
    Text,
    Bytes,
}

/// How a consumer is. `refused`: its policy cannot be kept on this broker.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum ConsumerState {
    Idle,
    Waiting,
    Running,
    Paused,
    Refused,
    Draining,
}

/// How a group stands in the broker; null where it does not tell.
#[derive(ToSchema)]
pub(crate) struct GroupStats {
    ready: u64,
    #[schema(required)]
    in_flight: Option<u64>,
    #[schema(required)]
    consumers: Option<u64>,
    #[schema(required)]
    oldest_age: Option<Duration>,
}

/// All consumers.
#[derive(ToSchema)]
pub(crate) struct ConsumerList {
    items: Vec<Consumer>,
    /// Always null: there is one page.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// How a consumer's policy is kept, or why it cannot be.
#[derive(ToSchema)]
pub(crate) struct Explanation {
    name: String,
    broker: String,
    verdict: Verdict,
    /// Which server it was planned for.
    #[schema(required)]
    server: Option<String>,
    lines: Vec<PlanLine>,
    refusals: Vec<PlanRefusal>,
    /// Why the consumer does not receive.
    #[schema(required)]
    reason: Option<String>,
}

/// Whether it can be kept; `unknown` before the broker was there.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Planned,
    Refused,
    Unknown,
}

/// How one thing is done.
#[derive(ToSchema)]
pub(crate) struct PlanLine {
    #[schema(example = "retry")]
    about: String,
    how: String,
    done: Done,
}

/// Who does it: the broker, the runtime, or nobody.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Done {
    Native,
    Supplied,
    Limit,
}

/// Something that the broker cannot keep.
#[derive(ToSchema)]
pub(crate) struct PlanRefusal {
    /// The key of the configuration.
    #[schema(example = "retry")]
    key: String,
    why: String,
    fix: String,
}
