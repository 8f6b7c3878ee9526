//! Who waits for work, and what wakes them: this process at once, others through PostgreSQL's
//! notifications, and in any case a look every now and then.

use longshore_core::QueueName;
use longshore_core::store::Claim;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Everybody who waits.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    waiting: Mutex<Waiting>,
    /// Queues that others have to be told of.
    dirty: Mutex<BTreeSet<String>>,
    /// Rings when there is something to tell.
    pub(crate) outbound: Notify,
    peers: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    claims: HashMap<u64, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    /// Queues, and the kinds wanted of each.
    wants: Vec<(String, Vec<String>)>,
    /// Whether it waits for others to end as well.
    is_limited: bool,
    bell: Arc<Notify>,
}

/// A claim that waits, until it is dropped.
#[derive(Debug)]
pub(crate) struct Parked<'h> {
    hub: &'h Hub,
    number: u64,
    /// Rings when it is worth looking again; a ring before anybody listens is kept.
    pub(crate) bell: Arc<Notify>,
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.hub.lock().claims.remove(&self.number);
    }
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a claim: from here on it is woken.
    pub(crate) fn park(&self, claim: &Claim) -> Parked<'_> {
        let wants = claim
            .wants
            .iter()
            .map(|want| {
                let kinds = want.kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
                (want.queue.as_str().to_owned(), kinds)
            })
            .collect();
        let is_limited = claim.wants.iter().any(|want| want.limit.is_some());
        let bell = Arc::new(Notify::new());
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.claims.insert(number, Waiter { wants, is_limited, bell: bell.clone() });
        Parked { hub: self, number, bell }
    }

    /// Wakes those of this process who wait for a queue.
    pub(crate) fn wake(&self, queue: &str) {
        for waiter in self.lock().claims.values() {
            if waiter.wants.iter().any(|(wanted, _)| wanted == queue) {
                waiter.bell.notify_one();
            }
        }
    }

    /// Wakes those of this process who wait for a queue under a limit.
    pub(crate) fn tell_of_room(&self, queue: &str) {
        for waiter in self.lock().claims.values().filter(|waiter| waiter.is_limited) {
            if waiter.wants.iter().any(|(wanted, _)| wanted == queue) {
                waiter.bell.notify_one();
            }
        }
    }

    /// Wakes everybody of this process.
    pub(crate) fn wake_all(&self) {
        for waiter in self.lock().claims.values() {
            waiter.bell.notify_one();
        }
    }

    /// Wakes those who wait for a queue, here and elsewhere.
    pub(crate) fn ring(&self, queue: &str) {
        self.wake(queue);
        if self.peers.load(Ordering::Relaxed) {
            let mut dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
            if !dirty.contains(queue) {
                dirty.insert(queue.to_owned());
            }
            drop(dirty);
            self.outbound.notify_one();
        }
    }

    /// The same, for several.
    pub(crate) fn ring_all<'q>(&self, queues: impl Iterator<Item = &'q QueueName>) {
        queues.for_each(|queue| self.ring(queue.as_str()));
    }

    /// Wakes everybody, here and elsewhere.
    pub(crate) fn ring_everybody(&self) {
        self.wake_all();
        if self.peers.load(Ordering::Relaxed) {
            let mut dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
            dirty.insert(ALL.to_owned());
            drop(dirty);
            self.outbound.notify_one();
        }
    }

    /// Whether other stores are open: while there are none, nobody has to be told.
    pub(crate) fn note_peers(&self, there: bool) {
        self.peers.store(there, Ordering::Relaxed);
    }

    /// Takes the queues that others have to be told of.
    pub(crate) fn take_dirty(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What all claims that wait are waiting for, each pair once.
    pub(crate) fn wanted(&self) -> (Vec<String>, Vec<String>) {
        let waiting = self.lock();
        let mut pairs = BTreeSet::new();
        for (queue, kinds) in waiting.claims.values().flat_map(|waiter| &waiter.wants) {
            pairs.extend(kinds.iter().map(|kind| (queue.clone(), kind.clone())));
        }
        pairs.into_iter().unzip()
    }
}

/// Stands for all queues; no queue can be named so.
pub(crate) const ALL: &str = "*";
