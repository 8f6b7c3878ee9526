//! What the death of the last process means for what it held.

use super::desk::Desk;
use super::history::Entry;
use super::row::TaskRow;
use crate::error::Trouble;
use longshore_core::attempt::{AttemptOutcome, TaskError};
use longshore_core::rescue::Runs;
use longshore_core::retry::BuryReason;
use longshore_core::state::Cause;
use longshore_core::store::Moved;
use longshore_core::{Event, FaultClass};

impl Desk<'_> {
    /// Takes back everything that was held inside a process which is gone. Timed leases stay: their
    /// holders may still live, and get a full length of grace.
    pub(crate) fn recover(&mut self) -> Result<Moved, Trouble> {
        let mut moved = Moved::default();
        let mut orphans: Vec<i64> = self
            .memory
            .held
            .iter()
            .filter(|(_, held)| held.lease.is_none())
            .map(|(seq, _)| *seq)
            .collect();
        orphans.sort_unstable();
        for seq in orphans {
            let Some(mut row) = TaskRow::load(self.db, seq)? else { continue };
            let outside = row.runs == Runs::Outside;
            row.crashes = row.crashes.after_death(row.runs);
            if !outside && row.crashes.is_condemned() {
                self.bury_killer(&mut row, &mut moved.events)?;
                continue;
            }
            let outcome = if outside { AttemptOutcome::Lost } else { AttemptOutcome::Crashed };
            self.take_back(&mut row, outcome, None, &mut moved)?;
        }
        Ok(moved)
    }

    fn bury_killer(&mut self, row: &mut TaskRow, events: &mut Vec<Event>) -> Result<(), Trouble> {
        let before = row.before();
        let deaths = row.crashes.seen;
        let error = TaskError {
            class: FaultClass::Crash,
            code: None,
            message: format!("the process died {deaths} times while this task ran inside it"),
            trace: None,
            at: self.now,
        };
        row.error = Some(serde_json::to_string(&error)?);
        row.reason = Some(BuryReason::Crash.as_str().to_owned());
        let attempt = row.attempt;
        let entry = Entry {
            attempt,
            outcome: AttemptOutcome::Crashed,
            error: row.error.as_deref(),
            next_at: None,
        };
        self.note_opening(row, entry)?;
        let mut others = Vec::new();
        self.finish(row, before, Cause::Bury, &mut others)?;
        events.push(self.event(row)?);
        events.append(&mut others);
        Ok(())
    }
}
