//! What has to be done from time to time, whoever does it.

use super::Result;
use crate::{Event, Timestamp};
use std::time::Duration;

/// How many tasks one call touches at most: a duty never holds the store for long.
pub const BATCH: usize = 1_000;

/// What an upkeep call did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moved {
    /// What happened, task by task.
    pub events: Vec<Event>,
    /// Whether there is more to do right now.
    pub more: bool,
    /// When there will be something to do next, if that is known.
    pub next: Option<Timestamp>,
}

/// How long ended tasks are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Successes, after their end.
    pub success: Duration,
    /// Failed, cancelled and expired ones, after their end.
    pub failed: Duration,
    /// The oldest successes go first when the store uses more than this.
    pub max_bytes: Option<u64>,
}

impl Default for Retention {
    /// 7 days and 90 days, no limit in bytes.
    fn default() -> Self {
        let day = Duration::from_secs(86_400);
        Self { success: 7 * day, failed: 90 * day, max_bytes: None }
    }
}

/// What pruning removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Ended tasks.
    pub tasks: u64,
    /// Idempotency and unique keys.
    pub keys: u64,
    /// Whether there is more to remove right now.
    pub more: bool,
}

/// Keeps things moving.
#[async_trait::async_trait]
pub trait Upkeep: Send + Sync {
    /// Makes tasks ready whose time has come. `next` is the earliest time still to come.
    async fn make_ready(&self) -> Result<Moved>;

    /// Takes back what is held under leases that have ended.
    async fn rescue(&self) -> Result<Moved>;

    /// Expires tasks that were not started in time.
    async fn expire(&self) -> Result<Moved>;

    /// Removes what has been kept long enough.
    async fn prune(&self, keep: &Retention) -> Result<Pruned>;
}
