//! Who waits for work, and what wakes them: this process at once, others through PostgreSQL's
//! notifications, and in any case a look every now and then.

use longshore_core::QueueName;
use longshore_core::store::{Claim, Hold, Want};
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Everybody who waits.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    waiting: Mutex<Waiting>,
    /// Queues that others have to be told of.
    dirty: Mutex<BTreeSet<String>>,
    /// Rings when there is something to tell.
    pub(crate) outbound: Notify,
    /// Rings when what is in force has changed.
    pub(crate) stirred: Notify,
    peers: AtomicBool,
    /// When it was last looked whether there is anything for those who wait.
    looked: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    claims: HashMap<u64, Waiter>,
    /// Counts what may have made something ready.
    rings: u64,
    /// What was looked for in vain since then.
    in_vain: Vec<(Hold, Vec<Want>)>,
}

/// Different questions that are remembered to be in vain, at most.
const REMEMBERED: usize = 1_000;

impl Waiting {
    fn ring(&mut self) {
        self.rings += 1;
        self.in_vain.clear();
    }
}

/// What a claim looks for: how many slots it has makes no difference where there is nothing.
fn sought(claim: &Claim) -> (Hold, Vec<Want>) {
    let want = |want: &Want| Want { slots: 0, ..want.clone() };
    (claim.hold, claim.wants.iter().map(want).collect())
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

    /// Returns how often somebody was rung for; [`note_vain`](Self::note_vain) is told what it was before the look.
    pub(crate) fn rings(&self) -> u64 {
        self.lock().rings
    }

    /// Notes that a claim found nothing, unless somebody was rung for since.
    pub(crate) fn note_vain(&self, claim: &Claim, rings: u64) {
        let mut waiting = self.lock();
        if waiting.rings == rings && waiting.in_vain.len() < REMEMBERED {
            let sought = sought(claim);
            if !waiting.in_vain.contains(&sought) {
                waiting.in_vain.push(sought);
            }
        }
    }

    /// Whether the same was looked for in vain, and nobody was rung for since.
    pub(crate) fn is_vain(&self, claim: &Claim) -> bool {
        let waiting = self.lock();
        !waiting.in_vain.is_empty() && waiting.in_vain.contains(&sought(claim))
    }

    /// Wakes those of this process who wait for a queue.
    pub(crate) fn wake(&self, queue: &str) {
        let mut waiting = self.lock();
        waiting.ring();
        for waiter in waiting.claims.values() {
            if waiter.wants.iter().any(|(wanted, _)| wanted == queue) {
                waiter.bell.notify_one();
            }
        }
    }

    /// Wakes those of this process who wait for a queue under a limit.
    pub(crate) fn tell_of_room(&self, queue: &str) {
        let mut waiting = self.lock();
        waiting.ring();
        for waiter in waiting.claims.values().filter(|waiter| waiter.is_limited) {
            if waiter.wants.iter().any(|(wanted, _)| wanted == queue) {
                waiter.bell.notify_one();
            }
        }
    }

    /// Wakes everybody of this process.
    pub(crate) fn wake_all(&self) {
        let mut waiting = self.lock();
        waiting.ring();
        for waiter in waiting.claims.values() {
            waiter.bell.notify_one();
        }
    }

    /// Wakes those who wait for a queue, here and elsewhere.
    pub(crate) fn ring(&self, queue: &str) {
        self.wake(queue);
        self.tell(queue);
    }

    /// The same, for several.
    pub(crate) fn ring_all<'q>(&self, queues: impl Iterator<Item = &'q QueueName>) {
        queues.for_each(|queue| self.ring(queue.as_str()));
    }

    /// Wakes everybody, here and elsewhere.
    pub(crate) fn ring_everybody(&self) {
        self.wake_all();
        self.tell(ALL);
    }

    /// Lets everybody look at what is in force, here and elsewhere.
    pub(crate) fn stir(&self) {
        self.stirred.notify_one();
        self.tell(STIRRED);
    }

    /// Tells the others of a queue, or says one of the words.
    fn tell(&self, word: &str) {
        if self.peers.load(Ordering::Relaxed) {
            let mut dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
            if !dirty.contains(word) {
                dirty.insert(word.to_owned());
            }
            drop(dirty);
            self.outbound.notify_one();
        }
    }

    /// Wakes those who wait for one of these queues, in which a look has found something.
    pub(crate) fn wake_found<'q>(&self, queues: impl Iterator<Item = &'q str>) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        queues.for_each(|queue| self.wake(queue));
    }

    /// Whether there was such a look lately.
    pub(crate) fn has_looked_within(&self, time: Duration) -> bool {
        let looked = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.is_some_and(|at| at.elapsed() < time)
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
/// Says that what is in force has changed; no queue can be named so.
pub(crate) const STIRRED: &str = "!";

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(slots: usize) -> Claim {
        let want = Want {
            queue: QueueName::default(),
            tenant: None,
            kinds: [].into(),
            outside: [].into(),
            slots,
            limit: None,
            rate: None,
        };
        let wait = Duration::from_secs(20);
        Claim { worker: "w".into(), hold: Hold::Process, wants: vec![want], wait }
    }

    #[test]
    fn what_was_looked_for_in_vain_is_so_until_somebody_is_rung_for() {
        let hub = Hub::default();
        hub.note_vain(&claim(1), hub.rings());
        assert!(hub.is_vain(&claim(7)), "whatever room there is");
        assert!(!hub.is_vain(&Claim { hold: Hold::Beside, ..claim(1) }), "another question");
        let before = hub.rings();
        hub.wake("default");
        assert!(!hub.is_vain(&claim(1)));
        hub.note_vain(&claim(1), before);
        assert!(!hub.is_vain(&claim(1)), "it may have come while that one looked");
    }
}
