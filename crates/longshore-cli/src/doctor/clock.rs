//! Whether the clock of this machine can be trusted.

use super::Finding;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long both clocks are watched.
const WATCH: Duration = Duration::from_millis(200);
/// They may differ by so much.
const LEEWAY: Duration = Duration::from_millis(50);
/// No machine of today is before 2025.
const EARLIEST: Duration = Duration::from_secs(1_735_689_600);

const SYNC: &str = "set it and keep it right: timedatectl set-ntp true";

/// Watches the wall clock beside the monotonic one for a moment.
pub(super) fn check() -> Finding {
    let (wall, steady) = (SystemTime::now(), Instant::now());
    std::thread::sleep(WATCH);
    let steady = steady.elapsed();
    let moved = match wall.elapsed() {
        Ok(wall) => wall.abs_diff(steady),
        // It went back.
        Err(back) => back.duration() + steady,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    judged(now, moved)
}

fn judged(now: Duration, moved: Duration) -> Finding {
    if now < EARLIEST {
        return Finding::fail("clock", "the clock shows a time before 2025", SYNC);
    }
    if moved > LEEWAY {
        let found = format!("the clock was moved by {} ms just now", moved.as_millis());
        return Finding::warn("clock", found, SYNC);
    }
    Finding::ok("clock", "runs evenly")
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_clock_that_jumps_or_lives_in_the_past_is_told() {
        let now = EARLIEST * 2;
        assert_eq!(judged(now, Duration::ZERO).verdict, Verdict::Ok);
        assert_eq!(judged(now, Duration::from_secs(3)).verdict, Verdict::Warn);
        assert_eq!(judged(Duration::ZERO, Duration::ZERO).verdict, Verdict::Fail);
    }
}
