//! The identity of a task, and the place that it carries.
//!
//! An id of ours is a UUID of version 7: 48 bits are milliseconds since 1970, and behind them stands a number that
//! counts within the millisecond. Both together are a place: a number that grows from one id to the next, and
//! that a store may lay the task at. Whoever knows the id then knows where to look, and no index has to be kept that
//! leads from one to the other.
//!
//! | bits | what |
//! |---|---|
//! | 48 | milliseconds since 1970 |
//! | 4 | version 7 |
//! | 12 + 9 | the number within the millisecond; it begins anywhere in the lower half |
//! | 2 | variant, between the two parts of that number |
//! | 20 | mark: a hash of the place, by which ids of ours are told from other people's |
//! | 33 | random |

use crate::Timestamp;
use crate::task::Seq;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::{Uuid, Variant};

/// 2020-01-01, in milliseconds since 1970: places count from here on.
const DAWN: i64 = 1_577_836_800_000;
/// Bits of a place below its milliseconds. The topmost of them says that the place was [drawn](TaskId::place).
const LOW: u32 = 22;
/// Ids of one millisecond: they take the places below this one.
const DRAWN: i64 = 1 << (LOW - 1);
/// Places below this one were never carried by an id: they stand for the first minutes of 2020.
const LEAST: i64 = 1 << 41;
const MARK_BITS: u32 = 20;
const RANDOM_BITS: u32 = 33;

/// The last place of this process.
static LAST: AtomicI64 = AtomicI64::new(0);

/// The identity of a task: a UUID, made by the server as version 7 unless the client brings one.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct TaskId(pub Uuid);

impl TaskId {
    /// Makes a new id; later ones sort after earlier ones of this process.
    pub fn fresh() -> Self {
        let random = Uuid::new_v4().as_u128();
        let place = next_place(&LAST, now(), (random as i64) & (DRAWN / 2 - 1));
        Self::at(place, random >> (128 - RANDOM_BITS))
    }

    /// The place that an id of ours carries: milliseconds since 2020-01-01 times 2^22, and a number below 2^21 that
    /// counts within the millisecond.
    ///
    /// It grows from one id of a process to the next. Two processes may come to the same place, though seldom: a store
    /// that lays tasks at these places draws another one then, and for an id that somebody else made. What it draws has
    /// the bit 2^21, so that it can be told from a place that an id leads to.
    pub fn place(self) -> Option<Seq> {
        let bits = self.0.as_u128();
        if self.0.get_version_num() != 7 || self.0.get_variant() != Variant::RFC4122 {
            return None;
        }
        let since = i64::try_from(bits >> 80).ok()?.checked_sub(DAWN)?;
        let number = ((bits >> 64) as i64 & 0xFFF) << 9 | (bits >> 53) as i64 & 0x1FF;
        let place = since.checked_mul(1 << LOW)? | number;
        let mark = (bits >> RANDOM_BITS) as u32 & ((1 << MARK_BITS) - 1);
        (place >= LEAST && mark == mark_of(place)).then_some(Seq(place))
    }

    fn at(place: i64, random: u128) -> Self {
        let millis = (place >> LOW).saturating_add(DAWN).unsigned_abs();
        let number = (place & (DRAWN - 1)).unsigned_abs();
        let bits = u128::from(millis) << 80
            | 7 << 76
            | u128::from(number >> 9) << 64
            | 2 << 62
            | u128::from(number & 0x1FF) << 53
            | u128::from(mark_of(place)) << RANDOM_BITS
            | random;
        Self(Uuid::from_u128(bits))
    }
}

/// The time that a place stands for, carried by an id or drawn; nothing for a smaller number, which is no such place.
pub fn time_of(place: Seq) -> Option<Timestamp> {
    (place.0 >= LEAST).then_some(Timestamp((place.0 >> LOW) + DAWN))
}

/// Milliseconds since [`DAWN`].
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_sub(DAWN).max(0)
}

/// The next place of this process. A millisecond begins at some number, so that two processes seldom meet; when its
/// numbers are used up, or the clock was set back, the places go on by themselves.
fn next_place(last: &AtomicI64, now: i64, number: i64) -> i64 {
    let first = now << LOW | number;
    let behind = |last: i64| match last + 1 {
        next if next & DRAWN != 0 => ((next >> LOW) + 1) << LOW,
        next => next,
    };
    let next = |last| Some(first.max(behind(last)));
    let last = last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    first.max(behind(last.unwrap_or_default()))
}

/// A hash of few bits.
fn mark_of(place: i64) -> u32 {
    let mixed = place.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    u32::try_from(mixed >> (64 - MARK_BITS)).unwrap_or_default()
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::str::FromStr for TaskId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn an_id_is_a_uuid_of_version_7_and_carries_a_place_of_its_own() {
        let before = now();
        let ids: Vec<TaskId> = (0..100_000).map(|_| TaskId::fresh()).collect();
        let places: Vec<i64> = ids.iter().map(|id| id.place().expect("ours").0).collect();
        assert!(ids.is_sorted() && places.is_sorted());
        assert_eq!(places.iter().collect::<HashSet<_>>().len(), ids.len());
        assert_eq!(ids[0].0.get_version_num(), 7);
        let millis = ids[0].0.get_timestamp().map(|at| at.to_unix()).map(|(s, nanos)| {
            i64::try_from(s).unwrap() * 1_000 + i64::from(nanos / 1_000_000) - DAWN
        });
        assert!(millis.is_some_and(|at| (before..before + 60_000).contains(&at)), "{millis:?}");
        assert!(places.iter().all(|place| place & DRAWN == 0), "none looks drawn");
    }

    #[test]
    fn what_an_id_says_is_what_it_was_made_of() {
        for place in [LEAST, i64::MAX & !DRAWN, 12_345_678_901 << LOW | (DRAWN - 1)] {
            let id = TaskId::at(place, (1 << RANDOM_BITS) - 1);
            assert_eq!(id.place(), Some(Seq(place)), "{id}");
            let time = time_of(Seq(place)).map(|time| time.0.unsigned_abs());
            assert_eq!(time.map(u128::from), Some(id.0.as_u128() >> 80), "{id}");
        }
        assert_eq!(time_of(Seq(LEAST - 1)), None);
    }

    #[test]
    fn other_peoples_ids_carry_none() {
        assert_eq!(TaskId(Uuid::new_v4()).place(), None);
        assert_eq!(TaskId(Uuid::nil()).place(), None);
        assert_eq!(TaskId(Uuid::max()).place(), None);
        let strangers = (0..10_000).filter(|_| TaskId(Uuid::now_v7()).place().is_some());
        assert!(strangers.count() < 5);
        assert_eq!(TaskId::at(LEAST - 1, 0).place(), None, "from the first minutes of 2020");
    }

    #[test]
    fn numbers_of_a_millisecond_that_is_full_go_on_in_the_next() {
        let last = AtomicI64::new(0);
        assert_eq!(next_place(&last, 7, DRAWN - 1), 7 << LOW | (DRAWN - 1));
        assert_eq!(next_place(&last, 7, 0), 8 << LOW);
        assert_eq!(next_place(&last, 3, 5), 8 << LOW | 1, "the clock was set back");
    }
}
