//! When a component that failed is started again: pure, so that it is tested without waiting.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

/// When a component is started again, and when no more.
///
/// ```
/// use longshore_runtime::supervisor::Restart;
/// let pauses: Vec<_> = (1..=5).map(|n| Restart::default().pause_after(n).as_secs_f64()).collect();
/// assert_eq!(pauses, [1.0, 2.0, 3.0, 4.5, 6.75]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Restart {
    /// Pause after the first failure; twice as long after the second. Default: 1 s.
    pub first: Duration,
    /// From the third failure on each pause is so many times the one before. Default: 1.5.
    pub factor: f64,
    /// Longest pause. Default: 30 s.
    pub cap: Duration,
    /// So many failures within `within` are too many. Default: 10.
    pub limit: usize,
    /// How far back failures count. Default: 5 min.
    pub within: Duration,
    /// Having been ready for so long counts as success: pauses begin anew. Default: 1 min.
    pub calm: Duration,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            factor: 1.5,
            cap: Duration::from_secs(30),
            limit: 10,
            within: Duration::from_secs(300),
            calm: Duration::from_secs(60),
        }
    }
}

impl Restart {
    /// Never starts again: the first failure is one too many.
    pub fn never() -> Self {
        Self { limit: 1, ..Self::default() }
    }

    /// Returns the pause after failure number `n` in a row, from 1.
    pub fn pause_after(&self, n: u32) -> Duration {
        let times = match n {
            0 | 1 => 1.0,
            n => 2.0 * self.factor.powi(i32::try_from(n - 2).unwrap_or(i32::MAX)),
        };
        let seconds = (self.first.as_secs_f64() * times).min(self.cap.as_secs_f64());
        Duration::try_from_secs_f64(seconds).unwrap_or(self.cap)
    }
}

/// The failures of one component so far.
#[derive(Debug, Default)]
pub(super) struct Failures {
    recent: VecDeque<Duration>,
    in_a_row: u32,
}

impl Failures {
    /// Counts a failure at `now` (monotonic) of a component that had been ready for so long.
    /// Returns the pause before its next start; nothing if these were too many.
    pub(super) fn count(
        &mut self,
        restart: &Restart,
        now: Duration,
        ready_for: Duration,
    ) -> Option<Duration> {
        self.in_a_row = if ready_for >= restart.calm { 1 } else { self.in_a_row + 1 };
        self.recent.push_back(now);
        self.recent.retain(|at| now.saturating_sub(*at) < restart.within);
        (self.recent.len() < restart.limit).then(|| restart.pause_after(self.in_a_row))
    }
}

/// Waits between a failure and the next start. Tests wait without time passing.
pub trait Pause: Send + Sync + fmt::Debug {
    /// Returns after that time.
    fn pause(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// Waits for real.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealPause;

impl Pause for RealPause {
    fn pause(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_grow_to_half_a_minute() {
        let pauses = (1..=12).map(|n| Restart::default().pause_after(n).as_secs_f64());
        let expected =
            [1.0, 2.0, 3.0, 4.5, 6.75, 10.125, 15.1875, 22.78125, 30.0, 30.0, 30.0, 30.0];
        assert_eq!(pauses.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_endless_row_of_failures_stays_at_the_cap() {
        assert_eq!(Restart::default().pause_after(u32::MAX), Duration::from_secs(30));
    }

    #[test]
    fn ten_failures_in_five_minutes_are_too_many() {
        let (restart, mut failures) = (Restart::default(), Failures::default());
        let again = (0..10).map(|n| failures.count(&restart, 29 * n * SECOND, Duration::ZERO));
        let again: Vec<_> = again.map(|pause| pause.is_some()).collect();
        assert_eq!(again, [true, true, true, true, true, true, true, true, true, false]);
    }

    #[test]
    fn failures_that_lie_far_back_do_not_count() {
        let (restart, mut failures) = (Restart::default(), Failures::default());
        let mut again = (0..100).map(|n| failures.count(&restart, 34 * n * SECOND, Duration::ZERO));
        assert!(again.all(|pause| pause.is_some()));
    }

    #[test]
    fn a_calm_minute_makes_pauses_short_again() {
        let (restart, mut failures) = (Restart::default(), Failures::default());
        for _ in 0..5 {
            failures.count(&restart, SECOND, Duration::ZERO);
        }
        assert_eq!(failures.count(&restart, 90 * SECOND, 60 * SECOND), Some(SECOND));
    }
}
