//! What a lost lease and a dead process mean for a task.
//!
//! Only a task whose handler ran *inside* the process that died can have killed it, so only
//! such a task becomes a suspect. In flight at [`SUSPECT_AFTER`] crashes it runs isolated: at
//! most one such task per process, which makes the next death its own. Each such death is a
//! charge, and at [`CRASH_LIMIT`] charges it is buried. Its neighbours are never charged. Commands
//! and pushes run [outside](Runs::Outside): a death of the process that waits for them is not counted.

use crate::store::Hold;

/// Crashes after which a task runs isolated.
pub const SUSPECT_AFTER: u32 = 2;

/// Charges at which a task is buried as `crash`.
pub const CRASH_LIMIT: u32 = 3;

/// Where the handler of a running task is, seen from the process that holds the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Runs {
    /// Inside, beside others.
    #[default]
    Inside,
    /// Inside, and no other suspect with it.
    Isolated,
    /// Elsewhere.
    Outside,
}

impl Runs {
    /// Returns where a task runs that is handed out.
    pub fn of(hold: Hold, is_suspect: bool) -> Self {
        match hold {
            Hold::Process if is_suspect => Self::Isolated,
            Hold::Process => Self::Inside,
            Hold::Beside | Hold::Lease { .. } => Self::Outside,
        }
    }

    /// Returns the number that stores keep.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Reads the number that stores keep; nothing if it is none.
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Inside, Self::Isolated, Self::Outside].into_iter().find(|runs| *runs as u8 == number)
    }
}

/// What a task has lived through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Crashes {
    /// All deaths of a process while the task ran inside it.
    pub seen: u32,
    /// Those since it last ended an attempt normally.
    pub suspicion: u32,
    /// Those during which it ran isolated.
    pub charges: u32,
}

impl Crashes {
    /// Returns whether the task must run isolated.
    pub fn is_suspect(self) -> bool {
        self.suspicion >= SUSPECT_AFTER
    }

    /// Counts the death of the process that held the task, if the task ran inside of it.
    pub fn after_death(self, runs: Runs) -> Self {
        match runs {
            Runs::Outside => self,
            Runs::Inside | Runs::Isolated => Self {
                seen: self.seen + 1,
                suspicion: self.suspicion + 1,
                charges: self.charges + u32::from(runs == Runs::Isolated),
            },
        }
    }

    /// An attempt ended without killing anybody: the suspicion and the charges are lifted.
    pub fn after_normal_end(self) -> Self {
        Self { seen: self.seen, suspicion: 0, charges: 0 }
    }

    /// Returns whether it has to be buried.
    pub fn is_condemned(self) -> bool {
        self.charges >= CRASH_LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killer_is_buried_at_its_third_charge_and_fifth_death() {
        let mut task = Crashes::default();
        let mut deaths = 0;
        while !task.is_condemned() {
            task = task.after_death(Runs::of(Hold::Process, task.is_suspect()));
            deaths += 1;
        }
        assert_eq!((deaths, task.charges, task.seen), (5, 3, 5));
    }

    #[test]
    fn what_runs_outside_is_not_suspected() {
        for hold in [Hold::Beside, Hold::Lease { lasts: None }] {
            let suspect = Crashes { seen: 2, suspicion: 2, charges: 1 };
            assert_eq!(suspect.after_death(Runs::of(hold, true)), suspect);
        }
    }

    #[test]
    fn a_healthy_neighbour_is_never_charged() {
        let mut task = Crashes::default();
        for _ in 0..200 {
            task = task.after_death(Runs::of(Hold::Process, task.is_suspect()));
            // isolated or not, it ends normally when it is run again
            task = task.after_normal_end();
            assert_eq!(task.charges, 0);
        }
        assert_eq!(task.seen, 200);
    }
}
