//! What has to be done from time to time: due, expired, abandoned.

use super::desk::Desk;
use super::history::Entry;
use super::row::TaskRow;
use crate::error::Trouble;
use longshore_core::attempt::AttemptOutcome;
use longshore_core::state::Cause;
use longshore_core::store::{BATCH, Moved};
use longshore_core::{State, Timestamp};

impl Desk<'_> {
    /// Makes tasks ready whose time has come.
    pub(crate) fn make_ready(&mut self) -> Result<Moved, Trouble> {
        let mut moved = Moved::default();
        if self.memory.next_due <= self.now.0 {
            let due = self.first(
                "SELECT seq FROM tasks WHERE due IS NOT NULL AND due <= ?1 ORDER BY due, seq LIMIT ?2",
            )?;
            moved.more = due.len() == BATCH;
            for seq in due {
                let Some(mut row) = TaskRow::load(self.db, seq)? else { continue };
                let before = row.before();
                let ready_from = Timestamp(row.due.take().unwrap_or(self.now.0));
                let was_scheduled = row.state == State::Scheduled;
                if was_scheduled {
                    row.go(Cause::Due)?;
                }
                self.place(&mut row, ready_from)?;
                self.save(before, &row)?;
                if was_scheduled {
                    moved.events.push(self.event(&row)?);
                }
            }
            self.memory.due_is_stale = true;
        }
        if std::mem::take(&mut self.memory.due_is_stale) {
            self.memory.next_due =
                self.earliest("SELECT min(due) FROM tasks WHERE due IS NOT NULL")?;
        }
        moved.next = Some(self.memory.next_due).filter(|due| *due < i64::MAX).map(Timestamp);
        Ok(moved)
    }

    /// Expires tasks that were not started in time.
    pub(crate) fn expire(&mut self) -> Result<Moved, Trouble> {
        let mut moved = Moved::default();
        if self.memory.next_expiry <= self.now.0 {
            let late = self.first(
                "SELECT seq FROM tasks WHERE expires_at IS NOT NULL AND expires_at <= ?1
                 ORDER BY expires_at, seq LIMIT ?2",
            )?;
            moved.more = late.len() == BATCH;
            // A child that is late expires for itself, not because its parent did before it.
            self.cut_loose(&late)?;
            for seq in late {
                let Some(mut row) = TaskRow::load(self.db, seq)? else { continue };
                if !matches!(row.state, State::Scheduled | State::Pending) {
                    continue; // ended because of another one
                }
                let before = row.before();
                let mut others = Vec::new();
                self.finish(&mut row, before, Cause::Expire, &mut others)?;
                moved.events.push(self.event(&row)?);
                moved.events.append(&mut others);
            }
            self.memory.next_expiry =
                self.earliest("SELECT min(expires_at) FROM tasks WHERE expires_at IS NOT NULL")?;
        }
        moved.next = Some(self.memory.next_expiry).filter(|at| *at < i64::MAX).map(Timestamp);
        Ok(moved)
    }

    /// Takes back what is held under leases that have ended, by the clock that only grows.
    pub(crate) fn rescue(&mut self) -> Result<Moved, Trouble> {
        let mut moved = Moved::default();
        let tick = self.tick;
        let mut lost: Vec<i64> = self
            .memory
            .held
            .iter()
            .filter(|(_, held)| {
                held.lease.is_some_and(|(until, _)| until <= tick)
                    || held.lease.is_some() && held.cancel_until.is_some_and(|until| until <= tick)
            })
            .map(|(seq, _)| *seq)
            .collect();
        lost.sort_unstable();
        moved.more = lost.len() > BATCH;
        lost.truncate(BATCH);
        for seq in lost {
            let Some(mut row) = TaskRow::load(self.db, seq)? else { continue };
            let ended = self.memory.held.get(&seq).and_then(|held| held.lease);
            let outcome = match ended {
                Some((until, _)) if until > tick => AttemptOutcome::Cancelled,
                _ => AttemptOutcome::Lost,
            };
            self.take_back(&mut row, outcome, None, &mut moved)?;
        }
        Ok(moved)
    }

    /// Takes a running task back: it waits again, or ends if that was asked.
    pub(super) fn take_back(
        &mut self,
        row: &mut TaskRow,
        outcome: AttemptOutcome,
        error: Option<&str>,
        moved: &mut Moved,
    ) -> Result<(), Trouble> {
        let before = row.before();
        let attempt = row.attempt;
        self.note_opening(row, Entry { attempt, outcome, error, next_at: None })?;
        let mut others = Vec::new();
        if row.cancel_grace.is_some() {
            row.reason = Some("cancelled".into());
            self.finish(row, before, Cause::Cancel, &mut others)?;
        } else {
            self.wait_again(row, before, Cause::Release, None)?;
        }
        moved.events.push(self.event(row)?);
        moved.events.append(&mut others);
        Ok(())
    }

    fn first(&self, sql: &str) -> Result<Vec<i64>, Trouble> {
        let mut select = self.db.prepare_cached(sql)?;
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        Ok(select.query_map((self.now.0, limit), |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    fn earliest(&self, sql: &str) -> Result<i64, Trouble> {
        let earliest: Option<i64> = self.db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(earliest.unwrap_or(i64::MAX))
    }
}
