//! How many tasks of a queue may run at once in this process, and how many are fetched ahead.
//!
//! A slot that is free waits for the answer to a claim, which is as long as a sync of the disk. With
//! many slots and short handlers that would be felt, so a few tasks more than there are slots are
//! fetched: one for each eight slots, while handlers take less than a second.

use super::permits::{Permit, Permits};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Slots for each task that is fetched ahead.
const PER_AHEAD: usize = 8;
/// Nothing is fetched ahead of handlers that take longer.
const SHORT: Duration = Duration::from_secs(1);
/// What handlers are thought to take until they have shown otherwise.
const LONG: Duration = Duration::from_secs(8);

/// The slots of one queue. Their number may change while they are in use.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    /// Tasks that may be held at once.
    places: Permits,
    /// Those of them that may run at once.
    turns: Permits,
    /// Claims that are made at the same time; each takes at most its share.
    claims: usize,
    pace: Arc<Mutex<Pace>>,
}

#[derive(Debug)]
struct Pace {
    /// How many slots there are to be.
    count: usize,
    /// How long handlers took lately.
    mean: Duration,
}

impl Pace {
    fn is_short(&self) -> bool {
        self.mean < SHORT
    }
}

/// Room for one task; free again when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Slots,
    _place: Permit,
    turn: Option<Permit>,
}

impl Slot {
    /// Returns whether its task may run now.
    pub(crate) fn has_turn(&mut self) -> bool {
        if self.turn.is_none() {
            self.turn = self.slots.turns.one_now();
        }
        self.turn.is_some()
    }

    /// Returns once its task may run.
    pub(crate) async fn turn(&mut self) {
        if !self.has_turn() {
            self.turn = self.slots.turns.one().await;
        }
    }

    /// Notes how long its handler took; nothing if it waited for its turn in vain.
    pub(crate) fn ran(&self, took: Option<Duration>) {
        let mut pace = self.slots.pace();
        let before = pace.is_short();
        pace.mean = match took {
            // A pause after work of that sort: it must prove itself again.
            None => LONG,
            Some(took) => pace.mean - pace.mean / 8 + took.min(LONG) / 8,
        };
        if before != pace.is_short() {
            self.slots.apply(&pace);
        }
    }
}

impl Slots {
    /// Makes so many slots, to be shared by `claims` claims that are made at the same time.
    pub(crate) fn new(count: usize, claims: usize) -> Self {
        Self {
            places: Permits::new(count),
            turns: Permits::new(count),
            claims: claims.max(1),
            pace: Arc::new(Mutex::new(Pace { count, mean: LONG })),
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes their number.
    pub(crate) fn resize(&self, count: usize) {
        let mut pace = self.pace();
        pace.count = count;
        self.apply(&pace);
    }

    fn apply(&self, pace: &Pace) {
        let ahead = if pace.is_short() { pace.count / PER_AHEAD } else { 0 };
        self.turns.resize(pace.count);
        self.places.resize(pace.count + ahead);
    }

    /// Waits for room for one task, and takes as much more as there is, at most a fair share.
    pub(crate) async fn take(&self) -> Vec<Slot> {
        self.take_at_most(self.places.wanted().div_ceil(self.claims)).await
    }

    /// Waits for room for one task, and takes as much more as there is, for at most so many.
    pub(crate) async fn take_at_most(&self, most: usize) -> Vec<Slot> {
        let Some(first) = self.places.one().await else { return Vec::new() };
        // Handlers that are about to return go first, so that one claim serves them all.
        tokio::task::yield_now().await;
        let more = self.places.some_now(most.saturating_sub(1));
        let slot = |place| Slot { slots: self.clone(), _place: place, turn: None };
        std::iter::once(first).chain(more).map(slot).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_few_more_are_held_than_run() {
        let slots = Slots::new(32, 1);
        for slot in slots.take().await {
            slot.ran(Some(Duration::from_millis(1)));
        }
        let mut taken = slots.take().await;
        assert_eq!(taken.len(), 36);
        let turns = taken.iter_mut().filter_map(|slot| slot.has_turn().then_some(())).count();
        assert_eq!(turns, 32);
        let waiting = taken.len() - 1;
        assert!(!taken[waiting].has_turn());
        taken.remove(0);
        assert!(taken[waiting - 1].has_turn());
    }

    #[tokio::test]
    async fn nothing_is_fetched_ahead_of_few_slots_or_slow_handlers() {
        for (count, took) in [(4, Duration::ZERO), (32, Duration::from_secs(60))] {
            let slots = Slots::new(count, 1);
            for slot in slots.take().await {
                slot.ran(Some(took));
            }
            assert_eq!(slots.take().await.len(), count);
        }
    }
}
