//! Wrong tries, counted by address and by key.
//!
//! An address with too many is answered no more, whatever it shows, until its minute is over. A key
//! that is guessed at from many addresses goes on to serve those who have it: only the guesses are
//! told to wait. Room for what is counted is bounded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many wrong tries are answered in [`WINDOW`].
pub(super) const LIMIT: u32 = 10;
/// It begins with the first wrong try.
const WINDOW: Duration = Duration::from_secs(60);
/// So many addresses and keys are counted at a time.
const ROOM: usize = 10_000;

/// Whose tries are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    /// Those from an address.
    Address(IpAddr),
    /// Those for the key of this id.
    Key(Arc<str>),
}

impl Whose {
    /// Those from an address. Who has one of IPv6 has all of its /64.
    pub(super) fn of(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(six) => IpAddr::V6((u128::from(six) & !u128::from(u64::MAX)).into()),
            four => four,
        })
    }
}

/// Wrong tries of the last minute.
#[derive(Debug, Default)]
pub(super) struct Tries(HashMap<Whose, Count>);

#[derive(Debug, Clone, Copy)]
struct Count {
    since: Instant,
    wrong: u32,
}

impl Tries {
    /// Returns how long no try is answered, if there were too many.
    pub(super) fn wait(&self, whose: &Whose, now: Instant) -> Option<Duration> {
        let count = self.0.get(whose).filter(|count| count.wrong >= LIMIT)?;
        (count.since + WINDOW).checked_duration_since(now).filter(|wait| !wait.is_zero())
    }

    /// Counts a wrong try; returns how many there were with it.
    pub(super) fn wrong(&mut self, whose: Whose, now: Instant) -> u32 {
        if !self.0.contains_key(&whose) && self.0.len() >= ROOM {
            self.make_room(now);
        }
        let count = self.0.entry(whose).or_insert(Count { since: now, wrong: 0 });
        if now.saturating_duration_since(count.since) >= WINDOW {
            *count = Count { since: now, wrong: 0 };
        }
        count.wrong = count.wrong.saturating_add(1);
        count.wrong
    }

    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, count| now.saturating_duration_since(count.since) < WINDOW);
        if self.0.len() >= ROOM
            && let Some(oldest) = self.0.iter().min_by_key(|(_, count)| count.since)
        {
            let oldest = oldest.0.clone();
            self.0.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u32) -> Whose {
        Whose::of(IpAddr::V4((0x0a00_0000 + last).into()))
    }

    #[test]
    fn after_too_many_wrong_tries_an_address_waits_for_the_end_of_its_minute() {
        let (mut tries, start) = (Tries::default(), Instant::now());
        for _ in 0..LIMIT {
            assert_eq!(tries.wait(&address(1), start), None);
            tries.wrong(address(1), start);
        }
        let later = start + Duration::from_secs(20);
        assert_eq!(tries.wait(&address(1), later), Some(Duration::from_secs(40)));
        assert_eq!(tries.wait(&address(2), later), None);
        assert_eq!(tries.wait(&address(1), start + WINDOW), None);
        assert_eq!(tries.wrong(address(1), start + WINDOW), 1);
    }

    #[test]
    fn so_many_addresses_are_counted_and_no_more() {
        let (mut tries, start) = (Tries::default(), Instant::now());
        for last in 0..2 * ROOM as u32 {
            tries.wrong(address(last), start + Duration::from_millis(u64::from(last)));
        }
        assert_eq!(tries.0.len(), ROOM);
    }

    #[test]
    fn who_has_an_address_of_ipv6_has_its_whole_network() {
        let of = |text: &str| Whose::of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
