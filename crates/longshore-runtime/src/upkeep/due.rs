//! Makes tasks ready whose time has come.

use super::horizon::{Foresight, LATE};
use super::{Duty, Leader};
use crate::consumer::Context;
use crate::notify::Hub;
use longshore_core::store::{Store, StoreError};
use longshore_core::{Clock, Timestamp};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The longest sleep: the wall clock may jump.
const AT_MOST: Duration = Duration::from_secs(1);

/// Tells the duty that something is due earlier than it thinks.
#[derive(Debug, Clone)]
pub struct Nudge(watch::Sender<Option<Timestamp>>);

impl Default for Nudge {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Nudge {
    /// Something is due at that time.
    pub fn due(&self, at: Timestamp) {
        self.0.send_if_modified(|next| {
            let earlier = next.is_none_or(|next| at < next);
            if earlier {
                *next = Some(at);
            }
            earlier
        });
    }
}

/// The duty.
pub(crate) struct Due {
    store: Arc<dyn Store>,
    hub: Arc<Hub>,
    clock: Arc<dyn Clock>,
    nudge: Nudge,
    leader: Leader,
    nudged: watch::Receiver<Option<Timestamp>>,
    ahead: Foresight,
}

impl Due {
    pub(crate) fn new(cx: &Context, leader: Leader) -> Self {
        let Context { store, hub, clock, nudge, horizon, .. } = cx;
        Self {
            store: store.clone(),
            hub: hub.clone(),
            clock: clock.clone(),
            nudge: nudge.clone(),
            leader,
            nudged: nudge.0.subscribe(),
            ahead: horizon.look_for(|agenda| agenda.due),
        }
    }

    /// Returns nothing if the store may have something that is due and this server is to see to it; else how
    /// long to wait.
    async fn rest(&self) -> Result<Option<Duration>, StoreError> {
        let wait = self.leader.wait().await?;
        let grace = if wait.is_some() { LATE } else { Duration::ZERO };
        Ok(match (self.ahead.next(), wait) {
            (Some(Some(next)), _) if next.after(grace) <= self.clock.now() => None,
            (Some(next), None) => Some(self.pause_until(next)),
            (None, None) => None,
            (Some(_) | None, Some(wait)) => Some(wait),
        })
    }

    fn pause_until(&self, next: Option<Timestamp>) -> Duration {
        next.map_or(AT_MOST, |next| next.since(self.clock.now()).min(AT_MOST))
    }
}

#[async_trait::async_trait]
impl Duty for Due {
    fn name(&self) -> &'static str {
        "due"
    }

    async fn step(&mut self) -> Result<Duration, StoreError> {
        // What is nudged from here on may be missed by this step, so it is kept for the next.
        let nudged = self.nudge.0.send_replace(None);
        self.nudged.mark_unchanged();
        // What this server itself has put off it makes ready itself, to the millisecond.
        if nudged.is_none_or(|at| at > self.clock.now())
            && let Some(pause) = self.rest().await?
        {
            if let Some(at) = nudged {
                self.nudge.due(at);
            }
            return Ok(self.pause_until(nudged).min(pause));
        }
        let asked = Instant::now();
        let moved = self.store.make_ready().await?;
        self.ahead.note(asked, moved.next);
        self.hub.emit_all(&moved.events);
        Ok(if moved.more { Duration::ZERO } else { self.pause_until(moved.next) })
    }

    async fn woken(&mut self) {
        let mut pause = AT_MOST;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => return,
                () = self.ahead.changed() => return,
                changed = self.nudged.changed() => {
                    if changed.is_err() {
                        return std::future::pending().await;
                    }
                }
            }
            let next = *self.nudged.borrow();
            pause = self.pause_until(next);
        }
    }
}
