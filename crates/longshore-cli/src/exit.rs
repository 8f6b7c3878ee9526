//! How the program ends: one number for each way, the same for all commands.

use longshore::client::{Class, ClientError};
use longshore::core::State;
use std::fmt::Write;
use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All went well.
    Fine = 0,
    /// It failed.
    Failed = 1,
    /// It was called wrongly.
    Usage = 2,
    /// There is no such thing.
    NotFound = 3,
    /// The state of things does not allow it.
    Conflict = 4,
    /// The key is missing, wrong, or not allowed to do this.
    Auth = 5,
    /// Nobody answers.
    Unreachable = 6,
    /// Some of it was done.
    Partly = 7,
    /// A check found problems.
    Problems = 8,
    /// The task that was waited for failed or expired.
    TaskFailed = 10,
    /// The task that was waited for was cancelled.
    TaskCancelled = 11,
    /// The task that was waited for did not end in time.
    WaitTimedOut = 124,
    /// Ctrl-C.
    Interrupted = 130,
}

/// All of them, as help and the manual show them.
const EXITS: [(Exit, &str); 13] = [
    (Exit::Fine, "all went well"),
    (Exit::Failed, "it failed"),
    (Exit::Usage, "wrong usage: a flag, a file or a field is wrong"),
    (Exit::NotFound, "not found"),
    (Exit::Conflict, "conflict: the state of things does not allow it"),
    (Exit::Auth, "the key is missing, wrong, or not allowed to do this"),
    (Exit::Unreachable, "the server cannot be reached, or does not answer in time"),
    (Exit::Partly, "partly done: of several, some were done"),
    (Exit::Problems, "a check found problems"),
    (Exit::TaskFailed, "the task that was waited for failed or expired"),
    (Exit::TaskCancelled, "the task that was waited for was cancelled"),
    (Exit::WaitTimedOut, "the task that was waited for did not end in time"),
    (Exit::Interrupted, "interrupted by Ctrl-C"),
];

/// Returns the table of all exit codes, for the end of a help text.
pub(crate) fn table() -> String {
    let mut table = String::from("Exit codes:\n");
    for (exit, meaning) in EXITS {
        let _ = writeln!(table, "  {:>3}  {meaning}", exit as u8);
    }
    table.truncate(table.trim_end().len());
    table
}

impl Exit {
    /// Returns what an error of the client means.
    pub(crate) fn of(error: &ClientError) -> Self {
        match error {
            ClientError::Timeout { .. } | ClientError::Broken { .. } => Self::Unreachable,
            ClientError::Unknown { source, .. } => Self::of(source),
            error => match error.class() {
                Class::Invalid => Self::Usage,
                Class::NotFound => Self::NotFound,
                Class::Conflict => Self::Conflict,
                Class::Auth => Self::Auth,
                Class::Unreachable => Self::Unreachable,
                _ => Self::Failed,
            },
        }
    }

    /// Returns what an error code of the service means, for the items of a batch.
    pub(crate) fn of_code(code: u32) -> Self {
        match code / 100 {
            401 | 403 => Self::Auth,
            404 | 410 => Self::NotFound,
            409 | 412 | 422 => Self::Conflict,
            429 => Self::Failed,
            400..=499 => Self::Usage,
            _ => Self::Failed,
        }
    }

    /// Returns what the end of a task means for who waited for it; one that has not ended was
    /// waited for too long.
    pub(crate) fn of_end(state: State) -> Self {
        match state {
            State::Success => Self::Fine,
            State::Failed | State::Expired => Self::TaskFailed,
            State::Cancelled => Self::TaskCancelled,
            _ => Self::WaitTimedOut,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What became of several things, of which each may fail by itself.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    done: u64,
    failures: Vec<Exit>,
}

impl Tally {
    /// Counts one that was done.
    pub(crate) fn done(&mut self) {
        self.done += 1;
    }

    /// Counts one that failed.
    pub(crate) fn failed(&mut self, how: Exit) {
        // The number of equal ones does not matter.
        if !self.failures.contains(&how) {
            self.failures.push(how);
        }
    }

    /// Returns how the program ends: fine, partly done, or as all of them failed.
    pub(crate) fn exit(&self) -> Exit {
        match (self.failures.as_slice(), self.done) {
            ([], _) => Exit::Fine,
            (_, 1..) => Exit::Partly,
            ([same], 0) => *same,
            _ => Exit::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(done: u64, failures: &[Exit]) -> Exit {
        let mut tally = Tally::default();
        (0..done).for_each(|_| tally.done());
        failures.iter().for_each(|how| tally.failed(*how));
        tally.exit()
    }

    #[test]
    fn of_several_that_end_differently_some_were_done_or_all_failed() {
        assert_eq!(tally(0, &[]), Exit::Fine);
        assert_eq!(tally(2, &[]), Exit::Fine);
        assert_eq!(tally(1, &[Exit::Conflict]), Exit::Partly);
        assert_eq!(tally(0, &[Exit::Conflict, Exit::Conflict]), Exit::Conflict);
        assert_eq!(tally(0, &[Exit::Conflict, Exit::NotFound]), Exit::Failed);
    }

    #[test]
    fn the_table_has_every_code_once() {
        let mut codes = EXITS.map(|(exit, _)| exit).to_vec();
        codes.dedup();
        assert_eq!(codes.len(), EXITS.len());
        assert!(codes.is_sorted());
    }
}
