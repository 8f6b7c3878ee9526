//! Tasks that were handed out to somebody who had gone: nobody holds them, so they are given back.

use longshore_core::store::LeaseRef;
use std::time::{Duration, Instant};

/// How soon they are given back, and the pause after the first failure; each later one is twice as long.
pub(super) const SOON: Duration = Duration::from_millis(10);
/// How often that is tried.
const TRIES: u32 = 10;

/// Those of the round that is under way, and those that could not be given back yet.
#[derive(Debug)]
pub(super) struct Homeless {
    now: Vec<Task>,
    later: Vec<Task>,
    /// The pause after a first failure.
    soon: Duration,
}

#[derive(Debug)]
struct Task {
    lease: LeaseRef,
    /// How often it could not be given back.
    tries: u32,
    /// When that is tried again.
    due: Instant,
}

impl Homeless {
    /// Makes one that pauses so long after a first failure.
    pub(super) fn new(soon: Duration) -> Self {
        Self { now: Vec::new(), later: Vec::new(), soon }
    }

    /// Takes in what nobody holds.
    pub(super) fn take(&mut self, leases: impl IntoIterator<Item = LeaseRef>) {
        let due = Instant::now();
        self.now.extend(leases.into_iter().map(|lease| Task { lease, tries: 0, due }));
    }

    /// How long the next one can wait, if there is any.
    pub(super) fn patience(&self) -> Option<Duration> {
        if !self.now.is_empty() {
            return Some(self.soon);
        }
        let due = self.later.iter().map(|task| task.due).min();
        due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    /// Tries again in this round what is due.
    pub(super) fn retry_due(&mut self) {
        let now = Instant::now();
        self.now.extend(self.later.extract_if(.., |task| task.due <= now));
    }

    /// Tries again in this round whatever was put off.
    pub(super) fn retry_all(&mut self) {
        self.now.append(&mut self.later);
    }

    /// Whether this round has nothing to give back.
    pub(super) fn is_empty(&self) -> bool {
        self.now.is_empty()
    }

    /// Those that this round gives back.
    pub(super) fn leases(&self) -> impl Iterator<Item = LeaseRef> + '_ {
        self.now.iter().map(|task| task.lease)
    }

    /// Puts off one that could not be given back. The others are tried without it in the next round: whatever is in the way holds
    /// this one up once.
    pub(super) fn put_off(&mut self, place: usize, why: &str) {
        tracing::warn!(%why, "what nobody waits for cannot be given back yet");
        let mut stuck = self.now.remove(place);
        self.later.append(&mut self.now);
        stuck.due = Instant::now() + self.soon * 2_u32.pow(stuck.tries);
        stuck.tries += 1;
        if stuck.tries < TRIES { self.later.push(stuck) } else { stuck.lose() }
    }

    /// Forgets those of this round, which were given back.
    pub(super) fn given_back(&mut self) {
        self.now.clear();
    }

    /// Gives up on all that is left.
    pub(super) fn lose_all(&mut self) {
        self.now.drain(..).chain(self.later.drain(..)).for_each(Task::lose);
    }
}

impl Task {
    fn lose(self) {
        let task = self.lease.id;
        tracing::warn!(%task, "what nobody waits for could not be given back: the next start takes it for a death");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::task::Seq;
    use longshore_core::{TaskId, Token};

    const AN_HOUR: Duration = Duration::from_secs(3_600);

    fn lease(number: i64) -> LeaseRef {
        LeaseRef {
            id: TaskId(uuid::Uuid::from_u128(1)),
            seq: Seq(number),
            token: Token::from_number(number),
        }
    }

    #[test]
    fn the_others_are_tried_without_the_one_that_is_stuck() {
        let mut homeless = Homeless::new(AN_HOUR);
        homeless.take([lease(1), lease(2), lease(3)]);
        homeless.put_off(1, "stuck");
        assert!(homeless.is_empty());
        homeless.retry_due();
        assert_eq!(homeless.leases().collect::<Vec<_>>(), [lease(1), lease(3)]);
        homeless.given_back();
        assert!(homeless.patience().is_some_and(|patience| patience <= AN_HOUR));
        homeless.retry_all();
        assert_eq!(homeless.leases().collect::<Vec<_>>(), [lease(2)]);
    }

    #[test]
    fn what_can_never_be_given_back_is_left_alone_at_last() {
        let mut homeless = Homeless::new(SOON);
        homeless.take([lease(1)]);
        for tries in 1..=TRIES {
            assert!(homeless.patience().is_some(), "before try {tries}");
            homeless.retry_all();
            homeless.put_off(0, "stuck");
        }
        assert_eq!(homeless.patience(), None);
    }
}
