//! The states of a task and every arrow between them.
//!
//! [`ARROWS`] is the one table: stores refuse what is not in it, the diagram in
//! `docs/states.md` is compared with it by a test, and the dashboard draws it.

use std::fmt;

/// Where a task stands, as people see it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum State {
    /// Waits for its `run_at`.
    Scheduled = 0,
    /// May run now, or waits for parents or for its lane (`blocked_by`).
    Pending = 1,
    /// A worker holds it under a lease.
    Running = 2,
    /// An attempt failed and another one follows.
    Retrying = 3,
    /// Ended: the handler succeeded.
    Success = 4,
    /// Ended: buried, in the dead letters.
    Failed = 5,
    /// Ended: cancelled, discarded, purged or skipped (`reason`).
    Cancelled = 6,
    /// Ended: not started within `expires_in`.
    Expired = 7,
}

/// What moves a task along an arrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// `run_at` has come.
    Due,
    /// A worker opened an attempt.
    Open,
    /// The handler succeeded.
    Complete,
    /// An attempt failed and will be tried again.
    Retry,
    /// No further attempt: to the dead letters.
    Bury,
    /// The handler asked for later; no attempt used.
    Snooze,
    /// Given back uncharged: by its worker, or because its lease was lost.
    Release,
    /// Asked to cancel.
    Cancel,
    /// Thrown away: by the handler, an operator, a purge, or a parent that failed.
    Discard,
    /// Not started in time.
    Expire,
    /// An ended task is opened again as a new run.
    Reopen,
}

use Cause::{Bury, Cancel, Complete, Discard, Due, Expire, Open, Release, Reopen, Retry, Snooze};
use State::{Cancelled, Expired, Failed, Pending, Retrying, Running, Scheduled, Success};

/// Every arrow there is. A task begins in `Scheduled` or `Pending`.
pub const ARROWS: &[(State, Cause, State)] = &[
    (Scheduled, Due, Pending),
    (Scheduled, Cancel, Cancelled),
    (Scheduled, Discard, Cancelled),
    (Scheduled, Expire, Expired),
    (Scheduled, Bury, Failed),
    (Pending, Open, Running),
    (Pending, Cancel, Cancelled),
    (Pending, Discard, Cancelled),
    (Pending, Expire, Expired),
    (Pending, Bury, Failed),
    (Running, Complete, Success),
    (Running, Retry, Retrying),
    (Running, Bury, Failed),
    (Running, Snooze, Scheduled),
    (Running, Release, Pending),
    (Running, Cancel, Cancelled),
    (Running, Discard, Cancelled),
    (Retrying, Open, Running),
    (Retrying, Cancel, Cancelled),
    (Retrying, Discard, Cancelled),
    (Retrying, Bury, Failed),
    (Failed, Reopen, Pending),
    (Failed, Discard, Cancelled),
    (Cancelled, Reopen, Pending),
    (Expired, Reopen, Pending),
];

/// All states, in the order of their numbers.
pub const STATES: [State; 8] =
    [Scheduled, Pending, Running, Retrying, Success, Failed, Cancelled, Expired];

impl State {
    /// Returns whether the run has ended. An end is kept, unless an operator opens a new run.
    pub fn is_end(self) -> bool {
        matches!(self, Success | Failed | Cancelled | Expired)
    }

    /// Returns where `cause` leads from here, or nothing if there is no such arrow.
    pub fn after(self, cause: Cause) -> Option<State> {
        ARROWS.iter().find(|(from, by, _)| *from == self && *by == cause).map(|(_, _, to)| *to)
    }

    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheduled => "scheduled",
            Pending => "pending",
            Running => "running",
            Retrying => "retrying",
            Success => "success",
            Failed => "failed",
            Cancelled => "cancelled",
            Expired => "expired",
        }
    }

    /// Returns the state of that number.
    pub fn from_number(number: u8) -> Option<State> {
        STATES.get(usize::from(number)).copied()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for State {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        STATES.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

/// Draws [`ARROWS`] as a Mermaid state diagram, the one in `docs/states.md`.
pub fn diagram() -> String {
    let mut text = String::from(
        "stateDiagram-v2\n    [*] --> scheduled: accept\n    [*] --> pending: accept\n",
    );
    for (from, cause, to) in ARROWS {
        let cause = format!("{cause:?}").to_lowercase();
        text.push_str(&format!("    {from} --> {to}: {cause}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_cause_leads_to_one_place() {
        for (i, (from, by, _)) in ARROWS.iter().enumerate() {
            assert!(!ARROWS[..i].iter().any(|(f, b, _)| f == from && b == by), "{from} {by:?}");
        }
    }

    #[test]
    fn an_end_is_left_only_by_an_operator() {
        for (from, by, _) in ARROWS.iter().filter(|(from, ..)| from.is_end()) {
            assert!(matches!(by, Reopen | Discard), "{from} is left by {by:?}");
        }
        assert_eq!(ARROWS.iter().filter(|(from, ..)| *from == Success).count(), 0);
    }

    #[test]
    fn the_diagram_in_the_docs_is_this_table() {
        let page = include_str!("../../../docs/states.md");
        assert!(
            page.contains(&diagram()),
            "docs/states.md differs from the table; it should hold:\n{}",
            diagram(),
        );
    }

    proptest! {
        #[test]
        fn a_run_walks_only_arrows_and_stops_at_its_end(
            causes in proptest::collection::vec(0usize..11, 0..60)
        ) {
            const ALL: [Cause; 11] =
                [Due, Open, Complete, Retry, Bury, Snooze, Release, Cancel, Discard, Expire, Reopen];
            let mut state = Scheduled;
            for cause in causes.into_iter().map(|i| ALL[i]) {
                let next = state.after(cause);
                if state.is_end() {
                    prop_assert!(next.is_none() || matches!(cause, Reopen | Discard));
                }
                if let Some(next) = next {
                    prop_assert_eq!(next.as_str().parse::<State>(), Ok(next));
                    prop_assert_eq!(State::from_number(next as u8), Some(next));
                    state = next;
                }
            }
        }
    }
}
