//! Where calls wait for a thread: one line for all threads, from which each takes the next when it has nothing else to do.
//!
//! A thread is woken only when it is needed: while one takes call after call, the others sleep, for waking them costs more
//! than most calls. If what waits first has waited for a moment, a [`Sentinel`](super::sentinel::Sentinel) wakes others. What
//! is in the line is never behind a call that blocks its thread.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// What has waited so long needs another thread.
pub(super) const MOMENT: Duration = Duration::from_millis(1);

/// What is done for one call.
pub(super) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What waits, and who takes it.
#[derive(Default)]
pub(super) struct Line(Mutex<State>);

#[derive(Default)]
struct State {
    jobs: VecDeque<(Instant, Job)>,
    feeders: Vec<Feeder>,
    is_closed: bool,
}

/// One thread that takes what waits.
struct Feeder {
    waker: Waker,
    /// When it took something or was woken; nothing while it sleeps.
    busy: Option<Instant>,
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how much waits.
    pub(super) fn len(&self) -> usize {
        self.state().jobs.len()
    }

    /// Adds somebody who takes what waits, and names him. He looks before he sleeps for the first time.
    pub(super) fn join(&self) -> usize {
        let mut state = self.state();
        state.feeders.push(Feeder { waker: Waker::noop().clone(), busy: None });
        state.feeders.len() - 1
    }

    /// Drops everything that waits, takes nothing in any more, and lets everybody go.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        let wakers = state.feeders.iter().map(|feeder| feeder.waker.clone()).collect();
        let left = std::mem::take(&mut state.jobs);
        drop(state);
        drop(left); // outside of the lock: what they hold may come back here
        wake(wakers);
    }

    /// Adds a job; returns whether somebody is sure to take it: else it has to be watched.
    pub(super) fn push(&self, job: Job) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        if state.is_closed {
            return true; // dropped: the process ends
        }
        state.jobs.push_back((now, job));
        if state.is_anybody_quick(now) {
            return false; // it will soon take the next one, unless it blocks
        }
        let woken = state.sleepers(now, 1);
        drop(state);
        wake(woken) > 0
    }

    /// Wakes as many others as have something to take that has waited for a moment. Returns whether there is a reason to
    /// look again: something waits, and somebody sleeps. Whoever is awake takes what waits before he sleeps.
    pub(super) fn look(&self) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        let is_late = |job: &&(Instant, Job)| now.saturating_duration_since(job.0) >= MOMENT;
        let late = state.jobs.iter().take(state.feeders.len()).take_while(is_late).count();
        let woken = state.sleepers(now, late);
        let sleeps = state.feeders.iter().any(|feeder| feeder.busy.is_none());
        let again = sleeps && !state.jobs.is_empty();
        drop(state);
        wake(woken);
        again
    }

    /// Takes job after job, until it is closed.
    pub(super) fn feed(&self, feeder: usize, runtime: &Handle) {
        // One job for each poll, so that each has the budget of a task: what never has to wait yields all the same.
        runtime.block_on(poll_fn(|cx| self.turn(feeder, runtime, cx)));
    }

    fn turn(&self, feeder: usize, runtime: &Handle, cx: &Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let mut state = self.state();
        let (next, is_closed) = (state.jobs.pop_front(), state.is_closed);
        let this = &mut state.feeders[feeder];
        this.waker.clone_from(cx.waker());
        this.busy = next.is_some().then_some(now);
        drop(state);
        match next {
            Some((_, job)) => {
                begin(job, runtime);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            None if is_closed => Poll::Ready(()),
            None => Poll::Pending,
        }
    }
}

impl State {
    fn is_anybody_quick(&self, now: Instant) -> bool {
        let recent = |since: Instant| now.saturating_duration_since(since) < MOMENT;
        self.feeders.iter().any(|feeder| feeder.busy.is_some_and(recent))
    }

    /// Returns so many of those that sleep, who have to be woken now.
    fn sleepers(&mut self, now: Instant, most: usize) -> Vec<Waker> {
        let asleep = self.feeders.iter_mut().filter(|feeder| feeder.busy.is_none()).take(most);
        let wanted = asleep.map(|feeder| {
            feeder.busy = Some(now);
            feeder.waker.clone()
        });
        wanted.collect()
    }
}

/// Wakes them; not under the lock, for the line is the first thing that they want.
fn wake(sleepers: Vec<Waker>) -> usize {
    let count = sleepers.len();
    sleepers.into_iter().for_each(Waker::wake);
    count
}

/// Runs a job as far as it goes at once. What has to wait becomes a task of its own.
///
/// A panic is the job's alone: when it runs, and when it is dropped.
fn begin(mut job: Job, runtime: &Handle) {
    let mut nobody = Context::from_waker(Waker::noop()); // it is polled again as a task
    match catch_unwind(AssertUnwindSafe(|| job.as_mut().poll(&mut nobody))) {
        Ok(Poll::Pending) => {
            runtime.spawn(job);
        }
        Ok(Poll::Ready(())) | Err(_) => {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(job)));
        }
    }
}
