//! How fast a queue is handed out: by all who ask for its tasks together.

use crate::queue::Rate;
use std::time::Duration;

/// A clock that is set back by more than this is believed; a smaller difference is that of two servers.
const APART: i64 = 1_000_000;

/// A bucket of hand-outs, filled evenly. It holds a tenth of a period's worth (at least one), so that no period
/// sees more than 1.1 times the rate.
///
/// It is one number, so that a store can keep it in a row: the moment up to which time has been spent, in
/// microseconds of whichever clock the store judges it by. What passes after it may be spent on hand-outs.
///
/// ```
/// use longshore_core::bucket::Bucket;
/// # use longshore_core::queue::BadRate;
///
/// let rate = "20/s".parse()?;
/// let mut bucket = Bucket::default();
/// assert_eq!(bucket.free(rate, 1_000_000), 2);
/// bucket.take(rate, 1_000_000, 2);
/// assert_eq!(bucket.free(rate, 1_049_999), 0);
/// assert_eq!(bucket.free(rate, 1_050_000), 1);
/// # Ok::<(), BadRate>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    spent: i64,
}

impl Default for Bucket {
    /// A full one.
    fn default() -> Self {
        Self { spent: i64::MIN }
    }
}

impl Bucket {
    /// One of which time has been spent up to that moment.
    pub fn spent_until(micros: i64) -> Self {
        Self { spent: micros }
    }

    /// Returns up to which moment time has been spent.
    pub fn spent(self) -> i64 {
        self.spent
    }

    /// Returns how many may be handed out now.
    pub fn free(self, rate: Rate, now: i64) -> usize {
        let passed = now.saturating_sub(self.since(rate, now)).max(0);
        (passed as f64 / each(rate) + 1e-6).floor() as usize
    }

    /// Hands out so many.
    pub fn take(&mut self, rate: Rate, now: i64, count: usize) {
        let spent = (count as f64 * each(rate)).ceil() as i64;
        self.spent = self.since(rate, now).saturating_add(spent);
    }

    /// Returns how long to wait until one may be handed out, if nobody else takes it.
    pub fn wait(self, rate: Rate, now: i64) -> Duration {
        let one = self.since(rate, now).saturating_add(each(rate).ceil() as i64);
        Duration::from_micros(one.saturating_sub(now).max(0).unsigned_abs())
    }

    /// Since when time has not been spent; what does not fit into the bucket has run over.
    fn since(self, rate: Rate, now: i64) -> i64 {
        let size = (f64::from(rate.count) / 10.0).max(1.0);
        let full = now.saturating_sub((size * each(rate)).ceil() as i64);
        if self.spent > now.saturating_add(APART) { now } else { self.spent.max(full) }
    }
}

/// The time that one hand-out costs, in microseconds.
fn each(rate: Rate) -> f64 {
    rate.per.as_secs_f64() * 1e6 / f64::from(rate.count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn rate(count: u32) -> Rate {
        Rate { count, per: Duration::from_secs(1) }
    }

    /// Takes all that is free, once a millisecond, by so many askers whose clocks are that far apart.
    fn taken(rate: Rate, seconds: i64, askers: i64, apart: i64) -> usize {
        let (mut bucket, mut taken) = (Bucket::default(), 0);
        for ms in 0..seconds * 1_000 {
            let now = 1_700_000_000 * SECOND + ms * 1_000 + ms % askers * apart;
            let free = bucket.free(rate, now).min(16);
            bucket.take(rate, now, free);
            taken += free;
        }
        taken
    }

    #[test]
    fn no_second_sees_more_than_a_tenth_above_the_rate() {
        for count in [1, 3, 7, 100, 999, 5_000] {
            let most = count as usize + (count as usize / 10).max(1);
            let taken = taken(rate(count), 1, 1, 0);
            assert!((count as usize..=most).contains(&taken), "{taken} of {count}");
        }
    }

    #[test]
    fn over_a_long_time_the_rate_is_kept_exactly() {
        let taken = taken(rate(30), 100, 1, 0);
        assert!((3_000..=3_003).contains(&taken), "{taken}");
    }

    #[test]
    fn several_whose_clocks_are_apart_keep_it_together() {
        let taken = taken(rate(100), 10, 5, SECOND / 10);
        assert!((960..=1_060).contains(&taken), "{taken}");
    }

    #[test]
    fn an_empty_bucket_says_how_long_to_wait() {
        let (mut bucket, now) = (Bucket::default(), 77 * SECOND);
        assert_eq!((bucket.free(rate(4), now), bucket.wait(rate(4), now)), (1, Duration::ZERO));
        bucket.take(rate(4), now, 1);
        assert_eq!(bucket.free(rate(4), now), 0);
        assert_eq!(bucket.wait(rate(4), now), Duration::from_millis(250));
        assert_eq!(bucket.free(rate(4), now + SECOND / 4), 1);
        assert_eq!(bucket.free(rate(4), now + 100 * SECOND), 1, "more does not fit");
    }

    #[test]
    fn a_new_rate_holds_at_once() {
        let (mut bucket, now) = (Bucket::default(), 77 * SECOND);
        let an_hour = Rate { count: 1, per: Duration::from_secs(3_600) };
        bucket.take(an_hour, now, 1);
        assert_eq!(bucket.free(an_hour, now + SECOND), 0);
        assert_eq!(bucket.free(rate(10), now + SECOND), 1);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        let (mut bucket, now) = (Bucket::default(), 7_000 * SECOND);
        bucket.take(rate(2), now, 1);
        let earlier = now - 3_600 * SECOND;
        assert_eq!(bucket.free(rate(2), earlier), 0);
        assert_eq!(bucket.wait(rate(2), earlier), Duration::from_millis(500));
        bucket.take(rate(2), earlier, 0);
        assert_eq!(bucket.free(rate(2), earlier + SECOND / 2), 1);
    }
}
