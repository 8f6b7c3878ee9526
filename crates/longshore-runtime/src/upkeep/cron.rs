//! Lets the slots of schedules fire when they come.

use super::Duty;
use crate::schedules::Schedules;
use longshore_core::Clock;
use longshore_core::store::StoreError;
use std::sync::Arc;
use std::time::Duration;

/// The longest sleep: the wall clock may jump, and other servers change schedules too.
const AT_MOST: Duration = Duration::from_secs(2);

/// The duty.
pub(crate) struct Cron {
    pub(crate) schedules: Arc<Schedules>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait::async_trait]
impl Duty for Cron {
    fn name(&self) -> &'static str {
        "cron"
    }

    async fn step(&mut self) -> Result<Duration, StoreError> {
        let next = self.schedules.fire_due().await?;
        Ok(next.map_or(AT_MOST, |next| next.since(self.clock.now()).min(AT_MOST)))
    }

    async fn woken(&mut self) {
        self.schedules.changed().await;
    }
}
