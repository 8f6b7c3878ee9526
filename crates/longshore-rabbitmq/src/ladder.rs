//! The ladder of pauses: one queue for each rung, whose messages all wait equally long, so that none blocks another.

use std::time::Duration;

/// The rungs: every pause is rounded up to the next one, and a longer one takes several.
pub(crate) const RUNGS: [Duration; 11] = {
    let secs = Duration::from_secs;
    [
        secs(1),
        secs(2),
        secs(5),
        secs(10),
        secs(30),
        secs(60),
        secs(120),
        secs(300),
        secs(600),
        secs(1_800),
        secs(3_600),
    ]
};

/// Names of the rungs' queues and exchanges.
const NAMES: [&str; 11] = [
    "ls.delay.1s",
    "ls.delay.2s",
    "ls.delay.5s",
    "ls.delay.10s",
    "ls.delay.30s",
    "ls.delay.1m",
    "ls.delay.2m",
    "ls.delay.5m",
    "ls.delay.10m",
    "ls.delay.30m",
    "ls.delay.1h",
];

/// Carries what is left of a long pause, in milliseconds.
pub(crate) const LEFT: &str = "ls-delay-left";

/// One rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rung {
    pub(crate) name: &'static str,
    pub(crate) pause: Duration,
}

/// Returns the first rung of a pause, and what is left of it afterwards.
pub(crate) fn first(pause: Duration) -> (Rung, Duration) {
    let at = RUNGS.iter().position(|rung| *rung >= pause).unwrap_or(RUNGS.len() - 1);
    let rung = Rung { name: NAMES[at], pause: RUNGS[at] };
    (rung, pause.saturating_sub(rung.pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rungs(mut pause: Duration) -> Vec<&'static str> {
        let mut taken = Vec::new();
        loop {
            let (rung, left) = first(pause);
            taken.push(rung.name);
            if left.is_zero() {
                return taken;
            }
            pause = left;
        }
    }

    #[test]
    fn a_pause_is_rounded_up_to_the_next_rung() {
        let millis = Duration::from_millis;
        assert_eq!(rungs(Duration::ZERO), ["ls.delay.1s"]);
        assert_eq!(rungs(millis(1_000)), ["ls.delay.1s"]);
        assert_eq!(rungs(millis(1_001)), ["ls.delay.2s"]);
        assert_eq!(rungs(millis(59_000)), ["ls.delay.1m"]);
        assert_eq!(rungs(Duration::from_secs(3_600)), ["ls.delay.1h"]);
    }

    #[test]
    fn a_longer_one_takes_several() {
        assert_eq!(rungs(Duration::from_secs(3_601)), ["ls.delay.1h", "ls.delay.1s"]);
        assert_eq!(
            rungs(Duration::from_secs(3 * 3_600 - 60)),
            ["ls.delay.1h", "ls.delay.1h", "ls.delay.1h"]
        );
    }

    #[test]
    fn names_say_how_long() {
        for (name, pause) in NAMES.iter().zip(RUNGS) {
            let expected = format!("ls.delay.{}", longshore_core::Span(pause));
            assert_eq!(*name, expected);
        }
    }
}
