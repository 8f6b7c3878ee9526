//! How many tasks of a lane have not ended, of the lanes that were used lately.
//!
//! Most lanes hold one task or none. What is known here saves the two looks into the lane's index: is
//! somebody before me, and who comes after me. It may forget any lane at any time: then the index is
//! asked.

use crate::memory::Sort;
use crate::names::NameId;
use rustc_hash::FxHashMap as HashMap;

/// Lanes that are remembered at most.
const MOST: usize = 65_536;

/// Tasks that have not ended, by lane.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    alive: HashMap<(NameId, NameId), HashMap<Box<str>, u64>>,
    known: usize,
}

impl Lanes {
    /// Returns how many tasks of a lane have not ended, if that is known.
    pub(crate) fn alive(&self, sort: Sort, key: &str) -> Option<u64> {
        self.alive.get(&(sort.tenant, sort.queue))?.get(key).copied()
    }

    /// Learns that a lane is empty.
    pub(crate) fn learn_empty(&mut self, sort: Sort, key: &str) {
        if self.known >= MOST {
            self.forget();
        }
        let lanes = self.alive.entry((sort.tenant, sort.queue)).or_default();
        if lanes.insert(key.into(), 0).is_none() {
            self.known += 1;
        }
    }

    /// A task has come into a lane.
    pub(crate) fn join(&mut self, sort: Sort, key: &str) {
        self.change(sort, key, |alive| alive + 1);
    }

    /// A task of a lane has ended.
    pub(crate) fn leave(&mut self, sort: Sort, key: &str) {
        self.change(sort, key, |alive| alive.saturating_sub(1));
    }

    /// Forgets everything.
    pub(crate) fn forget(&mut self) {
        self.alive.clear();
        self.known = 0;
    }

    fn change(&mut self, sort: Sort, key: &str, how: impl FnOnce(u64) -> u64) {
        let lanes = self.alive.get_mut(&(sort.tenant, sort.queue));
        if let Some(alive) = lanes.and_then(|lanes| lanes.get_mut(key)) {
            *alive = how(*alive);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SORT: Sort = Sort { queue: 1, kind: 2, tenant: 3 };

    #[test]
    fn only_what_was_learned_is_counted() {
        let mut lanes = Lanes::default();
        lanes.join(SORT, "a");
        assert_eq!(lanes.alive(SORT, "a"), None);
        lanes.learn_empty(SORT, "a");
        lanes.join(SORT, "a");
        lanes.join(SORT, "a");
        lanes.leave(SORT, "a");
        assert_eq!(lanes.alive(SORT, "a"), Some(1));
        let elsewhere = Sort { queue: 9, ..SORT };
        assert_eq!(lanes.alive(elsewhere, "a"), None);
    }

    #[test]
    fn it_does_not_grow_without_bound() {
        let mut lanes = Lanes::default();
        for lane in 0..=MOST {
            lanes.learn_empty(SORT, &lane.to_string());
        }
        assert_eq!((lanes.known, lanes.alive(SORT, "0")), (1, None));
        assert_eq!(lanes.alive(SORT, &MOST.to_string()), Some(0));
    }
}
