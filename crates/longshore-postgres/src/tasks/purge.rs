//! Cancelling all that waits in a queue, batch by batch.
//!
//! It goes down from the newest task, so that most children end before their parents; those that lie lower are cut loose first,
//! so that none fails because of a batch that it is part of. What comes in behind the first batch meanwhile stays.

use super::act::Done;
use super::desk::Desk;
use crate::audit;
use crate::error::Trouble;
use longshore_core::state::Cause;
use longshore_core::store::{Act, ActKind, Acted, BATCH};
use longshore_core::{QueueName, State, TenantName};

/// Tasks that one batch looks at, whatever they are: others are served in between.
const LOOKED_AT: i64 = 20_000;

impl Desk<'_> {
    /// Goes on with a purge below a place. A batch that cancels something leaves its own line in
    /// the audit log.
    pub(crate) async fn purge_on(&mut self, act: &Act, below: i64) -> Result<Done, Trouble> {
        let ActKind::Purge(queue) = &act.what else { return Ok(Done::default()) };
        let done = self.purge(&act.tenant, queue, below).await?;
        if done.acted.count > 0 {
            audit::note(self, act, &done).await?;
        }
        Ok(done)
    }

    /// Cancels a batch of what waits below a place: for its time or another attempt, for others, or
    /// for a worker.
    pub(super) async fn purge(
        &mut self,
        tenant: &TenantName,
        queue: &QueueName,
        below: i64,
    ) -> Result<Done, Trouble> {
        if self.waiting_of(queue, tenant).await? <= 0 {
            return Ok(Done::default());
        }
        let (waiting, rest) = self.waiting_below(queue, tenant, below).await?;
        let ascending: Vec<i64> = waiting.iter().rev().copied().collect();
        self.lock_rows(&ascending).await?;
        // A child is purged for itself, wherever it lies, not failed because its parent was.
        self.cut_loose(&ascending).await?;
        let mut acted = Acted::default();
        for seq in waiting {
            let Some(mut row) = self.load(seq).await? else { continue };
            if matches!(row.state, State::Scheduled | State::Pending | State::Retrying) {
                acted.events.extend(self.end_waiting(&mut row, Cause::Discard, "purged").await?);
                acted.count += 1;
            }
        }
        Ok(Done { acted, rest, ..Done::default() })
    }

    async fn waiting_of(&self, queue: &QueueName, tenant: &TenantName) -> Result<i64, Trouble> {
        let row = self
            .row(
                "SELECT coalesce(sum(n), 0)::int8 FROM counts
                 WHERE queue = $1 AND tenant = $2 AND state IN (0, 1, 3)",
                &[&queue.as_str(), &tenant.as_str()],
            )
            .await?;
        Ok(row.map_or(Ok(0), |row| row.try_get(0))?)
    }

    /// Returns a batch of what waits, newest first, and the place below which to go on.
    async fn waiting_below(
        &self,
        queue: &QueueName,
        tenant: &TenantName,
        below: i64,
    ) -> Result<(Vec<i64>, Option<i64>), Trouble> {
        let batch = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let rows = self
            .rows(
                "WITH looked AS MATERIALIZED (
                     SELECT seq, state, queue, tenant FROM tasks WHERE seq < $1 ORDER BY seq DESC LIMIT $2
                 )
                 SELECT seq, true FROM (
                     SELECT seq FROM looked WHERE state IN (0, 1, 3) AND queue = $3 AND tenant = $4
                     ORDER BY seq DESC LIMIT $5) AS found
                 UNION ALL
                 SELECT min(seq), false FROM looked HAVING count(*) = $2",
                &[&below, &LOOKED_AT, &queue.as_str(), &tenant.as_str(), &batch],
            )
            .await?;
        let (mut waiting, mut last) = (Vec::new(), None);
        for row in &rows {
            if row.try_get(1)? {
                waiting.push(row.try_get::<_, i64>(0)?);
            } else {
                last = row.try_get(0)?;
            }
        }
        waiting.sort_unstable_by(|a, b| b.cmp(a));
        let rest = if waiting.len() == BATCH { waiting.last().copied() } else { last };
        Ok((waiting, rest))
    }
}
