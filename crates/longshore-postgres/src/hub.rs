//! Who waits for work, and what wakes them: this process at once, others through PostgreSQL's
//! notifications, and in any case a look every now and then.

use crate::lines::Lines;
use longshore_core::store::{Claim, Hold, Want};
use longshore_core::{KindName, QueueName};
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Everybody who waits.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    waiting: Mutex<Waiting>,
    /// Those who wait for marks of a carried queue.
    marks: Mutex<HashMap<QueueName, Arc<Notify>>>,
    /// Queues that others have to be told of.
    dirty: Mutex<BTreeSet<String>>,
    /// Rings when there is something to tell.
    pub(crate) outbound: Notify,
    /// Rings when what is in force has changed.
    pub(crate) stirred: Notify,
    peers: AtomicBool,
    /// Where what is ready begins.
    pub(crate) lines: Lines,
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
    in_vain: Vec<Sought>,
}

/// Different questions that are remembered to be in vain, at most.
const REMEMBERED: usize = 1_000;

impl Waiting {
    fn ring(&mut self) {
        self.rings += 1;
        self.in_vain.clear();
    }
}

/// What a claim looks for: how many slots it has makes no difference where there is nothing. Of those who
/// look for the same, one is called at a time: whoever leaves something calls the next.
#[derive(Debug, PartialEq, Eq)]
struct Sought {
    hold: Hold,
    wants: Vec<Want>,
}

impl Sought {
    fn by(claim: &Claim) -> Self {
        let want = |want: &Want| Want { slots: 0, ..want.clone() };
        Self { hold: claim.hold, wants: claim.wants.iter().map(want).collect() }
    }

    fn is_in(&self, queue: &str) -> bool {
        self.wants.iter().any(|want| want.queue.as_str() == queue)
    }

    /// Whether it waits for others to end as well, or for its time.
    fn is_bounded(&self) -> bool {
        self.wants.iter().any(|want| want.limit.is_some() || want.rate.is_some())
    }
}

#[derive(Debug)]
struct Waiter {
    sought: Sought,
    /// Those who look for the same; whoever is bounded is alone.
    group: u64,
    bell: Arc<Notify>,
    /// Was called, and has not looked since.
    called: bool,
    /// Looks now.
    looks: bool,
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
            waiting.call_like(waiter.group);
        }
    }
}

impl Waiting {
    /// Calls one of a group, unless one is called already.
    fn call_like(&mut self, group: u64) {
        let alike = self.claims.values_mut().filter(|waiter| waiter.group == group);
        if let Some(next) = alike.min_by_key(|waiter| waiter.order()).filter(|next| !next.called) {
            next.call();
        }
    }

    /// Calls one of each group that waits for a queue.
    fn call(&mut self, queue: &str) {
        let mut chosen: HashMap<u64, &mut Waiter> = HashMap::new();
        for waiter in self.claims.values_mut().filter(|waiter| waiter.sought.is_in(queue)) {
            match chosen.get(&waiter.group) {
                Some(rival) if rival.order() <= waiter.order() => {}
                _ => drop(chosen.insert(waiter.group, waiter)),
            }
        }
        chosen.into_values().filter(|waiter| !waiter.called).for_each(Waiter::call);
    }
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a claim: from here on it is woken.
    pub(crate) fn park(&self, claim: &Claim) -> Parked<'_> {
        let bell = Arc::new(Notify::new());
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        let sought = Sought::by(claim);
        let alike = |waiter: &&Waiter| !sought.is_bounded() && waiter.sought == sought;
        let group = waiting.claims.values().find(alike).map_or(number, |waiter| waiter.group);
        let waiter = Waiter { sought, group, bell: bell.clone(), called: false, looks: false };
        waiting.claims.insert(number, waiter);
        Parked { hub: self, number, bell }
    }

    /// Wakes those of this process who wait for a queue: something is ready there, who knows where.
    pub(crate) fn wake(&self, queue: &str) {
        self.lines.doubt(queue);
        self.call(queue);
    }

    fn call(&self, queue: &str) {
        self.ring_marks(queue);
        let mut waiting = self.lock();
        waiting.ring();
        waiting.call(queue);
    }

    fn bells(&self) -> MutexGuard<'_, HashMap<QueueName, Arc<Notify>>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring_marks(&self, queue: &str) {
        self.bells().iter().filter(|(name, _)| name.as_str() == queue).for_each(ring);
    }

    /// Returns what rings when there may be marks of a queue. Listen before you look.
    pub(crate) fn marks(&self, queue: &QueueName) -> Arc<Notify> {
        self.bells().entry(queue.clone()).or_default().clone()
    }

    /// Returns how often somebody was rung for; [`note_vain`](Self::note_vain) is told what it was before the look.
    pub(crate) fn rings(&self) -> u64 {
        self.lock().rings
    }

    /// Notes that a claim found nothing, unless somebody was rung for since.
    pub(crate) fn note_vain(&self, claim: &Claim, rings: u64) {
        let mut waiting = self.lock();
        if waiting.rings == rings && waiting.in_vain.len() < REMEMBERED {
            let sought = Sought::by(claim);
            if !waiting.in_vain.contains(&sought) {
                waiting.in_vain.push(sought);
            }
        }
    }

    /// Whether the same was looked for in vain, and nobody was rung for since.
    pub(crate) fn is_vain(&self, claim: &Claim) -> bool {
        let waiting = self.lock();
        !waiting.in_vain.is_empty() && waiting.in_vain.contains(&Sought::by(claim))
    }

    /// Wakes those of this process who wait for a queue under a limit.
    pub(crate) fn tell_of_room(&self, queue: &str) {
        self.ring_marks(queue);
        let mut waiting = self.lock();
        waiting.ring();
        let waits = |waiter: &&mut Waiter| waiter.sought.is_bounded() && waiter.sought.is_in(queue);
        waiting.claims.values_mut().filter(waits).for_each(Waiter::call);
    }

    /// Wakes everybody of this process.
    pub(crate) fn wake_all(&self) {
        self.lines.doubt_all();
        self.bells().iter().for_each(ring);
        let mut waiting = self.lock();
        waiting.ring();
        for waiter in waiting.claims.values_mut() {
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
        for want in waiting.claims.values().flat_map(|waiter| &waiter.sought.wants) {
            let pair = |kind: &KindName| (want.queue.to_string(), kind.to_string());
            pairs.extend(want.kinds.iter().map(pair));
        }
        pairs.into_iter().unzip()
    }
}

fn ring((_, bell): (&QueueName, &Arc<Notify>)) {
    bell.notify_waiters();
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

    fn called(parked: &Parked<'_>) -> bool {
        parked.hub.lock().claims[&parked.number].called
    }

    #[test]
    fn of_those_who_look_for_the_same_one_is_called_and_calls_the_next() {
        let hub = Hub::default();
        let (first, second) = (hub.park(&claim(1)), hub.park(&claim(1)));
        let other = hub.park(&Claim { hold: Hold::Beside, ..claim(1) });
        hub.wake("default");
        assert!(called(&first) != called(&second), "one of the two");
        assert!(called(&other), "and whoever looks for something else");
        hub.wake("default");
        assert!(called(&first) != called(&second), "it has not looked yet");
        let (one, next) = if called(&first) { (first, second) } else { (second, first) };
        one.begin();
        drop(one);
        assert!(called(&next), "that one has left without saying that nothing is left");
        next.begin();
        next.end();
        let third = hub.park(&claim(1));
        drop(next);
        assert!(!called(&third), "nothing is left");
    }

    #[test]
    fn all_who_wait_for_room_are_called() {
        let hub = Hub::default();
        let bounded = || {
            let mut claim = claim(1);
            claim.wants[0].limit = Some(1);
            claim
        };
        let (first, second) = (hub.park(&bounded()), hub.park(&bounded()));
        hub.tell_of_room("default");
        assert!(called(&first) && called(&second));
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
