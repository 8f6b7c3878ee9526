//! Who waits for work, and what wakes them: this process at once, others through PostgreSQL's
//! notifications, and in any case a look every now and then.

use crate::lines::Lines;
use longshore_core::store::{Claim, Hold};
use longshore_core::{KindName, QueueName};
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
    /// Where what is ready begins.
    pub(crate) lines: Lines,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    claims: HashMap<u64, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    wish: Wish,
    /// Whether it waits for others to end as well.
    is_limited: bool,
    bell: Arc<Notify>,
    /// Was called, and has not looked since.
    called: bool,
    /// Looks now.
    looks: bool,
}

/// What a claim would take. Of those with the same wish one is called at a time: whoever leaves
/// something calls the next.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    wants: Vec<Wanted>,
    inside: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    queue: String,
    kinds: Vec<String>,
    outside: Vec<String>,
    tenant: Option<String>,
    limit: Option<u32>,
}

impl Wish {
    fn of(claim: &Claim) -> Self {
        let names = |kinds: &[KindName]| kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
        let wants = claim.wants.iter().map(|want| Wanted {
            queue: want.queue.as_str().to_owned(),
            kinds: names(&want.kinds),
            outside: names(&want.outside),
            tenant: want.tenant.as_ref().map(|tenant| tenant.as_str().to_owned()),
            limit: want.limit,
        });
        Self { wants: wants.collect(), inside: claim.hold == Hold::Process }
    }

    fn is_for(&self, queue: &str) -> bool {
        self.wants.iter().any(|want| want.queue == queue)
    }
}

impl Waiter {
    /// The one with the least is called: who was called already, then who is free.
    fn order(&self) -> (bool, bool) {
        (!self.called, self.looks)
    }

    fn call(&mut self) {
        self.called = true;
        self.bell.notify_one();
    }
}

/// A claim that waits, until it is dropped.
#[derive(Debug)]
pub(crate) struct Parked<'h> {
    hub: &'h Hub,
    number: u64,
    /// Rings when it is worth looking again; a ring before anybody listens is kept.
    pub(crate) bell: Arc<Notify>,
}

impl Parked<'_> {
    /// The claim looks now; what comes in from here on, it may miss.
    pub(crate) fn begin(&self) {
        if let Some(waiter) = self.hub.lock().claims.get_mut(&self.number) {
            waiter.called = false;
            waiter.looks = true;
        }
    }

    /// The claim has looked, and left nothing that it could have taken.
    pub(crate) fn end(&self) {
        if let Some(waiter) = self.hub.lock().claims.get_mut(&self.number) {
            waiter.looks = false;
        }
    }
}

impl Drop for Parked<'_> {
    /// Somebody else has to look, if this one was called for nothing.
    fn drop(&mut self) {
        let mut waiting = self.hub.lock();
        if let Some(waiter) = waiting.claims.remove(&self.number)
            && (waiter.called || waiter.looks)
        {
            waiting.call_like(&waiter.wish);
        }
    }
}

impl Waiting {
    /// Calls one of those with that wish, unless one is called already.
    fn call_like(&mut self, wish: &Wish) {
        let alike = self.claims.values_mut().filter(|waiter| waiter.wish == *wish);
        if let Some(next) = alike.min_by_key(|waiter| waiter.order()).filter(|next| !next.called) {
            next.call();
        }
    }

    /// Calls one for each wish that includes the queue.
    fn call(&mut self, queue: &str) {
        let numbers: Vec<u64> = self
            .claims
            .iter()
            .filter(|(_, waiter)| waiter.wish.is_for(queue))
            .map(|(number, _)| *number)
            .collect();
        let mut chosen: Vec<u64> = Vec::new();
        for number in numbers {
            let waiter = &self.claims[&number];
            let rival = chosen.iter().position(|chosen| self.claims[chosen].wish == waiter.wish);
            match rival {
                None => chosen.push(number),
                Some(place) if waiter.order() < self.claims[&chosen[place]].order() => {
                    chosen[place] = number;
                }
                Some(_) => {}
            }
        }
        for number in chosen {
            if let Some(waiter) = self.claims.get_mut(&number).filter(|waiter| !waiter.called) {
                waiter.call();
            }
        }
    }
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a claim: from here on it is woken.
    pub(crate) fn park(&self, claim: &Claim) -> Parked<'_> {
        let wish = Wish::of(claim);
        let is_limited = claim.wants.iter().any(|want| want.limit.is_some());
        let bell = Arc::new(Notify::new());
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        let waiter = Waiter { wish, is_limited, bell: bell.clone(), called: false, looks: true };
        waiting.claims.insert(number, waiter);
        Parked { hub: self, number, bell }
    }

    /// Wakes those of this process who wait for a queue: something is ready there, who knows where.
    pub(crate) fn wake(&self, queue: &str) {
        self.lines.doubt(queue);
        self.call(queue);
    }

    fn call(&self, queue: &str) {
        self.lock().call(queue);
    }

    /// Wakes those of this process who wait for a queue under a limit.
    pub(crate) fn tell_of_room(&self, queue: &str) {
        for waiter in self.lock().claims.values_mut().filter(|waiter| waiter.is_limited) {
            if waiter.wish.is_for(queue) {
                waiter.call();
            }
        }
    }

    /// Wakes everybody of this process.
    pub(crate) fn wake_all(&self) {
        self.lines.doubt_all();
        for waiter in self.lock().claims.values_mut() {
            waiter.call();
        }
    }

    /// Wakes those who wait for a queue, here and elsewhere.
    pub(crate) fn ring(&self, queue: &str) {
        self.wake(queue);
        self.tell(queue);
    }

    /// The same, of tasks that are noted in the lines.
    pub(crate) fn ring_noted<'q>(&self, queues: impl Iterator<Item = &'q QueueName>) {
        for queue in queues {
            self.call(queue.as_str());
            self.tell(queue.as_str());
        }
    }

    fn tell(&self, queue: &str) {
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
        for want in waiting.claims.values().flat_map(|waiter| &waiter.wish.wants) {
            pairs.extend(want.kinds.iter().map(|kind| (want.queue.clone(), kind.clone())));
        }
        pairs.into_iter().unzip()
    }
}

/// Stands for all queues; no queue can be named so.
pub(crate) const ALL: &str = "*";
