//! Expires tasks that were not started in time.

use super::{Duty, Leader};
use crate::notify::Hub;
use longshore_core::store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(500);

/// The duty.
pub(crate) struct Expiry {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) leader: Leader,
}

#[async_trait::async_trait]
impl Duty for Expiry {
    fn name(&self) -> &'static str {
        "expiry"
    }

    async fn step(&mut self) -> Result<Duration, StoreError> {
        if let Some(pause) = self.leader.wait().await? {
            return Ok(pause);
        }
        let moved = self.store.expire().await?;
        self.hub.emit_all(&moved.events);
        Ok(if moved.more { Duration::ZERO } else { EVERY })
    }
}
