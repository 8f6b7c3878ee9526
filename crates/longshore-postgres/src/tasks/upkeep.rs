//! What has to be done from time to time: due, expired, abandoned.

use super::attempts::Entry;
use super::desk::Desk;
use super::row::TaskRow;
use super::sort::Sort;
use crate::error::Trouble;
use crate::index::{first_due, timed};
use longshore_core::attempt::AttemptOutcome;
use longshore_core::rescue::SUSPECT_AFTER;
use longshore_core::state::Cause;
use longshore_core::store::{BATCH, Moved};
use longshore_core::{Event, State, TaskId, Timestamp};

/// What is due and waits for nothing else, many at once: schedules like to be due at the same moment.
const READY: &str = concat!(
    "
WITH came AS MATERIALIZED (
    SELECT seq, state AS before FROM tasks
    WHERE ",
    timed!(),
    " AND due <= $1 AND order_key IS NULL AND coalesce(open_parents, 0) = 0
      AND NOT EXISTS (SELECT 1 FROM carriers WHERE carriers.queue = tasks.queue)
    ORDER BY due, seq LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE tasks SET state = CASE WHEN state = 0 THEN 1 ELSE state END, blocked = 0,
    ready = CASE WHEN coalesce(suspicion, 0) >= $3 THEN 2 ELSE 1 END, rank = due - priority * 30000::int8, due = NULL
FROM came WHERE tasks.seq = came.seq
RETURNING tenant, queue, kind, id, came.before, ready"
);

impl Desk<'_> {
    /// Makes tasks ready whose time has come.
    pub(crate) async fn make_ready(&mut self) -> Result<Moved, Trouble> {
        let mut moved = Moved::default();
        let plain = self.make_plain_ready(&mut moved).await?;
        if plain < BATCH {
            self.make_others_ready(BATCH - plain, &mut moved).await?;
        } else {
            moved.more = true;
        }
        moved.next = self.earliest(first_due!()).await?;
        Ok(moved)
    }

    async fn make_plain_ready(&mut self, moved: &mut Moved) -> Result<usize, Trouble> {
        let suspect = i32::try_from(SUSPECT_AFTER).unwrap_or(i32::MAX);
        let rows = self.rows(READY, &[&self.now.0, &(BATCH as i64), &suspect]).await?;
        for row in &rows {
            let sort = Sort::read(row, 0)?;
            let before: i16 = row.try_get(4)?;
            let ready = u8::try_from(row.try_get::<_, i16>(5)?).unwrap_or(1);
            self.marks.count_ready(&sort, ready, 1);
            self.after.suspects |= ready == 2;
            self.after.woken.insert(sort.queue.clone());
            if before == State::Scheduled as i16 {
                self.marks.count(&sort, State::Scheduled as u8, -1);
                self.marks.count(&sort, State::Pending as u8, 1);
                let (task, state, at) = (TaskId(row.try_get(3)?), State::Pending, self.now);
                let Sort { tenant, queue, kind } = sort;
                moved.events.push(Event { task, tenant, queue, kind, state, at });
            }
        }
        Ok(rows.len())
    }

    async fn make_others_ready(&mut self, most: usize, moved: &mut Moved) -> Result<(), Trouble> {
        let due = self
            .first(
                concat!(
                    "SELECT seq FROM tasks WHERE ",
                    timed!(),
                    " AND due <= $1 ORDER BY due, seq LIMIT $2"
                ),
                most,
            )
            .await?;
        moved.more = due.len() == most;
        self.lock_sorted(&due).await?;
        for seq in due {
            let Some(mut row) = self.load(seq).await? else { continue };
            let Some(at) = row.due.filter(|at| *at <= self.now.0) else { continue };
            let before = row.before();
            row.due = None;
            let was_scheduled = row.state == State::Scheduled;
            if was_scheduled {
                row.go(Cause::Due)?;
            }
            self.place(&mut row, Timestamp(at)).await?;
            self.save(before, &row).await?;
            if was_scheduled {
                moved.events.push(self.event(&row));
            }
        }
        Ok(())
    }

    /// Expires tasks that were not started in time.
    pub(crate) async fn expire(&mut self) -> Result<Moved, Trouble> {
        let mut moved = Moved::default();
        let late = self
            .first(
                "SELECT seq FROM tasks WHERE expires_at IS NOT NULL AND expires_at <= $1
                 ORDER BY expires_at, seq LIMIT $2",
                BATCH,
            )
            .await?;
        moved.more = late.len() == BATCH;
        self.lock_sorted(&late).await?;
        // A child that is late expires for itself, not because its parent did before it.
        if !late.is_empty() {
            self.cut_loose(&late).await?;
        }
        for seq in late {
            let Some(mut row) = self.load(seq).await? else { continue };
            let is_late = row.expires_at.is_some_and(|at| at <= self.now.0);
            if !is_late || !matches!(row.state, State::Scheduled | State::Pending) {
                continue; // ended because of another one, or opened meanwhile
            }
            let before = row.before();
            let mut others = Vec::new();
            self.finish(&mut row, before, Cause::Expire, &mut others).await?;
            moved.events.push(self.event(&row));
            moved.events.append(&mut others);
        }
        moved.next =
            self.earliest("SELECT min(expires_at) FROM tasks WHERE expires_at IS NOT NULL").await?;
        Ok(moved)
    }

    /// Takes a running task back: it waits again, or ends if that was asked.
    pub(super) async fn take_back(
        &mut self,
        row: &mut TaskRow,
        outcome: AttemptOutcome,
        moved: &mut Moved,
    ) -> Result<(), Trouble> {
        let before = row.before();
        let entry = Entry { attempt: row.attempt, outcome, error: None, next_at: None };
        self.note_opening(row, entry).await?;
        let mut others = Vec::new();
        if row.cancel_grace.is_some() {
            row.reason = Some("cancelled".into());
            self.finish(row, before, Cause::Cancel, &mut others).await?;
        } else {
            self.wait_again(row, before, Cause::Release, None).await?;
        }
        moved.events.push(self.event(row));
        moved.events.append(&mut others);
        Ok(())
    }

    pub(super) async fn lock_sorted(&mut self, seqs: &[i64]) -> Result<(), Trouble> {
        let mut sorted = seqs.to_vec();
        sorted.sort_unstable();
        self.lock_rows(&sorted).await
    }

    async fn first(&self, sql: &str, most: usize) -> Result<Vec<i64>, Trouble> {
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = self.rows(sql, &[&self.now.0, &limit]).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    async fn earliest(&self, sql: &str) -> Result<Option<Timestamp>, Trouble> {
        let row = self.row(sql, &[]).await?;
        let earliest: Option<i64> = row.map_or(Ok(None), |row| row.try_get(0))?;
        Ok(earliest.map(Timestamp))
    }
}
