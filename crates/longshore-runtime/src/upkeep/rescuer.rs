//! Takes back what is held under leases that have ended.

use super::Duty;
use crate::notify::Hub;
use longshore_core::store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(2);

/// The duty.
pub(crate) struct Rescuer {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hub: Arc<Hub>,
}

#[async_trait::async_trait]
impl Duty for Rescuer {
    fn name(&self) -> &'static str {
        "rescuer"
    }

    async fn step(&mut self) -> Result<Duration, StoreError> {
        let moved = self.store.rescue().await?;
        if !moved.events.is_empty() {
            tracing::warn!(tasks = moved.events.len(), "took back tasks whose lease had ended");
        }
        self.hub.emit_all(&moved.events);
        Ok(if moved.more { Duration::ZERO } else { EVERY })
    }
}
