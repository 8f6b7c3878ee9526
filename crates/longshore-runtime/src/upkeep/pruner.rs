//! Removes what has been kept long enough.

use super::{Duty, Leader};
use longshore_core::store::{Retention, Store, StoreError};
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(60);
/// Between two batches, so that pruning a long history does not slow down what is new.
const BETWEEN: Duration = Duration::from_millis(20);

/// The duty.
pub(crate) struct Pruner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keep: Retention,
    pub(crate) leader: Leader,
}

#[async_trait::async_trait]
impl Duty for Pruner {
    fn name(&self) -> &'static str {
        "pruner"
    }

    async fn step(&mut self) -> Result<Duration, StoreError> {
        if let Some(pause) = self.leader.wait().await? {
            return Ok(pause);
        }
        let pruned = self.store.prune(&self.keep).await?;
        if pruned.tasks > 0 {
            tracing::debug!(tasks = pruned.tasks, keys = pruned.keys, "pruned");
        }
        Ok(if pruned.more { BETWEEN } else { EVERY })
    }
}
