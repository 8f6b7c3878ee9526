//! The server itself: how it is, what it is set to, who did what.

use std::collections::BTreeMap;
use utoipa::ToSchema;

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
    /// Of `broker.NAME`: `connecting`, `up`, `blocked`, `lost`, `given_up`, `closed`; of `consumer.NAME`: see consumers.
    #[schema(example = "up")]
    state: Option<String>,
    #[schema(format = DateTime)]
    since: Option<String>,
    /// Of a broker that is up.
    #[schema(example = "127.0.0.1:5672, RabbitMQ 3.10.8")]
    server: Option<String>,
    /// How often its connection came back.
    reconnects: Option<u64>,
    /// Messages that were published and not confirmed yet.
    unconfirmed: Option<u64>,
    /// Of a consumer: handlers that run.
    running: Option<u64>,
}

/// How the server and its parts are.
#[derive(ToSchema)]
pub(crate) struct Health {
    status: Health3,
    reason: Option<String>,
    /// By part: `store`, `handlers`, each `broker.NAME` and `consumer.NAME`, and every component that is not ready. A broker
    /// or consumer that is away makes the whole DEGRADED at most.
    details: BTreeMap<String, Part>,
}
