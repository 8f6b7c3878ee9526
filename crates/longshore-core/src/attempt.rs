//! One opening of a task: who held it, and how it went.

use crate::{FaultClass, Timestamp};
use std::fmt;

/// The fencing token of an opening: the store's boot epoch and a counter within it.
///
/// It grows at every opening in a store, never repeats, and every heartbeat and every ending
/// carries it: whoever comes with an old one is refused. Written as a decimal number in
/// which the epoch weighs 2^40, so that a target which compares numbers can check it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(i64);

impl Token {
    /// Openings that one epoch has room for.
    pub const PER_EPOCH: u64 = 1 << 40;

    /// Makes the token of opening number `counter` in `epoch`.
    ///
    /// # Panics
    /// If the counter or the epoch has outgrown its bits (2^40 openings, 2^23 boots).
    pub fn new(epoch: u32, counter: u64) -> Self {
        assert!(counter < Self::PER_EPOCH && epoch < 1 << 23, "fencing tokens are used up");
        Self(i64::from(epoch) << 40 | counter.cast_signed())
    }

    /// Reads back what [`Token::number`] gave.
    pub fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// Returns the one number that stands for both parts.
    pub fn number(self) -> i64 {
        self.0
    }

    /// Returns the boot epoch it was made in.
    pub fn epoch(self) -> u32 {
        u32::try_from(self.0 >> 40).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl serde::Serialize for Token {
    /// As text: the number may not fit a JavaScript number.
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// What went wrong, as it is stored with a task and shown to people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TaskError {
    /// How it is treated.
    pub class: FaultClass,
    /// The handler's own code, such as `smtp.550`.
    #[serde(default)]
    pub code: Option<String>,
    /// One sentence for people.
    pub message: String,
    /// The handler's own trace, at most 8 KiB; never the server's.
    #[serde(default)]
    pub trace: Option<String>,
    /// When it happened.
    pub at: Timestamp,
}

/// How one opening of a task went.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Attempt {
    /// The life of the task that it belongs to.
    pub run: u32,
    /// The attempt's number in that run, from 1. Openings that cost nothing repeat it.
    pub attempt: u32,
    /// The opening's fencing token: the key of this row.
    pub token: Token,
    /// Who held it.
    pub worker: Option<String>,
    /// When it was opened.
    pub started_at: Timestamp,
    /// When it ended; nothing while it runs.
    pub ended_at: Option<Timestamp>,
    /// How it ended; nothing while it runs.
    pub outcome: Option<AttemptOutcome>,
    /// What went wrong.
    pub error: Option<TaskError>,
    /// When the next opening was due, if one followed.
    pub next_at: Option<Timestamp>,
}

/// The last word on one opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// The handler succeeded.
    Success,
    /// It failed and another attempt follows.
    Retry,
    /// It failed for the last time.
    Failed,
    /// The handler asked for later.
    Snoozed,
    /// The handler asked to throw the task away.
    Discarded,
    /// It was cancelled while it ran.
    Cancelled,
    /// It was given back.
    Released,
    /// Its lease was lost: the worker went away.
    Lost,
    /// The process that ran its handler died.
    Crashed,
}

impl AttemptOutcome {
    /// All outcomes with the words that stores keep.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Success, "success"),
        (Self::Retry, "retry"),
        (Self::Failed, "failed"),
        (Self::Snoozed, "snoozed"),
        (Self::Discarded, "discarded"),
        (Self::Cancelled, "cancelled"),
        (Self::Released, "released"),
        (Self::Lost, "lost"),
        (Self::Crashed, "crashed"),
    ];

    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(outcome, _)| *outcome == self).map_or("", |(_, word)| word)
    }

    /// Reads the word of the API.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, w)| *w == word).map(|(outcome, _)| *outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_later_opening_has_the_larger_token(
            a in (0u32..1 << 23, 0u64..1 << 40), b in (0u32..1 << 23, 0u64..1 << 40)
        ) {
            let (ta, tb) = (Token::new(a.0, a.1), Token::new(b.0, b.1));
            proptest::prop_assert_eq!(a.cmp(&b), ta.cmp(&tb));
            proptest::prop_assert_eq!(ta.epoch(), a.0);
            proptest::prop_assert_eq!(Token::from_number(ta.number()), ta);
        }
    }
}
