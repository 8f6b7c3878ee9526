//! When a task may be handed out, as pure rules.
//!
//! A task waits for its time, for its parents and for its lane, in this order; what is left of
//! that is its [`Readiness`]. Among the ready ones the smaller [`rank`] goes first.

use crate::{State, Timestamp};

/// Highest priority; the lowest is 0.
pub const MAX_PRIORITY: u8 = 9;

/// Priority of a task that names none.
pub const DEFAULT_PRIORITY: u8 = 4;

/// What one step of priority is worth, in milliseconds of waiting.
pub const PRIORITY_STEP_MS: i64 = 30_000;

/// Returns the place among the ready: `ready_at − priority × 30 s`.
///
/// It never changes while a task waits, so ageing costs nothing, and old work of low priority
/// overtakes young work of high priority: nothing starves.
pub fn rank(ready_at: Timestamp, priority: u8) -> i64 {
    ready_at.0 - i64::from(priority) * PRIORITY_STEP_MS
}

/// Returns the time a task of that rank became ready.
pub fn ready_at(rank: i64, priority: u8) -> Timestamp {
    Timestamp(rank + i64::from(priority) * PRIORITY_STEP_MS)
}

/// Whether a task may be handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Now.
    Ready,
    /// At that time.
    Due(Timestamp),
    /// When what blocks it is gone.
    Blocked(BlockedBy),
}

/// What a pending task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockedBy {
    /// Parents that have not ended.
    Parents,
    /// Somebody before it in its lane.
    Lane,
}

impl BlockedBy {
    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parents => "parents",
            Self::Lane => "lane",
        }
    }
}

/// Judges a waiting task.
pub fn readiness(
    now: Timestamp,
    due: Option<Timestamp>,
    open_parents: u32,
    lane_is_free: bool,
) -> Readiness {
    match due {
        Some(at) if at > now => Readiness::Due(at),
        _ if open_parents > 0 => Readiness::Blocked(BlockedBy::Parents),
        _ if !lane_is_free => Readiness::Blocked(BlockedBy::Lane),
        _ => Readiness::Ready,
    }
}

/// What a child does about a parent that ended without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnParentFailure {
    /// Fails too: it goes to the dead letters.
    #[default]
    Fail,
    /// Is cancelled with reason `skipped`.
    Skip,
    /// Runs all the same.
    Run,
}

/// What becomes of a child when one parent has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParentEnded {
    /// One parent less to wait for.
    OneLess,
    /// The child fails.
    Fail,
    /// The child is skipped.
    Skip,
}

/// Judges the end of a parent.
pub fn parent_ended(end: State, on_failure: OnParentFailure) -> ParentEnded {
    match (end, on_failure) {
        (State::Success, _) | (_, OnParentFailure::Run) => ParentEnded::OneLess,
        (_, OnParentFailure::Fail) => ParentEnded::Fail,
        (_, OnParentFailure::Skip) => ParentEnded::Skip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn time_comes_before_parents_and_parents_before_the_lane() {
        let now = Timestamp(1_000);
        let later = Some(Timestamp(1_001));
        assert_eq!(readiness(now, later, 1, false), Readiness::Due(Timestamp(1_001)));
        assert_eq!(readiness(now, Some(now), 1, false), Readiness::Blocked(BlockedBy::Parents));
        assert_eq!(readiness(now, None, 0, false), Readiness::Blocked(BlockedBy::Lane));
        assert_eq!(readiness(now, None, 0, true), Readiness::Ready);
    }

    proptest! {
        #[test]
        fn nothing_waits_behind_younger_work_for_longer_than_nine_steps(
            ready_at in 0i64..1 << 42, priority in 0u8..=9, other in 0u8..=9
        ) {
            let old = rank(Timestamp(ready_at), priority);
            let young = rank(Timestamp(ready_at + 9 * PRIORITY_STEP_MS + 1), other);
            prop_assert!(old < young);
        }

        #[test]
        fn at_the_same_moment_the_higher_priority_goes_first(
            ready_at in 0i64..1 << 42, low in 0u8..9
        ) {
            prop_assert!(rank(Timestamp(ready_at), low + 1) < rank(Timestamp(ready_at), low));
        }
    }
}
