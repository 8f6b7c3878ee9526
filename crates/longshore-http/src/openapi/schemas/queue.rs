//! Queues, and what is held back.

use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A queue.
#[derive(ToSchema)]
pub(crate) struct Queue {
    name: String,
    /// Whether handing out is held back. Tasks are still taken in.
    paused: bool,
    /// The broker that carries its tasks; null: the store itself hands them out.
    #[schema(required, example = "main")]
    carrier: Option<String>,
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
