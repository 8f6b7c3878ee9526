//! What was seen of leases, and when: by the clock that only grows, and by nobody else's.
//!
//! The database keeps counters of renewals, never times. A lease that this store granted or extended is
//! known to the moment; one of another store lasts from when a change of its counter was first seen here. So a
//! wall clock that jumps rescues nobody, and whoever was away for a while gives everybody a full lease.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A counter, and since when it stands where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) count: i64,
    pub(crate) since: Duration,
}

/// Counters that were seen, by name.
#[derive(Debug)]
pub(crate) struct Counters<K>(HashMap<K, Seen>);

impl<K> Default for Counters<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq> Counters<K> {
    /// Notes where a counter stands; returns since when it does.
    pub(crate) fn look(&mut self, key: K, count: i64, tick: Duration) -> Duration {
        let seen = self.0.entry(key).or_insert(Seen { count, since: tick });
        if seen.count != count {
            *seen = Seen { count, since: tick };
        }
        seen.since
    }

    /// Returns since when a counter stands, as far as was seen.
    pub(crate) fn since<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<Duration>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.get(key).map(|seen| seen.since)
    }

    /// Notes a change that was made here.
    pub(crate) fn set(&mut self, key: K, count: i64, tick: Duration) {
        self.0.insert(key, Seen { count, since: tick });
    }

    /// Forgets a counter.
    pub(crate) fn forget(&mut self, key: &K) {
        self.0.remove(key);
    }

    /// Forgets all but these.
    pub(crate) fn keep(&mut self, is_kept: impl Fn(&K) -> bool) {
        self.0.retain(|key, _| is_kept(key));
    }

    /// Lets all of them stand since now.
    pub(crate) fn grant_grace(&mut self, tick: Duration) {
        for seen in self.0.values_mut() {
            seen.since = tick;
        }
    }
}

/// A cancel that was asked of a holder: its version, and when its grace is over.
#[derive(Debug, Clone, Copy)]
struct Cancel {
    version: i64,
    length: Duration,
    until: Duration,
}

/// Everything that is watched.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Timed leases: by place and token.
    pub(crate) leases: Counters<(i64, i64)>,
    /// Opened stores, by epoch.
    pub(crate) instances: Counters<i32>,
    /// Offices; the number of a term and its renewals make one counter.
    pub(crate) terms: Counters<String>,
    /// Workers that announced themselves.
    pub(crate) workers: Counters<String>,
    cancels: HashMap<(i64, i64), Cancel>,
    /// Who was last seen in each office, and how long the term lasts.
    officers: HashMap<String, (String, Duration)>,
}

impl Watch {
    /// Notes who is in an office, where the counter of the term stands, and how long it lasts.
    pub(crate) fn look_at_term(
        &mut self,
        name: &str,
        holder: &str,
        count: i64,
        lasts: Duration,
        tick: Duration,
    ) -> Duration {
        self.officers.insert(name.to_owned(), (holder.to_owned(), lasts));
        self.terms.look(name.to_owned(), count, tick)
    }

    /// Notes a term that was begun or renewed here.
    pub(crate) fn set_term(
        &mut self,
        name: String,
        holder: String,
        count: i64,
        lasts: Duration,
        tick: Duration,
    ) {
        self.officers.insert(name.clone(), (holder, lasts));
        self.terms.set(name, count, tick);
    }

    /// Whose term it is, as far as was seen; nothing if it may be over.
    pub(crate) fn officer(&self, name: &str, tick: Duration) -> Option<&str> {
        let (holder, lasts) = self.officers.get(name)?;
        let since = self.terms.since(name)?;
        (since.saturating_add(*lasts) > tick).then_some(holder)
    }

    /// Returns when the grace of a cancel is over; one that is new here has all of it.
    pub(crate) fn cancel_until(
        &mut self,
        held: (i64, i64),
        version: i64,
        length: Duration,
        tick: Duration,
    ) -> Duration {
        let fresh = Cancel { version, length, until: tick.saturating_add(length) };
        let cancel = self.cancels.entry(held).or_insert(fresh);
        if cancel.version != version {
            // A later cancel may only have shortened it.
            *cancel = Cancel { until: fresh.until.min(cancel.until), ..fresh };
        }
        cancel.until
    }

    /// Notes a cancel that was asked here.
    pub(crate) fn cancel(
        &mut self,
        held: (i64, i64),
        version: i64,
        length: Duration,
        tick: Duration,
    ) {
        let until = tick.saturating_add(length);
        self.cancels.insert(held, Cancel { version, length, until });
    }

    /// Forgets everything of openings that are not among those that are still held.
    pub(crate) fn keep_held(&mut self, is_held: impl Fn(&(i64, i64)) -> bool) {
        self.leases.keep(&is_held);
        self.cancels.retain(|held, _| is_held(held));
    }

    /// Gives everybody a full length from now on: the database was away, or this process was.
    pub(crate) fn grant_grace(&mut self, tick: Duration) {
        self.leases.grant_grace(tick);
        self.instances.grant_grace(tick);
        self.terms.grant_grace(tick);
        for cancel in self.cancels.values_mut() {
            cancel.until = tick.saturating_add(cancel.length);
        }
    }
}

/// The watch of a store.
#[derive(Debug, Default)]
pub(crate) struct Watches(Mutex<Watch>);

impl Watches {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Watch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_counter_stands_since_its_change_was_seen() {
        let mut counters = Counters::default();
        assert_eq!(counters.look("a", 1, 10 * S), 10 * S);
        assert_eq!(counters.look("a", 1, 14 * S), 10 * S);
        assert_eq!(counters.look("a", 2, 15 * S), 15 * S);
        counters.set("a", 3, 12 * S);
        assert_eq!(counters.look("a", 3, 20 * S), 12 * S);
        counters.grant_grace(20 * S);
        assert_eq!(counters.look("a", 3, 25 * S), 20 * S);
    }

    #[test]
    fn a_later_cancel_seen_from_afar_never_lengthens_the_grace() {
        let mut watch = Watch::default();
        assert_eq!(watch.cancel_until((1, 1), 1, 10 * S, 5 * S), 15 * S);
        assert_eq!(watch.cancel_until((1, 1), 1, 10 * S, 9 * S), 15 * S);
        assert_eq!(watch.cancel_until((1, 1), 2, 2 * S, 9 * S), 11 * S);
        assert_eq!(watch.cancel_until((1, 1), 3, 9 * S, 10 * S), 11 * S);
    }
}
