//! What becomes of a slot when somebody looks at it.

use super::Timing;
use crate::Timestamp;
use crate::store::Missed;
use std::time::Duration;

/// A slot that nobody looked at for longer than this was missed.
pub const LATE: Duration = Duration::from_secs(2);

/// What becomes of a slot that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Whether it makes a task.
    pub fires: bool,
    /// The slot that is looked at next; with `Missed::All` it may have come already.
    pub next: Option<Timestamp>,
}

impl Turn {
    /// Judges a slot that has come, at most `now`. Of slots that were missed all are left out, one stands
    /// for all, or each has its turn; one that comes with at most [`LATE`] is as good as in time.
    pub fn of(slot: Timestamp, now: Timestamp, timing: &Timing, missed: Missed) -> Self {
        let bound = Timestamp(now.0.saturating_sub_unsigned(LATE.as_millis() as u64));
        let was_missed = slot < bound;
        let next = match missed {
            Missed::Skip | Missed::One if was_missed => {
                timing.next_after(Timestamp(bound.0.saturating_sub(1)))
            }
            _ => timing.next_after(slot),
        };
        Self { fires: !(was_missed && missed == Missed::Skip), next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-11-28T{text}Z")).unwrap()
    }

    fn turn(slot: &str, now: &str, missed: Missed) -> (bool, Timestamp) {
        let timing = Timing::parse("0 * * * *", "UTC").unwrap();
        let turn = Turn::of(at(slot), at(now), &timing, missed);
        (turn.fires, turn.next.unwrap())
    }

    #[test]
    fn a_slot_in_time_fires_whatever_the_policy() {
        for missed in [Missed::Skip, Missed::One, Missed::All] {
            for now in ["03:00:00", "03:00:00.090", "03:00:02"] {
                assert_eq!(turn("03:00:00", now, missed), (true, at("04:00:00")), "{now}");
            }
        }
    }

    #[test]
    fn missed_slots_are_left_out_or_stood_for_or_made_up() {
        let late = "06:30:00";
        assert_eq!(turn("03:00:00", late, Missed::Skip), (false, at("07:00:00")));
        assert_eq!(turn("03:00:00", late, Missed::One), (true, at("07:00:00")));
        assert_eq!(turn("03:00:00", late, Missed::All), (true, at("04:00:00")));
    }

    #[test]
    fn the_slot_of_now_is_not_lost_among_those_that_were_missed() {
        let now = "06:00:01.500";
        assert_eq!(turn("03:00:00", now, Missed::Skip), (false, at("06:00:00")));
        assert_eq!(turn("03:00:00", now, Missed::One), (true, at("06:00:00")));
    }
}
