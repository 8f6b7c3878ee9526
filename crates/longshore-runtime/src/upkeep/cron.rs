//! Lets the slots of schedules fire when they come.

use super::horizon::Foresight;
use super::{Duty, Horizon};
use crate::schedules::Schedules;
use longshore_core::Clock;
use longshore_core::store::StoreError;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest sleep: the wall clock may jump, and other servers change schedules too.
const AT_MOST: Duration = Duration::from_secs(2);

/// The duty.
pub(crate) struct Cron {
    schedules: Arc<Schedules>,
    clock: Arc<dyn Clock>,
    ahead: Foresight,
    /// A schedule was changed here since it was last asked.
    is_changed: bool,
}

impl Cron {
    pub(crate) fn new(schedules: Arc<Schedules>, clock: Arc<dyn Clock>, horizon: &Horizon) -> Self {
        let ahead = horizon.look_for(|agenda| agenda.slot);
        Self { schedules, clock, ahead, is_changed: false }
    }
}

#[async_trait::async_trait]
impl Duty for Cron {
    fn name(&self) -> &'static str {
        "cron"
    }

    async fn step(&mut self) -> Result<Duration, StoreError> {
        let now = self.clock.now();
        let next = match self.ahead.next() {
            Some(next) if !self.is_changed && next.is_none_or(|next| next > now) => next,
            _ => {
                let asked = Instant::now();
                self.is_changed = false;
                let fired = self.schedules.fire_due().await;
                // What failed is asked again.
                self.is_changed = fired.is_err();
                let next = fired?;
                self.ahead.note(asked, next);
                next
            }
        };
        Ok(next.map_or(AT_MOST, |next| next.since(self.clock.now()).min(AT_MOST)))
    }

    async fn woken(&mut self) {
        tokio::select! {
            () = self.schedules.changed() => self.is_changed = true,
            () = self.ahead.changed() => {}
        }
    }
}
