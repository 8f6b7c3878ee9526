//! Taking the end of an opening.

use super::desk::{Desk, millis};
use super::history::Entry;
use super::row::TaskRow;
use crate::error::Trouble;
use longshore_core::attempt::AttemptOutcome;
use longshore_core::rescue::Runs;
use longshore_core::state::Cause;
use longshore_core::store::{Ending, LeaseRef, Recorded};
use longshore_core::{State, Timestamp, Verdict};

pub(super) const SUCCEED: &str = "UPDATE tasks SET state = 4, finished_at = ?2, result = ?3, big = big | ?4, lease = NULL WHERE seq = ?1";

pub(super) const SUCCEED_IN_LANE: &str = "UPDATE tasks SET state = 4, finished_at = ?2, result = ?3, big = big | ?4, lease = NULL, lane_place = NULL WHERE seq = ?1";

impl Desk<'_> {
    /// Applies one end, unless its opening is not held any more.
    pub(crate) fn record(&mut self, end: &Ending) -> Result<Recorded, Trouble> {
        let seq = end.lease.seq.0;
        let held = self.memory.held.get(&seq);
        let Some(held) =
            held.filter(|held| held.token == end.lease.token && held.id == end.lease.id)
        else {
            return Ok(Recorded::Stale);
        };
        let (sort, lane) = (held.sort, held.lane.as_deref());
        let alone = lane.is_none_or(|key| self.memory.lanes.alive(sort, key) == Some(1));
        let plain = held.plain && alone && held.cancel_until.is_none() && self.memory.edges == 0;
        if plain && end.verdict == Verdict::Complete && end.then.is_empty() {
            let lane = self.memory.held.remove(&seq).and_then(|held| held.lane);
            self.succeed_plainly(seq, end, lane.is_some())?;
            if let Some(key) = lane {
                self.memory.lanes.leave(sort, &key);
            }
            self.memory.count(sort, State::Running as u8, -1);
            self.memory.count(sort, State::Success as u8, 1);
            return Ok(self.applied(State::Success, None));
        }
        self.record_whole(end)
    }

    /// Gives back what was handed out to somebody who is gone.
    pub(crate) fn give_back(&mut self, lease: LeaseRef) -> Result<(), Trouble> {
        let verdict = Verdict::Release;
        self.record(&Ending { lease, verdict, result: None, error: None, then: Vec::new() })?;
        Ok(())
    }

    fn applied(&self, state: State, next_at: Option<i64>) -> Recorded {
        Recorded::Applied {
            state,
            at: self.now,
            next_at: next_at.map(Timestamp),
            then: Vec::new(),
            others: Vec::new(),
        }
    }

    fn succeed_plainly(&mut self, seq: i64, end: &Ending, in_lane: bool) -> Result<(), Trouble> {
        let result = match &end.result {
            Some(result) => self.keep_body(2 * seq + 1, result.as_bytes())?,
            None => None,
        };
        let big = if end.result.is_some() && result.is_none() { 2 } else { 0 };
        let succeed = if in_lane { &mut self.succeed_in_lane } else { &mut self.succeed };
        succeed.execute((seq, self.now.0, result, big))?;
        Ok(())
    }

    fn record_whole(&mut self, end: &Ending) -> Result<Recorded, Trouble> {
        let Some(mut row) = TaskRow::load(self.db, end.lease.seq.0)? else {
            return Ok(Recorded::Stale);
        };
        let before = row.before();
        let verdict = match &end.verdict {
            Verdict::Retry { .. }
            | Verdict::Snooze { .. }
            | Verdict::Release
            | Verdict::Bury(_)
                if row.cancel_grace.is_some() =>
            {
                &Verdict::Cancel
            }
            verdict => verdict,
        };
        if *verdict != Verdict::Release {
            row.crashes = row.crashes.after_normal_end();
        }
        let failed = matches!(verdict, Verdict::Retry { .. } | Verdict::Bury(_));
        let error = end.error.as_ref().filter(|_| failed);
        if let Some(error) = error {
            row.error = Some(serde_json::to_string(error)?);
        }
        let attempt = row.attempt;
        let mut others = Vec::new();
        let outcome = self.apply(&mut row, before, verdict, end, &mut others)?;
        if outcome != AttemptOutcome::Success || row.openings > 1 {
            let next_at = row.due.or(match outcome {
                AttemptOutcome::Retry | AttemptOutcome::Snoozed => Some(self.now.0),
                _ => None,
            });
            let error = error.and(row.error.as_deref());
            self.note_opening(&row, Entry { attempt, outcome, error, next_at })?;
        }
        let mut then = Vec::with_capacity(end.then.len());
        for task in &end.then {
            then.push(self.accept(task)?);
        }
        if !end.then.is_empty() {
            self.write_fresh()?; // the next end may look for them
        }
        let mut applied = self.applied(row.state, row.due.or(row_ready(&row, self.now)));
        if let Recorded::Applied { then: accepted, others: events, .. } = &mut applied {
            *accepted = then;
            *events = others;
        }
        Ok(applied)
    }

    /// Applies a verdict to a running row and saves it. Returns how the opening ended.
    fn apply(
        &mut self,
        row: &mut TaskRow,
        before: super::end::Before,
        verdict: &Verdict,
        end: &Ending,
        others: &mut Vec<longshore_core::Event>,
    ) -> Result<AttemptOutcome, Trouble> {
        let (cause, outcome, reason) = match verdict {
            Verdict::Complete => {
                self.succeed_plainly(row.seq, end, false)?;
                (Cause::Complete, AttemptOutcome::Success, None)
            }
            Verdict::Bury(why) => (Cause::Bury, AttemptOutcome::Failed, Some(why.as_str())),
            Verdict::Discard(why) => {
                (Cause::Discard, AttemptOutcome::Discarded, Some(why.as_str()))
            }
            Verdict::Cancel => (Cause::Cancel, AttemptOutcome::Cancelled, Some("cancelled")),
            Verdict::Retry { after } => {
                row.attempt += 1;
                self.wait_again(row, before, Cause::Retry, Some(millis(*after)))?;
                return Ok(AttemptOutcome::Retry);
            }
            Verdict::Snooze { after } => {
                self.wait_again(row, before, Cause::Snooze, Some(millis(*after)))?;
                return Ok(AttemptOutcome::Snoozed);
            }
            Verdict::Release => {
                self.wait_again(row, before, Cause::Release, None)?;
                return Ok(AttemptOutcome::Released);
            }
        };
        row.reason = reason.map(str::to_owned);
        self.finish(row, before, cause, others)?;
        Ok(outcome)
    }

    /// Lets a running task wait again: for so long, or not at all.
    pub(super) fn wait_again(
        &mut self,
        row: &mut TaskRow,
        before: super::end::Before,
        cause: Cause,
        pause: Option<i64>,
    ) -> Result<(), Trouble> {
        row.go(cause)?;
        row.lease = None;
        row.runs = Runs::default();
        row.cancel_grace = None;
        match pause {
            // Even a pause of nothing is seen by `make_ready`, but a retry at once is ready at once.
            Some(0) if cause == Cause::Retry => {
                row.run_at = self.now.0;
                self.place(row, self.now)?;
            }
            Some(pause) => {
                let due = self.now.0.saturating_add(pause).min(Timestamp::MAX.0);
                row.run_at = due;
                row.due = Some(due);
            }
            None => row.stand_ready(), // at the rank it had
        }
        self.memory.held.remove(&row.seq);
        self.save(before, row)
    }
}

/// A task that waits for nothing may be handed out now.
fn row_ready(row: &TaskRow, now: Timestamp) -> Option<i64> {
    (row.state == State::Retrying).then_some(now.0)
}
