//! At most one task of a (tenant, kind, key) at a time.

use super::desk::{Desk, millis};
use super::row::TaskRow;
use crate::error::Trouble;
use crate::memory::Sort;
use longshore_core::state::Cause;
use longshore_core::store::Refused;
use longshore_core::task::{Accepted, OnConflict, Unique, UniqueWhile};
use longshore_core::{Event, NewTask, State, Timestamp};
use rusqlite::OptionalExtension;

const QUEUED: i64 = -1;
const ACTIVE: i64 = -2;

impl Desk<'_> {
    /// Returns the task whose key still holds.
    pub(super) fn unique_holder(
        &mut self,
        sort: Sort,
        key: &str,
    ) -> Result<Option<TaskRow>, Trouble> {
        self.write_fresh()?;
        let mut select = self.db.prepare_cached(
            "SELECT seq, hold FROM uniques WHERE tenant = ?1 AND kind = ?2 AND key = ?3",
        )?;
        let found: Option<(i64, i64)> = select
            .query_row((sort.tenant, sort.kind, key), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((seq, hold)) = found else { return Ok(None) };
        let Some(row) = TaskRow::load(self.db, seq)? else { return Ok(None) };
        let holds = match hold {
            QUEUED => matches!(row.state, State::Scheduled | State::Pending),
            ACTIVE => !row.state.is_end(),
            until => self.now.0 < until,
        };
        Ok(holds.then_some(row))
    }

    /// Makes `seq` the holder of a key. A window counts from `accepted`.
    pub(super) fn hold_unique(
        &self,
        sort: Sort,
        key: &str,
        hold: UniqueWhile,
        seq: i64,
        accepted: Timestamp,
    ) -> Result<(), Trouble> {
        let hold = match hold {
            UniqueWhile::Queued => QUEUED,
            UniqueWhile::Active => ACTIVE,
            UniqueWhile::Window(window) => accepted.0.saturating_add(millis(window)),
        };
        let mut insert = self.db.prepare_cached(
            "INSERT OR REPLACE INTO uniques(tenant, kind, key, seq, hold) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        insert.execute((sort.tenant, sort.kind, key, seq, hold))?;
        Ok(())
    }

    /// Settles a conflict: nothing if the newcomer may be accepted, or the task to answer instead.
    pub(super) fn settle_unique(
        &mut self,
        task: &NewTask,
        sort: Sort,
        unique: &Unique,
        others: &mut Vec<Event>,
    ) -> Result<Result<Option<Accepted>, Refused>, Trouble> {
        let Some(mut holder) = self.unique_holder(sort, &unique.key)? else { return Ok(Ok(None)) };
        let taken = Refused::UniqueTaken { existing: holder.id };
        match unique.on_conflict {
            OnConflict::Existing => Ok(Ok(Some(self.answer_for(&holder)?))),
            OnConflict::Reject => Ok(Err(taken)),
            OnConflict::Replace if holder.state.is_end() || holder.state == State::Running => {
                Ok(Err(taken))
            }
            OnConflict::Replace => {
                let leaving = u64::from(holder.sort.queue == sort.queue);
                if let Some(refused) = self.backlog_is_full(task, sort, leaving) {
                    return Ok(Err(refused));
                }
                let before = holder.before();
                holder.reason = Some("replaced".into());
                self.cut("DELETE FROM edges WHERE child = ?1", [holder.seq])?;
                self.finish(&mut holder, before, Cause::Discard, others)?;
                others.insert(0, self.event(&holder)?);
                Ok(Ok(None))
            }
        }
    }
}
