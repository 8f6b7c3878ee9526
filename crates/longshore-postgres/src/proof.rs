//! What statements that were sent anyway have shown of the database: whether a write would be served now.

use crate::error::Trouble;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// A write that was served is believed for so long: every server writes a sign of life more often.
const BELIEVED: Duration = Duration::from_secs(15);

/// What was shown last.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    shown: Mutex<Shown>,
    /// Rings when something was in the way: whoever asks how the database is asks now.
    pub(crate) doubts: Notify,
}

#[derive(Debug, Default)]
struct Shown {
    written: Option<Instant>,
    in_doubt: bool,
}

impl Proof {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write was served.
    pub(crate) fn note_write(&self) {
        *self.shown() = Shown { written: Some(Instant::now()), in_doubt: false };
    }

    /// Something was in the way, maybe of others too.
    pub(crate) fn doubt(&self, trouble: &Trouble) {
        self.shown().in_doubt = true;
        if matches!(trouble, Trouble::Full | Trouble::Away(_) | Trouble::Unknown(_)) {
            self.doubts.notify_one();
        }
    }

    /// Whether writes are served, as far as is known: else one has to be tried.
    pub(crate) fn is_writable(&self) -> bool {
        let shown = self.shown();
        !shown.in_doubt && shown.written.is_some_and(|at| at.elapsed() < BELIEVED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_believed_until_something_is_in_the_way() {
        let proof = Proof::default();
        assert!(!proof.is_writable(), "nothing is known yet");
        proof.note_write();
        assert!(proof.is_writable());
        proof.doubt(&Trouble::Late("a lock".to_owned()));
        assert!(!proof.is_writable());
        proof.note_write();
        assert!(proof.is_writable());
    }
}
