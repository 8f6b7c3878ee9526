//! The register of workers of a store that one process owns: in memory, for each says every few seconds that it lives.

use crate::Timestamp;
use crate::store::{LOST_SHOWN, SeenWorker, Told, Worker};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Workers by name.
#[derive(Debug, Clone, Default)]
pub struct Register(BTreeMap<Arc<str>, Entry>);

#[derive(Debug, Clone)]
struct Entry {
    worker: Worker,
    seen_at: Timestamp,
    /// The same, by the clock that only grows.
    seen: Duration,
    lasts: Duration,
    drain: bool,
}

impl Register {
    /// Notes that a worker lives. Whether it was asked to drain is kept.
    pub fn announce(
        &mut self,
        worker: Worker,
        lasts: Duration,
        now: Timestamp,
        monotonic: Duration,
    ) -> Told {
        self.forget_lost(monotonic);
        let drain = self.0.get(&worker.id).is_some_and(|entry| entry.drain);
        let entry = Entry { seen_at: now, seen: monotonic, lasts, drain, worker };
        self.0.insert(entry.worker.id.clone(), entry);
        Told { drain }
    }

    /// Removes a worker.
    pub fn leave(&mut self, id: &str) {
        self.0.remove(id);
    }

    /// Asks a worker to end; false if there is none.
    pub fn drain(&mut self, id: &str) -> bool {
        let entry = self.0.get_mut(id);
        entry.map(|entry| entry.drain = true).is_some()
    }

    fn forget_lost(&mut self, monotonic: Duration) {
        let silent = |entry: &Entry| monotonic.saturating_sub(entry.seen);
        self.0.retain(|_, entry| silent(entry) <= entry.lasts.saturating_add(LOST_SHOWN));
    }

    /// Returns all workers by name; those that have been lost for long are forgotten.
    pub fn all(&mut self, monotonic: Duration) -> Vec<SeenWorker> {
        self.forget_lost(monotonic);
        let silent = |entry: &Entry| monotonic.saturating_sub(entry.seen);
        let seen = |entry: &Entry| SeenWorker {
            worker: entry.worker.clone(),
            seen_at: entry.seen_at,
            silent: silent(entry),
            lost: silent(entry) > entry.lasts,
        };
        self.0.values().map(seen).collect()
    }
}
