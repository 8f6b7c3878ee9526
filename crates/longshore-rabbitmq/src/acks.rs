//! Acks of one channel: a run of settled deliveries is told by one cumulative ack, once the run is worth it or a moment
//! has passed. What was settled out of order waits a moment more for those before it, then goes alone.

use crate::connection::STEP;
use crate::error::within;
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicNackOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// A run that is too short waits so long at most: each ack costs the server an entry in the log of its queue.
const GATHER: Duration = Duration::from_millis(1);
/// And what was settled out of order so long besides.
const MOMENT: Duration = Duration::from_millis(3);

/// So many acks are under way before an answer is waited for, during which more of them become one. The server keeps
/// what goes beyond 32 to itself for a while, and forgets it if the channel is closed meanwhile.
const AT_ONCE: u64 = 16;

/// What is written to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// This one, and all before it that are open if it is cumulative.
    Ack { tag: u64, multiple: bool },
    /// Handed out again.
    Nack { tag: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Out,
    Settled,
    Told,
}

/// Which deliveries of a channel are settled, in the order of their tags.
#[derive(Debug, Default)]
struct Runs {
    /// Tags before this one are done with.
    before: u64,
    states: VecDeque<State>,
    /// Settled, and not told.
    settled: usize,
    nacks: Vec<u64>,
}

impl Runs {
    fn hand_out(&mut self, tag: u64) {
        while self.before + (self.states.len() as u64) < tag {
            self.states.push_back(State::Out);
        }
    }

    fn state(&mut self, tag: u64) -> Option<&mut State> {
        let at = tag.checked_sub(self.before + 1)?;
        self.states.get_mut(usize::try_from(at).ok()?)
    }

    /// Returns how many are settled and not told, if this is news.
    fn settle(&mut self, tag: u64) -> Option<usize> {
        let state = self.state(tag).filter(|state| **state == State::Out)?;
        *state = State::Settled;
        self.settled += 1;
        Some(self.settled)
    }

    /// Returns whether this is news.
    fn give_back(&mut self, tag: u64) -> bool {
        let Some(state) = self.state(tag).filter(|state| **state == State::Out) else {
            return false;
        };
        *state = State::Told;
        self.nacks.push(tag);
        true
    }

    /// Returns whether there is nothing to tell.
    fn is_told(&self) -> bool {
        self.nacks.is_empty() && self.settled == 0
    }

    /// Returns whether there is no reason to wait for more.
    fn is_due(&self, most_settled: usize) -> bool {
        !self.nacks.is_empty() || self.settled >= most_settled
    }

    /// Takes what can be told now. What is given back goes first, or a cumulative ack would take it along.
    fn take(&mut self) -> Vec<Word> {
        let mut words: Vec<_> = self.nacks.drain(..).map(|tag| Word::Nack { tag }).collect();
        let (mut last, mut count) = (None, 0);
        while let Some(state) = self.states.front().filter(|state| **state != State::Out) {
            self.before += 1;
            if *state == State::Settled {
                // The server takes a cumulative ack of an open tag only.
                last = Some(self.before);
                count += 1;
            }
            self.states.pop_front();
        }
        self.settled -= count;
        words.extend(last.map(|tag| Word::Ack { tag, multiple: count > 1 }));
        words
    }

    /// Takes what was settled out of order, one by one.
    fn take_singles(&mut self) -> Vec<Word> {
        let mut words = Vec::with_capacity(self.settled);
        for (at, state) in self.states.iter_mut().enumerate() {
            if *state == State::Settled {
                *state = State::Told;
                let tag = self.before + 1 + at as u64;
                words.push(Word::Ack { tag, multiple: false });
            }
        }
        self.settled = 0;
        words
    }
}

/// Tells the server what was settled on one channel.
#[derive(Debug)]
pub(crate) struct Acker {
    channel: Channel,
    runs: Mutex<Runs>,
    bell: Notify,
    is_ending: AtomicBool,
    is_gone: AtomicBool,
    /// So many may wait: the server hands out less meanwhile.
    most_settled: usize,
    queue: ShortString,
    told: AtomicU64,
}

impl Acker {
    /// Makes one; [`run`](Self::run) does the work.
    pub(crate) fn new(channel: Channel, queue: ShortString, prefetch: usize) -> Self {
        Self {
            queue,
            told: AtomicU64::new(0),
            channel,
            runs: Mutex::default(),
            bell: Notify::new(),
            is_ending: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
            most_settled: (prefetch / 4).max(1),
        }
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether nothing is open.
    pub(crate) fn is_idle(&self) -> bool {
        self.runs().states.iter().all(|state| *state != State::Out)
    }

    /// Something was handed out.
    pub(crate) fn hand_out(&self, tag: u64) {
        self.runs().hand_out(tag);
    }

    /// It is done with.
    pub(crate) fn settle(&self, tag: u64) {
        let settled = self.runs().settle(tag);
        // The first begins the wait, and enough of them end it.
        if settled.is_some_and(|settled| settled == 1 || settled >= self.most_settled) {
            self.bell.notify_one();
        }
    }

    /// It is handed out again.
    pub(crate) fn give_back(&self, tag: u64) {
        let is_news = self.runs().give_back(tag);
        if is_news {
            self.bell.notify_one();
        }
    }

    /// Returns once the queue has heard what was settled so far, or the channel is gone: for what is stored elsewhere,
    /// and would be there twice.
    pub(crate) async fn heard(&self, tag: u64) {
        let told = async {
            while !self.is_gone()
                && self.runs().state(tag).is_some_and(|state| *state != State::Told)
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = tokio::time::timeout(STEP, told).await;
        self.ask().await;
    }

    /// Asks the queue something. The channel and the queue take things in order: what was told before is known then.
    pub(crate) async fn ask(&self) {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let asked = self.channel.queue_declare(self.queue.clone(), passive, FieldTable::default());
        let _ = within(STEP, asked).await;
    }

    /// Returns whether its channel is gone: everything open on it is handed out again.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire) || !self.channel.status().connected()
    }

    /// Tells what there is, then ends.
    pub(crate) fn end(&self) {
        self.is_ending.store(true, Ordering::Release);
        self.bell.notify_one();
    }

    /// Returns whether there is no reason to wait for more.
    fn is_due(&self) -> bool {
        self.is_ending.load(Ordering::Acquire) || self.runs().is_due(self.most_settled)
    }

    /// Returns once there is no reason to wait for more, or the time is up.
    async fn gather(&self, at_most: Duration) {
        let until = Instant::now() + at_most;
        while !self.is_due() && timeout_at(until, self.bell.notified()).await.is_ok() {}
    }

    /// Tells the server until the channel is gone, or it is ended and all is told.
    pub(crate) async fn run(&self) {
        while !self.is_gone() {
            if self.runs().is_told() {
                if self.is_ending.load(Ordering::Acquire) {
                    break;
                }
                self.bell.notified().await;
                continue;
            }
            self.gather(GATHER).await;
            let mut words = self.runs().take();
            if words.is_empty() {
                // One that is open holds them back.
                self.gather(MOMENT).await;
                let mut runs = self.runs();
                words = runs.take();
                if words.is_empty() {
                    words = runs.take_singles();
                }
            }
            self.tell(words).await;
        }
        self.is_gone.store(true, Ordering::Release);
        if !self.is_ending.load(Ordering::Acquire) && self.channel.status().connected() {
            // Nobody would settle what is open on it: the subscription is to be made again.
            let _ = within(STEP, self.channel.close(200, "settling failed".into())).await;
        }
    }

    async fn tell(&self, words: Vec<Word>) {
        for word in words {
            if self.told.fetch_add(1, Ordering::Relaxed) % AT_ONCE == AT_ONCE - 1 {
                self.ask().await;
            }
            let told = match word {
                Word::Ack { tag, multiple } => {
                    within(STEP, self.channel.basic_ack(tag, BasicAckOptions { multiple })).await
                }
                Word::Nack { tag } => {
                    let options = BasicNackOptions { multiple: false, requeue: true };
                    within(STEP, self.channel.basic_nack(tag, options)).await
                }
            };
            if told.is_err() {
                self.is_gone.store(true, Ordering::Release);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(most: u64) -> Runs {
        let mut runs = Runs::default();
        runs.hand_out(most);
        runs
    }

    #[test]
    fn a_run_is_told_by_one_ack() {
        let mut runs = runs(5);
        for tag in [2, 1, 3] {
            runs.settle(tag);
        }
        assert_eq!(runs.take(), [Word::Ack { tag: 3, multiple: true }]);
        assert_eq!(runs.take(), []);
        runs.settle(4);
        assert_eq!(runs.take(), [Word::Ack { tag: 4, multiple: false }]);
    }

    #[test]
    fn one_that_is_open_holds_those_after_it_back_until_they_go_alone() {
        let mut runs = runs(4);
        runs.settle(2);
        runs.settle(4);
        assert_eq!(runs.take(), []);
        let single = |tag| Word::Ack { tag, multiple: false };
        assert_eq!(runs.take_singles(), [single(2), single(4)]);
        runs.settle(1);
        runs.settle(3);
        assert_eq!(
            runs.take(),
            [Word::Ack { tag: 3, multiple: true }],
            "4 is told, and no open tag"
        );
        assert_eq!((runs.before, runs.settled), (4, 0));
    }

    #[test]
    fn what_is_given_back_goes_before_an_ack_that_would_take_it_along() {
        let mut runs = runs(3);
        runs.settle(1);
        runs.give_back(2);
        runs.settle(3);
        assert_eq!(runs.take(), [Word::Nack { tag: 2 }, Word::Ack { tag: 3, multiple: true }]);
    }

    #[test]
    fn a_tag_is_settled_once() {
        let mut runs = runs(1);
        runs.settle(1);
        runs.give_back(1);
        runs.settle(7);
        assert_eq!(runs.take(), [Word::Ack { tag: 1, multiple: false }]);
        runs.settle(1);
        assert_eq!(runs.take(), []);
    }

    proptest::proptest! {
        /// A server that takes every word as RabbitMQ does.
        #[test]
        fn every_delivery_is_told_once_and_nothing_else(steps in proptest::collection::vec((1u64..30, 0u8..4), 0..200)) {
            let mut runs = Runs::default();
            let (mut open, mut acked, mut nacked) = (Vec::new(), Vec::new(), Vec::new());
            let (mut wanted_acks, mut wanted_nacks) = (Vec::new(), Vec::new());
            let mut settled = std::collections::BTreeSet::new();
            let mut handed = 0;
            for (tag, what) in steps {
                if tag > handed {
                    open.extend(handed + 1..=tag);
                    handed = tag;
                    runs.hand_out(tag);
                }
                match what {
                    0 => { runs.settle(tag); if settled.insert(tag) { wanted_acks.push(tag); } }
                    1 => { runs.give_back(tag); if settled.insert(tag) { wanted_nacks.push(tag); } }
                    _ => {}
                }
                let words = if what == 3 { runs.take_singles() } else { runs.take() };
                for word in words {
                    match word {
                        Word::Ack { tag, multiple: false } => {
                            proptest::prop_assert!(open.contains(&tag), "unknown tag {tag}");
                            open.retain(|one| *one != tag);
                            acked.push(tag);
                        }
                        Word::Ack { tag, multiple: true } => {
                            proptest::prop_assert!(open.contains(&tag), "unknown tag {tag}");
                            acked.extend(open.iter().filter(|one| **one <= tag));
                            open.retain(|one| *one > tag);
                        }
                        Word::Nack { tag } => {
                            proptest::prop_assert!(open.contains(&tag), "unknown tag {tag}");
                            open.retain(|one| *one != tag);
                            nacked.push(tag);
                        }
                    }
                }
            }
            for word in runs.take().into_iter().chain(runs.take_singles()) {
                match word {
                    Word::Ack { tag, multiple } => {
                        acked.extend(open.iter().filter(|one| **one == tag || (multiple && **one < tag)));
                    }
                    Word::Nack { tag } => { open.retain(|one| *one != tag); nacked.push(tag); }
                }
            }
            for tags in [&mut acked, &mut nacked, &mut wanted_acks, &mut wanted_nacks] {
                tags.sort_unstable();
            }
            proptest::prop_assert_eq!((acked, nacked), (wanted_acks, wanted_nacks));
        }
    }
}
