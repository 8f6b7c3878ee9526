//! Letting slots fire: each makes one task, whoever looks.

use super::{Plan, Schedules};
use longshore_core::schedule::Turn;
use longshore_core::store::{Fired, Firing, Schedule, StoreError};
use longshore_core::task::AcceptedHow;
use longshore_core::{Timestamp, Valid};

/// Most schedules that fire in one transaction.
const BATCH: usize = 500;

/// What became of a slot, for the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// It made a task.
    Fired,
    /// It was missed, and is left out.
    Skipped,
    /// Its task is not valid any more, or the store refused it.
    Refused,
}

impl Slot {
    /// All there are.
    pub(crate) const ALL: [Self; 3] = [Self::Fired, Self::Skipped, Self::Refused];

    /// Returns the word of the metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::Skipped => "skipped",
            Self::Refused => "refused",
        }
    }
}

impl Schedules {
    /// Lets one slot of each schedule fire whose time has come, in one transaction. Returns when to look
    /// again; nothing if nothing is planned.
    pub(crate) async fn fire_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let (due, next) = self.store.due_schedules(BATCH).await?;
        if due.is_empty() {
            return Ok(next);
        }
        let now = self.clock.now();
        let judged = due.iter().filter_map(|schedule| self.firing(schedule, now));
        let (firings, slots): (Vec<Firing>, Vec<Slot>) = judged.unzip();
        for (fired, slot) in self.store.fire(firings).await?.into_iter().zip(slots) {
            match fired {
                Fired::Stale => {} // another server was first, or will be asked again as it is now
                Fired::Done(None) => self.telemetry.slot(slot),
                Fired::Done(Some(Ok(accepted))) => {
                    if accepted.how == AcceptedHow::New {
                        self.telemetry.accepted(&accepted);
                    }
                    self.telemetry.slot(slot);
                    self.hub.emit_all(&accepted.others);
                }
                Fired::Done(Some(Err(refused))) => {
                    tracing::warn!(%refused, "a schedule's task was refused; its slot is over");
                    self.telemetry.slot(Slot::Refused);
                }
            }
        }
        Ok(Some(now)) // some may have missed more than one
    }

    /// Asks for the next slot of a schedule, and says what it will have become of it then.
    fn firing(&self, schedule: &Schedule, now: Timestamp) -> Option<(Firing, Slot)> {
        let slot = schedule.next_slot?;
        let id = schedule.id;
        let plan = Plan::of(schedule);
        let over = Firing { id, version: schedule.version, slot, next: None, task: None };
        let timing = match plan.timing() {
            Ok(timing) => timing,
            Err(bad) => {
                // Written by a version that knew more; it would be due for ever.
                tracing::error!(schedule = %id, field = bad.field, why = bad.message, "a schedule stops: its slots cannot be told");
                return Some((over, Slot::Refused));
            }
        };
        let turn = Turn::of(slot, now, &timing, schedule.missed);
        let over = Firing { next: turn.next, ..over };
        if !turn.fires {
            tracing::info!(schedule = %id, %slot, "missed slots are left out");
            return Some((over, Slot::Skipped));
        }
        match self.intake.validate(plan.task) {
            Ok(task) => {
                let mut task = task.into_inner();
                task.schedule_id = Some(id);
                task.run_at = Some(slot);
                Some((Firing { task: Some(Valid::vouch(task)), ..over }, Slot::Fired))
            }
            Err(faults) => {
                let why: Vec<String> = faults
                    .iter()
                    .map(|fault| format!("{}: {}", fault.field, fault.message))
                    .collect();
                tracing::warn!(schedule = %id, %slot, why = why.join("; "), "a slot is left out: its task is not valid any more");
                Some((over, Slot::Refused))
            }
        }
    }
}
