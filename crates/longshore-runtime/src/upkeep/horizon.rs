//! What upkeep is known to be ahead: what a shared store said the last time that it was asked how everything stands.
//!
//! So a duty on such a store asks nothing while there is nothing to do. Where nothing is known (a store that is not
//! shared, one that does not answer), a duty asks for itself.

use longshore_core::Timestamp;
use longshore_core::store::Agenda;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What was said longer ago is not known any more.
const KNOWN: Duration = Duration::from_secs(5);
/// What is late by so much is done by whoever sees it: the leader may have stopped.
pub(super) const LATE: Duration = Duration::from_secs(2);

/// What is known, as it changes.
#[derive(Debug, Clone)]
pub(crate) struct Horizon(watch::Sender<Option<Seen>>);

/// What was said, and when that was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) asked: Instant,
    pub(super) agenda: Agenda,
}

impl Default for Horizon {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Horizon {
    /// Notes what the store said when it was asked at that moment.
    pub(super) fn show(&self, asked: Instant, agenda: Agenda) {
        self.0.send_replace(Some(Seen { asked, agenda }));
    }

    /// Returns what is known.
    pub(super) fn seen(&self) -> Option<Seen> {
        self.0.borrow().filter(|seen| seen.asked.elapsed() < KNOWN)
    }

    /// Looks at one thing of it, for one duty.
    pub(super) fn look_for(&self, what: fn(&Agenda) -> Option<Timestamp>) -> Foresight {
        Foresight { horizon: self.clone(), what, own: None, shown: self.0.subscribe() }
    }
}

/// When one duty has something to do next.
pub(super) struct Foresight {
    horizon: Horizon,
    what: fn(&Agenda) -> Option<Timestamp>,
    /// What the duty was told when it asked for itself.
    own: Option<(Instant, Option<Timestamp>)>,
    shown: watch::Receiver<Option<Seen>>,
}

impl Foresight {
    /// Returns when there is something to do, the later word of two: `Some(None)` if there is nothing, nothing if it
    /// is not known.
    pub(super) fn next(&self) -> Option<Option<Timestamp>> {
        let seen = self.horizon.seen()?;
        match self.own {
            Some((asked, next)) if asked > seen.asked => Some(next),
            _ => Some((self.what)(&seen.agenda)),
        }
    }

    /// Notes what the duty was told when it asked at that moment.
    pub(super) fn note(&mut self, asked: Instant, next: Option<Timestamp>) {
        self.own = Some((asked, next));
    }

    /// Returns once more is known.
    pub(super) async fn changed(&mut self) {
        if self.shown.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_word_holds() {
        let horizon = Horizon::default();
        let mut due = horizon.look_for(|agenda| agenda.due);
        assert_eq!(due.next(), None, "nobody has said anything");
        let began = Instant::now();
        let agenda = |ms| Agenda { due: Some(Timestamp(ms)), ..Agenda::default() };
        horizon.show(began, agenda(1));
        assert_eq!(due.next(), Some(Some(Timestamp(1))));
        due.note(began + Duration::from_millis(1), None);
        assert_eq!(due.next(), Some(None));
        horizon.show(began + Duration::from_millis(2), agenda(3));
        assert_eq!(due.next(), Some(Some(Timestamp(3))));
    }

    #[test]
    fn what_was_said_long_ago_is_not_known() {
        let horizon = Horizon::default();
        let long_ago = Instant::now().checked_sub(KNOWN).expect("this machine runs for longer");
        horizon.show(long_ago, Agenda::default());
        assert_eq!(horizon.look_for(|agenda| agenda.due).next(), None);
    }
}
