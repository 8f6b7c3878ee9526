//! Takes back what is held under leases that have ended.

use super::horizon::{Foresight, Seen};
use super::{Duty, Horizon};
use crate::consumer::Context;
use crate::notify::Hub;
use longshore_core::store::{Store, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(2);

/// The duty.
pub(crate) struct Rescuer {
    store: Arc<dyn Store>,
    hub: Arc<Hub>,
    horizon: Horizon,
    ahead: Foresight,
    asked: Option<Instant>,
}

impl Rescuer {
    pub(crate) fn new(cx: &Context) -> Self {
        let Context { store, hub, horizon, .. } = cx;
        Self {
            store: store.clone(),
            hub: hub.clone(),
            horizon: horizon.clone(),
            ahead: horizon.look_for(|_| None),
            asked: None,
        }
    }

    /// Whether it is known that there is nothing to take back, or that what was seen has been seen to.
    fn is_calm(&self) -> bool {
        let is_done = |seen: Seen| self.asked.is_some_and(|asked| asked > seen.asked);
        self.horizon.seen().is_some_and(|seen| !seen.agenda.abandoned || is_done(seen))
    }
}

#[async_trait::async_trait]
impl Duty for Rescuer {
    fn name(&self) -> &'static str {
        "rescuer"
    }

    async fn step(&mut self) -> Result<Duration, StoreError> {
        if self.is_calm() {
            return Ok(EVERY);
        }
        let asked = Instant::now();
        let moved = self.store.rescue().await?;
        if !moved.events.is_empty() {
            tracing::warn!(tasks = moved.events.len(), "took back tasks whose lease had ended");
        }
        self.hub.emit_all(&moved.events);
        if moved.more {
            return Ok(Duration::ZERO);
        }
        self.asked = Some(asked);
        Ok(EVERY)
    }

    async fn woken(&mut self) {
        self.ahead.changed().await;
    }
}
