//! Upkeep: what time does to tasks.

use super::books::Books;
use super::row::Row;
use super::store::ModelStore;
use async_trait::async_trait;
use longshore_core::attempt::AttemptOutcome;
use longshore_core::state::Cause;
use longshore_core::store::{BATCH, Moved, Pruned, Result, Retention, Upkeep};
use longshore_core::task::Seq;
use longshore_core::{State, Timestamp};
use std::time::Duration;

impl Books {
    fn make_ready(&mut self, now: Timestamp) -> Moved {
        let mut due = self.pick(|row| row.due.is_some_and(|at| at <= now));
        due.sort_by_key(|i| self.rows[*i].due);
        let (due, more) = batch(due);
        let mut events = Vec::new();
        for i in due {
            let row = &mut self.rows[i];
            row.due = None;
            if row.task.state == State::Scheduled {
                row.step(Cause::Due);
                events.push(row.event(now));
            }
        }
        let next = self.rows.iter().filter_map(|row| row.due).filter(|at| *at > now).min();
        Moved { events, more, next }
    }

    fn rescue(&mut self, now: Timestamp, monotonic: Duration) -> Moved {
        let is_over = |row: &Row| {
            let Some(held) = &row.held else { return false };
            let cancel_is_over = held.cancel.is_some_and(|cancel| cancel.is_over(monotonic));
            held.lease.is_some_and(|lease| lease.is_over(monotonic) || cancel_is_over)
        };
        let (over, more) = batch(self.pick(is_over));
        let (mut events, mut ended) = (Vec::new(), Vec::new());
        for i in over {
            let row = &mut self.rows[i];
            let held = row.held.as_ref().expect("picked because it is held");
            let cancel_asked = held.cancel.is_some();
            let lost = held.lease.is_some_and(|lease| lease.is_over(monotonic));
            let outcome = if lost { AttemptOutcome::Lost } else { AttemptOutcome::Cancelled };
            row.let_go(outcome, None, None, now);
            if cancel_asked {
                row.end(Cause::Cancel, Some("cancelled"), now);
                ended.push(row.task.id);
            } else {
                row.step(Cause::Release);
            }
            events.push(row.event(now));
        }
        events.extend(self.tell_children(ended, now));
        Moved { events, more, next: None }
    }

    /// All that is over expires first, and only then do children hear of it.
    fn expire(&mut self, now: Timestamp) -> Moved {
        let may_expire = |row: &Row| matches!(row.task.state, State::Scheduled | State::Pending);
        let (over, more) = batch(
            self.pick(|row| may_expire(row) && row.task.expires_at.is_some_and(|at| at <= now)),
        );
        let (mut events, mut ended) = (Vec::new(), Vec::new());
        for i in over {
            let row = &mut self.rows[i];
            row.end(Cause::Expire, None, now);
            events.push(row.event(now));
            ended.push(row.task.id);
        }
        events.extend(self.tell_children(ended, now));
        let waiting = self.rows.iter().filter(|row| may_expire(row));
        let next = waiting.filter_map(|row| row.task.expires_at).filter(|at| *at > now).min();
        Moved { events, more, next }
    }

    fn prune(&mut self, keep: &Retention, now: Timestamp) -> Pruned {
        let is_old = |row: &Row| {
            let kept = if row.task.state == State::Success { keep.success } else { keep.failed };
            row.task.finished_at.is_some_and(|end| end.after(kept) <= now)
        };
        let (old, mut more) = batch(self.pick(is_old));
        let mut tasks = self.remove(&old);
        if let Some(max_bytes) = keep.max_bytes {
            let mut successes = self.pick(|row| row.task.state == State::Success);
            successes.sort_by_key(|i| (self.rows[*i].task.finished_at, self.rows[*i].task.seq));
            let mut used = self.used_bytes();
            let too_many = successes.into_iter().take_while(|i| {
                let is_over = used > max_bytes;
                used -= self.rows[*i].bytes();
                is_over
            });
            let (oldest, more_bytes) = batch(too_many.collect());
            tasks += self.remove(&oldest);
            more |= more_bytes;
        }
        let keys_before = self.answers.len() + self.holders.len();
        self.answers.retain(|_, answer| !answer.is_over(now));
        let rows = &self.rows;
        self.holders.retain(|_, holder| rows.iter().any(|row| row.task.id == *holder));
        let keys = keys_before - self.answers.len() - self.holders.len();
        Pruned { tasks, keys: keys as u64, more }
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.rows.iter().map(Row::bytes).sum()
    }

    fn pick(&self, wanted: impl Fn(&Row) -> bool) -> Vec<usize> {
        (0..self.rows.len()).filter(|i| wanted(&self.rows[*i])).collect()
    }

    fn remove(&mut self, picked: &[usize]) -> u64 {
        let seqs: Vec<Seq> = picked.iter().map(|i| self.rows[*i].task.seq).collect();
        self.rows.retain(|row| !seqs.contains(&row.task.seq));
        seqs.len() as u64
    }
}

impl Row {
    /// What it weighs: its texts, and a guess at the rest.
    fn bytes(&self) -> u64 {
        let texts = [&self.task.payload, &self.task.result];
        let texts: usize = texts.into_iter().flatten().map(|text| text.as_bytes().len()).sum();
        200 + texts as u64
    }
}

/// Takes as many as one call may touch, and tells whether there are more.
fn batch(mut picked: Vec<usize>) -> (Vec<usize>, bool) {
    let more = picked.len() > BATCH;
    picked.truncate(BATCH);
    (picked, more)
}

#[async_trait]
impl Upkeep for ModelStore {
    async fn make_ready(&self) -> Result<Moved> {
        self.change(|books, now| books.make_ready(now))
    }

    async fn rescue(&self) -> Result<Moved> {
        let monotonic = self.clock().monotonic();
        self.change(|books, now| books.rescue(now, monotonic))
    }

    async fn expire(&self) -> Result<Moved> {
        self.change(|books, now| books.expire(now))
    }

    async fn prune(&self, keep: &Retention) -> Result<Pruned> {
        self.change(|books, now| books.prune(keep, now))
    }
}
