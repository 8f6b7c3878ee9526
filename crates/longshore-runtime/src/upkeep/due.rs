//! Makes tasks ready whose time has come.

use super::{Duty, Leader};
use crate::notify::Hub;
use longshore_core::store::{Store, StoreError};
use longshore_core::{Clock, Timestamp};
use std::sync::Arc;
use std::time::Duration;
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
}

impl Due {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        hub: Arc<Hub>,
        clock: Arc<dyn Clock>,
        nudge: Nudge,
        leader: Leader,
    ) -> Self {
        let nudged = nudge.0.subscribe();
        Self { store, hub, clock, nudge, leader, nudged }
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
            && let Some(pause) = self.leader.wait().await?
        {
            if let Some(at) = nudged {
                self.nudge.due(at);
            }
            return Ok(self.pause_until(nudged).min(pause));
        }
        let moved = self.store.make_ready().await?;
        self.hub.emit_all(&moved.events);
        Ok(if moved.more { Duration::ZERO } else { self.pause_until(moved.next) })
    }

    async fn woken(&mut self) {
        let mut pause = AT_MOST;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => return,
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
