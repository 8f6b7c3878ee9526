//! How fast a queue may be handed out.

use longshore_core::queue::Rate;
use std::time::{Duration, Instant};

/// A bucket of hand-outs, filled evenly. It holds a tenth of a period's worth (at least one), so
/// that no period sees more than 1.1 times the rate.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: Option<Rate>,
    /// In hand-outs; parts of one count.
    level: f64,
    /// Taken out by claims that were not answered yet.
    out: f64,
    seen: Instant,
}

impl Bucket {
    /// Makes a full one; without a rate it never ends.
    pub(crate) fn new(rate: Option<Rate>, now: Instant) -> Self {
        let mut bucket = Self { rate, level: 0.0, out: 0.0, seen: now };
        bucket.level = bucket.size();
        bucket
    }

    /// Changes the rate; what is in it stays.
    pub(crate) fn change(&mut self, rate: Option<Rate>, now: Instant) {
        if rate != self.rate {
            self.fill(now);
            let before = self.rate.is_some();
            self.rate = rate;
            self.level = if before { self.level.min(self.size()) } else { self.size() };
        }
    }

    /// Takes as many as there are, at most `want`. If there are none, says how long to wait.
    pub(crate) fn take(&mut self, want: usize, now: Instant) -> Result<usize, Duration> {
        self.fill(now);
        let Some(per_second) = self.per_second() else {
            self.out += want as f64;
            return Ok(want);
        };
        if self.level < 1.0 {
            return Err(Duration::from_secs_f64(((1.0 - self.level) / per_second).min(3_600.0)));
        }
        let taken = (self.level.floor() as usize).min(want);
        self.level -= taken as f64;
        self.out += taken as f64;
        Ok(taken)
    }

    /// A claim that had taken so many out was answered; what it did not use comes back.
    pub(crate) fn settle(&mut self, taken: usize, used: usize) {
        self.out = (self.out - taken as f64).max(0.0);
        let unused = taken.saturating_sub(used) as f64;
        self.level = (self.level + unused).min((self.size() - self.out).max(0.0));
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.seen).as_secs_f64();
        self.seen = now;
        let more = self.per_second().unwrap_or(0.0) * passed;
        // What is out may still come back.
        self.level = (self.level + more).min((self.size() - self.out).max(self.level));
    }

    fn per_second(&self) -> Option<f64> {
        let rate = self.rate?;
        Some(f64::from(rate.count) / rate.per.as_secs_f64().max(1e-3))
    }

    fn size(&self) -> f64 {
        self.rate.map_or(0.0, |rate| (f64::from(rate.count) / 10.0).max(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(count: u32) -> Option<Rate> {
        Some(Rate { count, per: Duration::from_secs(1) })
    }

    #[test]
    fn no_second_sees_more_than_a_tenth_above_the_rate() {
        let began = Instant::now();
        let mut bucket = Bucket::new(rate(100), began);
        let mut taken = 0;
        for ms in 0..1_000 {
            let now = bucket.take(16, began + Duration::from_millis(ms)).unwrap_or(0);
            bucket.settle(now, now);
            taken += now;
        }
        assert!((100..=110).contains(&taken), "{taken}");
    }

    #[test]
    fn an_empty_bucket_says_how_long_to_wait() {
        let now = Instant::now();
        let mut bucket = Bucket::new(rate(4), now);
        assert_eq!(bucket.take(16, now), Ok(1));
        assert_eq!(bucket.take(16, now), Err(Duration::from_millis(250)));
        bucket.settle(1, 0);
        assert_eq!(bucket.take(16, now), Ok(1));
    }

    #[test]
    fn without_a_rate_it_never_ends() {
        let now = Instant::now();
        let mut bucket = Bucket::new(None, now);
        assert_eq!(bucket.take(1_000, now), Ok(1_000));
        bucket.change(rate(10), now);
        assert_eq!(bucket.take(1_000, now), Ok(1));
    }
}
