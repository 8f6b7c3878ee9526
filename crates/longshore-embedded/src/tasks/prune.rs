//! Removing what has been kept long enough.
//!
//! A sweep goes through the tasks in the order of accepting and stops where they are younger than
//! the shortest retention, for no task ends before it was accepted. What is exempt is passed
//! over by the cursor, so it starves nothing behind it.

use super::desk::{Desk, millis};
use super::spec::Spec;
use crate::error::Trouble;
use crate::memory::Sort;
use longshore_core::State;
use longshore_core::store::{BATCH, Pruned, Retention};

/// How far the sweeps have come.
#[derive(Debug, Default)]
pub(crate) struct PruneCursor {
    by_age: i64,
    by_bytes: i64,
}

/// What has to be known of a task to remove it.
struct Old {
    seq: i64,
    sort: Sort,
    state: u8,
    finished_at: Option<i64>,
    big: u8,
    openings: u32,
    spec: Option<String>,
    created_at: i64,
}

/// Free pages given back to the disk after a sweep.
const VACUUM_PAGES: u32 = 1_000;

impl Desk<'_> {
    /// Removes one batch.
    pub(crate) fn prune(&mut self, keep: &Retention) -> Result<Pruned, Trouble> {
        let mut pruned = self.prune_by_age(keep)?;
        if let Some(max) = keep.max_bytes {
            self.prune_by_bytes(max, &mut pruned)?;
        }
        pruned.keys = self.prune_keys()?;
        pruned.more |= pruned.keys == BATCH as u64;
        if !pruned.more {
            // It frees one page a row.
            let mut vacuum =
                self.db.prepare(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
            let mut freed = vacuum.query([])?;
            while freed.next()?.is_some() {}
        }
        Ok(pruned)
    }

    fn prune_by_age(&mut self, keep: &Retention) -> Result<Pruned, Trouble> {
        let cutoff = |kept| self.now.0.saturating_sub(millis(kept));
        let (success, failed) = (cutoff(keep.success), cutoff(keep.failed));
        let old = self.olds(
            "SELECT seq, queue, kind, tenant, state, finished_at, big, openings, spec, created_at FROM tasks
             WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            self.prune.by_age,
        )?;
        // Where a whole batch is too young, everything behind it is; a clock that was set back makes
        // single ones look young.
        let cutoff = success.max(failed);
        let young = old.iter().all(|task| task.created_at > cutoff);
        let mut pruned = Pruned { more: old.len() == BATCH && !young, ..Pruned::default() };
        self.prune.by_age = if pruned.more { old.last().map_or(0, |old| old.seq) } else { 0 };
        for task in old {
            let until = if task.state == State::Success as u8 { success } else { failed };
            if task.finished_at.is_some_and(|at| at <= until) {
                self.remove(&task)?;
                pruned.tasks += 1;
            }
        }
        Ok(pruned)
    }

    fn prune_by_bytes(&mut self, max: u64, pruned: &mut Pruned) -> Result<(), Trouble> {
        if self.used_bytes()? <= max {
            self.prune.by_bytes = 0;
            return Ok(());
        }
        let old = self.olds(
            "SELECT seq, queue, kind, tenant, state, finished_at, big, openings, spec, created_at FROM tasks
             WHERE seq > ?1 AND state = 4 ORDER BY seq LIMIT ?2",
            self.prune.by_bytes,
        )?;
        for (place, task) in old.iter().enumerate() {
            self.prune.by_bytes = task.seq;
            self.remove(task)?;
            pruned.tasks += 1;
            // Pages are freed by tasks with large bodies at once, by small ones now and then.
            if (task.big != 0 || place % 32 == 31) && self.used_bytes()? <= max {
                return Ok(());
            }
        }
        pruned.more |= !old.is_empty();
        Ok(())
    }

    /// Returns the bytes that are in use, free pages left out.
    pub(crate) fn used_bytes(&self) -> Result<u64, Trouble> {
        let pragma = |name| self.db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let pages = pragma("page_count")? - pragma("freelist_count")?;
        Ok(pages.max(0).unsigned_abs() * u64::from(crate::schema::PAGE_SIZE))
    }

    fn olds(&self, sql: &str, after: i64) -> Result<Vec<Old>, Trouble> {
        let mut select = self.db.prepare_cached(sql)?;
        let mut rows = select.query((after, i64::try_from(BATCH).unwrap_or(i64::MAX)))?;
        let mut olds = Vec::new();
        while let Some(row) = rows.next()? {
            olds.push(Old {
                seq: row.get(0)?,
                sort: Sort { queue: row.get(1)?, kind: row.get(2)?, tenant: row.get(3)? },
                state: row.get(4)?,
                finished_at: row.get(5)?,
                big: row.get(6)?,
                openings: row.get(7)?,
                spec: row.get(8)?,
                created_at: row.get(9)?,
            });
        }
        Ok(olds)
    }

    fn remove(&mut self, old: &Old) -> Result<(), Trouble> {
        self.fresh.forget_last();
        let delete = |sql, seq: i64| self.db.prepare_cached(sql)?.execute([seq]);
        delete("DELETE FROM tasks WHERE seq = ?1", old.seq)?;
        for (flag, key) in [(1, 2 * old.seq), (2, 2 * old.seq + 1)] {
            if old.big & flag != 0 {
                delete("DELETE FROM bodies WHERE key = ?1", key)?;
            }
        }
        if old.openings != 1 || old.state != State::Success as u8 {
            delete("DELETE FROM attempts WHERE seq = ?1", old.seq)?;
        }
        if let Some(unique) = Spec::read(old.spec.as_deref()).unique {
            let mut forget = self.db.prepare_cached(
                "DELETE FROM uniques WHERE tenant = ?1 AND kind = ?2 AND key = ?3 AND seq = ?4",
            )?;
            forget.execute((old.sort.tenant, old.sort.kind, unique.key, old.seq))?;
        }
        self.memory.count(old.sort, old.state, -1);
        Ok(())
    }

    fn prune_keys(&self) -> Result<u64, Trouble> {
        let mut delete = self.db.prepare_cached(
            "DELETE FROM keys WHERE (tenant, route, key) IN
             (SELECT tenant, route, key FROM keys WHERE expires_at < ?1 LIMIT ?2)",
        )?;
        Ok(delete.execute((self.now.0, i64::try_from(BATCH).unwrap_or(i64::MAX)))? as u64)
    }
}
