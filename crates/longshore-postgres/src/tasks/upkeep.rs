//! What has to be done from time to time: due, expired, abandoned.

use super::attempts::Entry;
use super::desk::Desk;
use super::row::TaskRow;
use crate::error::Trouble;
use longshore_core::attempt::AttemptOutcome;
use longshore_core::state::Cause;
use longshore_core::store::{BATCH, Moved};
use longshore_core::{State, Timestamp};

impl Desk<'_> {
    /// Makes tasks ready whose time has come.
    pub(crate) async fn make_ready(&mut self) -> Result<Moved, Trouble> {
        let mut moved = Moved::default();
        let due = self
            .first("SELECT seq FROM tasks WHERE due IS NOT NULL AND due <= $1 ORDER BY due, seq LIMIT $2")
            .await?;
        moved.more = due.len() == BATCH;
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
        moved.next = self.earliest("SELECT min(due) FROM tasks WHERE due IS NOT NULL").await?;
        Ok(moved)
    }

    /// Expires tasks that were not started in time.
    pub(crate) async fn expire(&mut self) -> Result<Moved, Trouble> {
        let mut moved = Moved::default();
        let late = self
            .first(
                "SELECT seq FROM tasks WHERE expires_at IS NOT NULL AND expires_at <= $1
                 ORDER BY expires_at, seq LIMIT $2",
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

    async fn first(&self, sql: &str) -> Result<Vec<i64>, Trouble> {
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let rows = self.rows(sql, &[&self.now.0, &limit]).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    async fn earliest(&self, sql: &str) -> Result<Option<Timestamp>, Trouble> {
        let row = self.row(sql, &[]).await?;
        let earliest: Option<i64> = row.map_or(Ok(None), |row| row.try_get(0))?;
        Ok(earliest.map(Timestamp))
    }
}
