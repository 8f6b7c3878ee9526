//! How fast tasks are worked off, and so when it is worth to come back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Seconds that the rate looks back.
const WINDOW: u64 = 10;
/// One place for each second of the window, and one for the second that has begun.
const PLACES: usize = WINDOW as usize + 1;
/// Shortest and longest time that is told.
const TOLD: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// What is told while nothing ends.
const UNKNOWN: Duration = Duration::from_secs(5);
/// This part of what waits should be worked off before somebody comes back.
const PART: u64 = 10;

/// Counts ends by the second, over the last ten. Counting takes no lock.
#[derive(Debug)]
pub(crate) struct Drain {
    began: Instant,
    /// Number of the second (24 bits) and ends in it (40 bits).
    places: [AtomicU64; PLACES],
    waiting: AtomicU64,
}

impl Default for Drain {
    fn default() -> Self {
        let places = std::array::from_fn(|_| AtomicU64::new(0));
        Self { began: Instant::now(), places, waiting: AtomicU64::new(0) }
    }
}

impl Drain {
    /// Counts one end.
    pub(crate) fn ended(&self) {
        self.ended_at(self.began.elapsed().as_secs());
    }

    fn ended_at(&self, second: u64) {
        let place = &self.places[place_of(second)];
        let stamp = stamp(second);
        let count = |known: u64| {
            Some(if known & !ENDS == stamp { known.saturating_add(1) } else { stamp | 1 })
        };
        let _ = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
    }

    /// Notes how many tasks wait.
    pub(crate) fn note_waiting(&self, waiting: u64) {
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    /// Returns when a tenth of what waits will be worked off, as fast as it goes now: 1 to 60 s, and
    /// 5 s while nothing ends.
    pub(crate) fn retry_after(&self) -> Duration {
        self.retry_after_at(self.began.elapsed().as_secs())
    }

    fn retry_after_at(&self, second: u64) -> Duration {
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting == 0 {
            return TOLD.0;
        }
        match self.ends_before(second) {
            0 => UNKNOWN,
            ends => {
                let seconds = waiting.saturating_mul(WINDOW) / (ends.saturating_mul(PART)).max(1);
                Duration::from_secs(seconds).clamp(TOLD.0, TOLD.1)
            }
        }
    }

    /// Ends in the whole seconds of the window, and in the one that has begun.
    fn ends_before(&self, second: u64) -> u64 {
        let seconds = second.saturating_sub(WINDOW)..=second;
        let of = |second: u64| {
            let known = self.places[place_of(second)].load(Ordering::Relaxed);
            if known & !ENDS == stamp(second) { known & ENDS } else { 0 }
        };
        seconds.map(of).sum()
    }
}

/// The bits that count ends.
const ENDS: u64 = (1 << 40) - 1;

fn stamp(second: u64) -> u64 {
    // Never that of a place that nobody has used.
    (second + 1) << 40
}

fn place_of(second: u64) -> usize {
    usize::try_from(second % PLACES as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(waiting: u64, ends: u64, second: u64) -> u64 {
        let drain = Drain::default();
        drain.note_waiting(waiting);
        for end in 0..ends {
            drain.ended_at(end % WINDOW);
        }
        drain.retry_after_at(second).as_secs()
    }

    #[test]
    fn who_waits_longer_comes_back_later() {
        assert_eq!(told(0, 0, 10), 1);
        assert_eq!(told(1_000, 100, 10), 10);
        assert_eq!(told(2_000, 100, 10), 20);
        assert_eq!(told(1_000_000, 10, 10), 60);
        assert_eq!(told(10, 1_000, 10), 1);
    }

    #[test]
    fn what_ended_long_ago_does_not_count() {
        assert_eq!(told(1_000, 100, 100), 5);
        assert_eq!(told(1_000, 0, 3), 5);
    }

    #[test]
    fn a_place_is_used_again_for_a_later_second() {
        let drain = Drain::default();
        drain.ended_at(1);
        drain.ended_at(1 + PLACES as u64);
        assert_eq!(drain.ends_before(1 + PLACES as u64), 1);
    }
}
