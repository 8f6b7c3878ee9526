//! The heartbeat.

use super::desk::{Desk, millis};
use crate::error::Trouble;
use longshore_core::store::{Extend, LeaseState};

impl Desk<'_> {
    /// Renews one lease, if it is still held.
    pub(crate) fn extend(&mut self, extend: &Extend) -> Result<LeaseState, Trouble> {
        let seq = extend.lease.seq.0;
        let (tick, now) = (self.tick, self.now);
        let held = self.memory.held.get_mut(&seq);
        let Some(held) =
            held.filter(|held| held.token == extend.lease.token && held.id == extend.lease.id)
        else {
            return Ok(LeaseState::Lost);
        };
        let mut expires_at = None;
        let mut longer = None;
        if let Some((until, lasts)) = &mut held.lease {
            if let Some(asked) = extend.lasts {
                *lasts = asked;
                longer = Some(asked);
            }
            *until = tick.saturating_add(*lasts);
            expires_at = Some(now.after(*lasts));
        }
        let cancel_asked = held.cancel_until.is_some();
        if let Some(lasts) = longer {
            let mut update =
                self.db.prepare_cached("UPDATE tasks SET lease = ?2 WHERE seq = ?1")?;
            update.execute((seq, millis(lasts)))?;
        }
        if let Some(progress) = &extend.progress {
            let mut update =
                self.db.prepare_cached("UPDATE tasks SET progress = ?2 WHERE seq = ?1")?;
            update.execute((seq, progress.as_str()))?;
        }
        Ok(LeaseState::Held { cancel_asked, expires_at })
    }
}
