//! At most one task of a (tenant, kind, key) at a time.

use super::desk::{Desk, millis};
use super::row::TaskRow;
use super::sort::Sort;
use crate::error::Trouble;
use longshore_core::state::Cause;
use longshore_core::store::Refused;
use longshore_core::task::{Accepted, AcceptedHow, OnConflict, Unique, UniqueWhile};
use longshore_core::{Event, NewTask, State, Timestamp};

const QUEUED: i64 = -1;
const ACTIVE: i64 = -2;

impl Desk<'_> {
    /// Returns the task whose key still holds; its row is locked.
    pub(super) async fn unique_holder(
        &mut self,
        sort: &Sort,
        key: &str,
    ) -> Result<Option<TaskRow>, Trouble> {
        let found = self
            .row(
                "SELECT seq, hold FROM uniques WHERE tenant = $1 AND kind = $2 AND key = $3",
                &[&sort.tenant.as_str(), &sort.kind.as_str(), &key.as_bytes()],
            )
            .await?;
        let Some(found) = found else { return Ok(None) };
        let (seq, hold): (i64, i64) = (found.try_get(0)?, found.try_get(1)?);
        self.lock_rows(&[seq]).await?;
        let Some(row) = self.load(seq).await? else { return Ok(None) };
        let holds = match hold {
            QUEUED => matches!(row.state, State::Scheduled | State::Pending),
            ACTIVE => !row.state.is_end(),
            until => self.now.0 < until,
        };
        Ok(holds.then_some(row))
    }

    /// Makes `seq` the holder of a key. A window counts from `accepted`.
    pub(super) async fn hold_unique(
        &self,
        sort: &Sort,
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
        self.execute(
            "INSERT INTO uniques(tenant, kind, key, seq, hold) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (tenant, kind, key) DO UPDATE SET seq = excluded.seq, hold = excluded.hold",
            &[&sort.tenant.as_str(), &sort.kind.as_str(), &key.as_bytes(), &seq, &hold],
        )
        .await?;
        Ok(())
    }

    /// Settles a conflict: nothing if the newcomer may be accepted, or the task to answer instead.
    pub(super) async fn settle_unique(
        &mut self,
        task: &NewTask,
        sort: &Sort,
        unique: &Unique,
        others: &mut Vec<Event>,
    ) -> Result<Result<Option<Accepted>, Refused>, Trouble> {
        let Some(mut holder) = self.unique_holder(sort, &unique.key).await? else {
            return Ok(Ok(None));
        };
        let taken = Refused::UniqueTaken { existing: holder.id };
        match unique.on_conflict {
            OnConflict::Existing => Ok(Ok(Some(self.existing(&holder)))),
            OnConflict::Reject => Ok(Err(taken)),
            OnConflict::Replace if holder.state.is_end() || holder.state == State::Running => {
                Ok(Err(taken))
            }
            OnConflict::Replace => {
                let leaving = i64::from(holder.sort.queue == sort.queue);
                if let Some(refused) = self.backlog_is_full(task, leaving).await? {
                    return Ok(Err(refused));
                }
                let ended = self.end_waiting(&mut holder, Cause::Discard, "replaced").await?;
                others.extend(ended);
                Ok(Ok(None))
            }
        }
    }

    /// How a task stands, as an accept would answer it.
    fn existing(&self, row: &TaskRow) -> Accepted {
        Accepted {
            id: row.id,
            kind: row.sort.kind.clone(),
            queue: row.sort.queue.clone(),
            state: row.state,
            run_at: Timestamp(row.run_at),
            created_at: Timestamp(row.created_at),
            durability: self.base.durability,
            how: AcceptedHow::Existing,
            others: Vec::new(),
        }
    }
}
