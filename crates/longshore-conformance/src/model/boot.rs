//! Boot: what a dead process leaves behind.

use super::books::Books;
use super::row::Deadline;
use longshore_core::attempt::{AttemptOutcome, TaskError};
use longshore_core::rescue::Runs;
use longshore_core::retry::BuryReason;
use longshore_core::state::Cause;
use longshore_core::{FaultClass, State, Timestamp};
use std::time::Duration;

impl Books {
    /// Begins a new epoch. What the process held itself has crashed; timed leases, and the grace
    /// of a cancel, get one full length from now on.
    pub(super) fn boot(&mut self, now: Timestamp, monotonic: Duration) {
        self.epoch += 1;
        self.openings = 0;
        let mut ended = Vec::new();
        for row in self.rows.iter_mut().filter(|row| row.task.state == State::Running) {
            let held = row.held.as_mut().expect("what runs is held");
            if let Some(cancel) = &mut held.cancel {
                *cancel = Deadline::starting(monotonic, cancel.length);
            }
            if let Some(lease) = &mut held.lease {
                *lease = Deadline::starting(monotonic, lease.length);
                continue;
            }
            let (runs, cancel_asked) = (held.runs, held.cancel.is_some());
            let outside = runs == Runs::Outside;
            let outcome = if outside { AttemptOutcome::Lost } else { AttemptOutcome::Crashed };
            row.let_go(outcome, None, None, now);
            row.remember(row.crashes.after_death(runs));
            if !outside && row.crashes.is_condemned() {
                row.end(Cause::Bury, Some(BuryReason::Crash.as_str()), now);
                row.task.error = Some(crash(row.crashes.seen, now));
                ended.push(row.task.id);
            } else if cancel_asked {
                row.end(Cause::Cancel, Some("cancelled"), now);
                ended.push(row.task.id);
            } else {
                row.step(Cause::Release);
            }
        }
        self.tell_children(ended, now);
        for office in self.offices.values_mut() {
            office.term = Deadline::starting(monotonic, office.term.length);
        }
        self.refresh(now);
    }
}

fn crash(deaths: u32, at: Timestamp) -> TaskError {
    TaskError {
        class: FaultClass::Crash,
        code: None,
        message: format!("the process died {deaths} times while this task ran"),
        trace: None,
        at,
    }
}
