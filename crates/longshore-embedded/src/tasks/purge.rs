//! Cancelling all that waits in a queue, batch by batch.
//!
//! It goes down from the newest task, so that children end before their parents and none fails
//! because of a purge that it is part of; and what comes in meanwhile stays.

use super::act::Done;
use super::desk::Desk;
use super::row::TaskRow;
use crate::audit;
use crate::error::Trouble;
use crate::memory::WAITING;
use crate::names::NameId;
use longshore_core::state::Cause;
use longshore_core::store::{Act, ActKind, Acted, BATCH};
use longshore_core::{QueueName, State, TenantName};

/// Tasks that one batch looks at, whatever they are: others are served in between.
const LOOKED_AT: i64 = 20_000;

impl Desk<'_> {
    /// Goes on with a purge below a place. A batch that cancels something leaves its own line in
    /// the audit log.
    pub(crate) fn purge_on(&mut self, act: &Act, below: i64) -> Result<Done, Trouble> {
        let ActKind::Purge(queue) = &act.what else { return Ok(Done::default()) };
        let done = self.purge(&act.tenant, queue, below)?;
        if done.acted.count > 0 {
            audit::note(self, act, &done)?;
        }
        Ok(done)
    }

    /// Cancels a batch of what waits below a place: for its time or another attempt, for others, or
    /// for a worker.
    pub(super) fn purge(
        &mut self,
        tenant: &TenantName,
        queue: &QueueName,
        below: i64,
    ) -> Result<Done, Trouble> {
        let (Some(tenant), Some(queue)) =
            (self.names.find(tenant.as_str()), self.names.find(queue.as_str()))
        else {
            return Ok(Done::default());
        };
        if self.memory.waiting_of(queue, tenant) == 0 {
            return Ok(Done::default());
        }
        let (waiting, rest) = self.waiting_below(queue, tenant, below)?;
        let mut acted = Acted::default();
        for seq in waiting {
            let Some(mut row) = TaskRow::load(self.db, seq)? else { continue };
            if matches!(row.state, State::Scheduled | State::Pending | State::Retrying) {
                acted.events.extend(self.end_waiting(&mut row, Cause::Discard, "purged")?);
                acted.count += 1;
            }
        }
        let rest = rest.filter(|_| self.memory.waiting_of(queue, tenant) > 0);
        Ok(Done { acted, rest, ..Done::default() })
    }

    /// Returns a batch of what waits, newest first, and the place below which to go on.
    fn waiting_below(
        &self,
        queue: NameId,
        tenant: NameId,
        below: i64,
    ) -> Result<(Vec<i64>, Option<i64>), Trouble> {
        let mut select = self.db.prepare_cached(
            "SELECT seq, state, queue, tenant FROM tasks WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2",
        )?;
        let mut rows = select.query((below, LOOKED_AT))?;
        let (mut waiting, mut last, mut looked_at) = (Vec::new(), None, 0);
        while let Some(row) = rows.next()? {
            last = Some(row.get(0)?);
            looked_at += 1;
            let waits = WAITING.contains(&row.get(1)?);
            if waits && row.get::<_, NameId>(2)? == queue && row.get::<_, NameId>(3)? == tenant {
                waiting.push(row.get(0)?);
                if waiting.len() == BATCH {
                    return Ok((waiting, last));
                }
            }
        }
        Ok((waiting, last.filter(|_| looked_at == LOOKED_AT)))
    }
}
