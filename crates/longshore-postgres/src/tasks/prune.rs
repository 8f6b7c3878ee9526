//! Removing what has been kept long enough.
//!
//! A sweep goes through the tasks by their places, which are about the order of accepting, and stops where both are younger than
//! the shortest retention, for no task ends before it was accepted. What is exempt is passed
//! over by the cursor, so it starves nothing behind it.

use super::desk::{Desk, millis};
use super::marks::ROW_BYTES;
use super::sort::Sort;
use super::spec::Spec;
use crate::error::Trouble;
use longshore_core::State;
use longshore_core::store::{BATCH, KIND_KEPT, Pruned, Retention};
use longshore_core::task::{Seq, time_of};

/// How far sweeps have come.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct PruneCursor(i64);

impl Desk<'_> {
    /// Removes one batch.
    pub(crate) async fn prune(
        &mut self,
        keep: &Retention,
        cursor: &mut PruneCursor,
    ) -> Result<Pruned, Trouble> {
        let mut pruned = self.prune_by_age(keep, cursor).await?;
        if let Some(max) = keep.max_bytes {
            self.prune_by_bytes(max, &mut pruned).await?;
        }
        pruned.keys = self.prune_keys().await?;
        pruned.more |= pruned.keys == BATCH as u64;
        let forgotten = self.now.0.saturating_sub(millis(KIND_KEPT));
        self.execute("DELETE FROM kinds WHERE seen_at < $1", &[&forgotten]).await?;
        Ok(pruned)
    }

    async fn prune_by_age(
        &mut self,
        keep: &Retention,
        cursor: &mut PruneCursor,
    ) -> Result<Pruned, Trouble> {
        let cutoff = |kept| self.now.0.saturating_sub(millis(kept));
        let (success, failed) = (cutoff(keep.success), cutoff(keep.failed));
        let rows = self
            .rows(
                "SELECT seq, state, finished_at, created_at FROM tasks WHERE seq > $1 ORDER BY seq LIMIT $2",
                &[&cursor.0, &(BATCH as i64)],
            )
            .await?;
        let (mut old, mut young, mut last) = (Vec::new(), true, 0);
        for row in &rows {
            let state: i16 = row.try_get(1)?;
            let until = if state == State::Success as i16 { success } else { failed };
            last = row.try_get(0)?;
            if row.try_get::<_, Option<i64>>(2)?.is_some_and(|at| at <= until) {
                old.push(last);
            }
            // Where a whole batch is too young, everything behind it is; a clock that was set back makes
            // single ones look young, and an id that somebody chose may lie among older ones.
            let youngest = success.max(failed);
            young &= row.try_get::<_, i64>(3)? > youngest
                && time_of(Seq(last)).is_none_or(|at| at.0 > youngest);
        }
        let mut pruned = Pruned { more: rows.len() == BATCH && !young, ..Pruned::default() };
        cursor.0 = if pruned.more { last } else { 0 };
        pruned.tasks = self.remove(&old, success, failed).await?;
        Ok(pruned)
    }

    async fn prune_by_bytes(&mut self, max: u64, pruned: &mut Pruned) -> Result<(), Trouble> {
        let used = self.used_bytes().await?;
        let Some(mut over) = used.checked_sub(max).filter(|over| *over > 0) else { return Ok(()) };
        let rows = self
            .rows(
                "SELECT seq, octet_length(payload) + coalesce(octet_length(result), 0) FROM tasks
                 WHERE state = 4 ORDER BY seq LIMIT $1",
                &[&(BATCH as i64)],
            )
            .await?;
        let mut oldest = Vec::new();
        for row in &rows {
            if over == 0 {
                break;
            }
            oldest.push(row.try_get::<_, i64>(0)?);
            let bytes = ROW_BYTES + i64::from(row.try_get::<_, i32>(1)?);
            over = over.saturating_sub(bytes.unsigned_abs());
        }
        pruned.more |= over > 0 && !oldest.is_empty();
        pruned.tasks += self.remove(&oldest, i64::MAX, i64::MIN).await?;
        Ok(())
    }

    /// Returns the bytes that tasks use.
    pub(crate) async fn used_bytes(&self) -> Result<u64, Trouble> {
        let row = self.row("SELECT coalesce(sum(bytes), 0)::int8 FROM counts", &[]).await?;
        let bytes: i64 = row.map_or(Ok(0), |row| row.try_get(0))?;
        let changed: i64 = self.marks.bytes();
        Ok((bytes + changed).max(0).unsigned_abs())
    }

    /// The same, and a write is served now: else this fails.
    pub(crate) async fn used_bytes_by_a_write(&mut self) -> Result<u64, Trouble> {
        let row = self
            .row(
                "WITH written AS (UPDATE format SET version = version)
                 SELECT coalesce(sum(bytes), 0)::int8 FROM counts",
                &[],
            )
            .await?;
        self.after.is_written = true;
        Ok(row.map_or(Ok(0), |row| row.try_get::<_, i64>(0))?.max(0).unsigned_abs())
    }

    /// Removes what is still as old as it was seen to be.
    async fn remove(&mut self, old: &[i64], success: i64, failed: i64) -> Result<u64, Trouble> {
        if old.is_empty() {
            return Ok(0);
        }
        let rows = self
            .rows(
                "DELETE FROM tasks WHERE seq = ANY($1)
                   AND (state = 4 AND finished_at <= $2 OR state > 4 AND finished_at <= $3)
                 RETURNING tenant, queue, kind, state, seq, id, spec,
                     octet_length(payload) + coalesce(octet_length(result), 0)",
                &[&old, &success, &failed],
            )
            .await?;
        let (mut seqs, mut ids) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for row in &rows {
            let sort = Sort::read(row, 0)?;
            let state = u8::try_from(row.try_get::<_, i16>(3)?).unwrap_or(0);
            let seq: i64 = row.try_get(4)?;
            self.marks.count(&sort, state, -1);
            self.marks.weigh(&sort, state, -ROW_BYTES - i64::from(row.try_get::<_, i32>(7)?));
            if let Some(unique) = Spec::read(row.try_get(6)?).unique {
                self.execute(
                    "DELETE FROM uniques WHERE tenant = $1 AND kind = $2 AND key = $3 AND seq = $4",
                    &[&sort.tenant.as_str(), &sort.kind.as_str(), &unique.key.as_bytes(), &seq],
                )
                .await?;
            }
            seqs.push(seq);
            ids.push(row.try_get::<_, uuid::Uuid>(5)?);
        }
        self.execute("DELETE FROM attempts WHERE seq = ANY($1)", &[&seqs]).await?;
        self.execute("DELETE FROM inbox WHERE task = ANY($1)", &[&ids]).await?;
        Ok(rows.len() as u64)
    }

    async fn prune_keys(&self) -> Result<u64, Trouble> {
        self.execute(
            "DELETE FROM keys WHERE (tenant, route, key) IN
                 (SELECT tenant, route, key FROM keys WHERE expires_at < $1 LIMIT $2)",
            &[&self.now.0, &(BATCH as i64)],
        )
        .await
    }

    /// Folds the lines of the counters. The sums stay; whoever reads sees the lines before or after.
    pub(crate) async fn fold_counts(&mut self) -> Result<(), Trouble> {
        self.lock(&[super::locks::Locked::Counts]).await?;
        self.execute(
            "WITH old AS (DELETE FROM counts RETURNING n, bytes, state, tenant, queue, kind)
             INSERT INTO counts(n, bytes, state, tenant, queue, kind)
             SELECT sum(n)::int8, sum(bytes)::int8, state, tenant, queue, kind FROM old
             GROUP BY state, tenant, queue, kind HAVING sum(n) <> 0 OR sum(bytes) <> 0",
            &[],
        )
        .await?;
        Ok(())
    }
}
