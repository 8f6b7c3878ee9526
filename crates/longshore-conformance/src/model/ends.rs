//! Ends: what each verdict makes of a running task.

use super::books::Books;
use super::row::Row;
use longshore_core::attempt::AttemptOutcome;
use longshore_core::state::Cause;
use longshore_core::store::{Ending, Recorded};
use longshore_core::{Timestamp, Verdict};

impl Books {
    /// Applies the end of one opening, and what follows from it.
    pub(super) fn record(&mut self, ending: Ending, now: Timestamp) -> Recorded {
        let Some(i) =
            self.find(ending.lease.id).filter(|i| self.rows[*i].is_held_by(ending.lease.token))
        else {
            return Recorded::Stale;
        };
        let then = ending.then.clone();
        let row = &mut self.rows[i];
        let next_at = apply(row, ending, now);
        let (id, state) = (row.task.id, row.task.state);
        let others = if state.is_end() { self.tell_children(vec![id], now) } else { Vec::new() };
        let then = then.into_iter().map(|task| self.accept(task.into_inner(), now)).collect();
        Recorded::Applied { state, at: now, next_at, then, others }
    }
}

/// Applies a verdict to a running task. Returns when it is due again, if it is.
fn apply(row: &mut Row, ending: Ending, now: Timestamp) -> Option<Timestamp> {
    let Ending { verdict, result, error, .. } = ending;
    let cancel_asked = row.held.as_ref().is_some_and(|held| held.cancel.is_some());
    let verdict = match verdict {
        Verdict::Retry { .. } | Verdict::Snooze { .. } | Verdict::Release | Verdict::Bury(_)
            if cancel_asked =>
        {
            Verdict::Cancel
        }
        verdict => verdict,
    };
    if verdict != Verdict::Release {
        row.remember(row.crashes.after_normal_end());
    }
    match verdict {
        Verdict::Complete => {
            row.let_go(AttemptOutcome::Success, None, None, now);
            row.end(Cause::Complete, None, now);
            row.task.result = result;
        }
        Verdict::Retry { after } => {
            let at = now.after(after);
            row.let_go(AttemptOutcome::Retry, error.clone(), Some(at), now);
            row.step(Cause::Retry);
            row.task.attempt += 1;
            row.task.error = error;
            row.task.run_at = at;
            row.due = (at > now).then_some(at);
            row.ready_at = at;
            return Some(at);
        }
        Verdict::Bury(why) => {
            row.let_go(AttemptOutcome::Failed, error.clone(), None, now);
            row.end(Cause::Bury, Some(why.as_str()), now);
            row.task.error = error;
        }
        Verdict::Snooze { after } => {
            let at = now.after(after);
            row.let_go(AttemptOutcome::Snoozed, None, Some(at), now);
            row.step(Cause::Snooze);
            row.task.run_at = at;
            row.due = Some(at);
            row.ready_at = at;
            return Some(at);
        }
        Verdict::Discard(why) => {
            row.let_go(AttemptOutcome::Discarded, None, None, now);
            row.end(Cause::Discard, Some(&why), now);
        }
        Verdict::Cancel => {
            row.let_go(AttemptOutcome::Cancelled, None, None, now);
            row.end(Cause::Cancel, Some("cancelled"), now);
        }
        Verdict::Release => {
            row.let_go(AttemptOutcome::Released, None, None, now);
            row.step(Cause::Release);
        }
    }
    None
}
