//! Time that moves when a test says so.

use longshore_core::{Clock, Timestamp};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// A clock that stands still until it is told to move. Share it with `Arc`.
///
/// ```
/// use longshore_conformance::ManualClock;
/// use longshore_core::Clock;
/// use std::time::Duration;
/// let clock = ManualClock::new();
/// let (wall, monotonic) = (clock.now(), clock.monotonic());
/// clock.advance(Duration::from_secs(5));
/// clock.jump_wall(-3_600_000);
/// assert_eq!(clock.now().0, wall.0 + 5_000 - 3_600_000);
/// assert_eq!(clock.monotonic(), monotonic + Duration::from_secs(5));
/// ```
#[derive(Debug)]
pub struct ManualClock {
    wall_ms: AtomicI64,
    monotonic_ns: AtomicU64,
}

impl ManualClock {
    /// Starts at 2026-01-01T00:00:00Z.
    pub fn new() -> Self {
        Self::starting_at(Timestamp(1_767_225_600_000))
    }

    /// Starts at `wall`.
    pub fn starting_at(wall: Timestamp) -> Self {
        let monotonic_ns = AtomicU64::new(Duration::from_secs(1_000).as_nanos() as u64);
        Self { wall_ms: AtomicI64::new(wall.0), monotonic_ns }
    }

    /// Lets time pass: the wall clock and the monotonic clock move alike. Precise to the
    /// millisecond.
    pub fn advance(&self, by: Duration) {
        let ms = by.as_millis() as u64;
        self.wall_ms.fetch_add(ms as i64, Ordering::SeqCst);
        self.monotonic_ns.fetch_add(ms * 1_000_000, Ordering::SeqCst);
    }

    /// Sets the wall clock forward or back, as an administrator or NTP does. No time passes.
    pub fn jump_wall(&self, by_ms: i64) {
        self.wall_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.wall_ms.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.monotonic_ns.load(Ordering::SeqCst))
    }
}
