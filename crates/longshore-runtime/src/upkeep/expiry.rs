//! Expires tasks that were not started in time.

use super::horizon::{Foresight, LATE};
use super::{Duty, Leader};
use crate::consumer::Context;
use crate::notify::Hub;
use longshore_core::Clock;
use longshore_core::store::{Store, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(500);

/// The duty.
pub(crate) struct Expiry {
    store: Arc<dyn Store>,
    hub: Arc<Hub>,
    clock: Arc<dyn Clock>,
    leader: Leader,
    ahead: Foresight,
}

impl Expiry {
    pub(crate) fn new(cx: &Context, leader: Leader) -> Self {
        let Context { store, hub, clock, horizon, .. } = cx;
        Self {
            store: store.clone(),
            hub: hub.clone(),
            clock: clock.clone(),
            leader,
            ahead: horizon.look_for(|agenda| agenda.expires),
        }
    }
}

#[async_trait::async_trait]
impl Duty for Expiry {
    fn name(&self) -> &'static str {
        "expiry"
    }

    async fn step(&mut self) -> Result<Duration, StoreError> {
        let wait = self.leader.wait().await?;
        let grace = if wait.is_some() { LATE } else { Duration::ZERO };
        match (self.ahead.next(), wait) {
            (Some(Some(next)), _) if next.after(grace) <= self.clock.now() => {}
            (None, None) => {}
            (_, wait) => return Ok(wait.unwrap_or(EVERY)),
        }
        let asked = Instant::now();
        let moved = self.store.expire().await?;
        self.ahead.note(asked, moved.next);
        self.hub.emit_all(&moved.events);
        Ok(if moved.more { Duration::ZERO } else { EVERY })
    }
}
