//! Where calls wait for a thread: one line for all threads, from which each takes the next when it has nothing else to do.
//!
//! A thread is woken only when it is needed: while one takes call after call, the others sleep, for waking them costs more
//! than most calls. If what waits first has waited for a moment, a [`Sentinel`] wakes the next one. What is in the line is
//! never behind a call that blocks its thread.
//!
//! Each call goes as far as it can at once. One that has to wait then becomes a task of the runtime, whose threads share
//! such tasks.

use super::sentinel::Sentinel;
use futures_util::FutureExt;
use futures_util::future::{AbortHandle, Abortable};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// What has waited so long needs another thread.
pub(super) const MOMENT: Duration = Duration::from_millis(1);

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Gives calls to the handlers' threads. Cloning gives another handle; with the last one the threads end.
#[derive(Debug, Clone)]
pub(crate) struct Feed(Arc<Ends>);

struct Ends {
    line: Arc<Line>,
    sentinel: Option<Sentinel>,
}

/// What waits, and who takes it.
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

impl Feed {
    /// Starts so many threads. What they begin and has to wait goes on in `runtime`.
    pub(crate) fn start(runtime: &Handle, threads: usize) -> std::io::Result<Self> {
        let line = Arc::new(Line(Mutex::default()));
        // One alone needs nobody who wakes others.
        let sentinel = (threads > 1).then(|| Sentinel::start(line.clone())).transpose()?;
        let feed = Self(Arc::new(Ends { line, sentinel })); // whatever fails now, they end
        for number in 0..threads {
            // It is in the list before it can take anything; and it looks before it sleeps for the first time.
            feed.0.line.state().feeders.push(Feeder { waker: Waker::noop().clone(), busy: None });
            let (line, runtime) = (feed.0.line.clone(), runtime.clone());
            let named = std::thread::Builder::new().name(format!("handlers-{number}"));
            named.spawn(move || line.feed(number, &runtime))?;
        }
        Ok(feed)
    }

    /// Runs a call on one of the threads, as soon as one is free.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Handling<T> {
        let (tell, told) = oneshot::channel();
        let (abort, registration) = AbortHandle::new_pair();
        let call = Abortable::new(call, registration);
        let is_taken = self.0.line.push(Box::pin(async move {
            if let Ok(output) = call.await {
                let _ = tell.send(output); // nobody may be interested any more
            }
        }));
        if let (false, Some(sentinel)) = (is_taken, &self.0.sentinel) {
            sentinel.watch();
        }
        Handling { told, abort }
    }

    /// Drops everything that waits, and takes nothing in any more.
    pub(crate) fn close(&self) {
        self.0.close();
    }
}

impl Ends {
    fn close(&self) {
        let mut state = self.line.state();
        state.is_closed = true;
        let wakers: Vec<_> = state.feeders.iter().map(|feeder| feeder.waker.clone()).collect();
        let left = std::mem::take(&mut state.jobs);
        drop(state);
        drop(left); // outside of the lock: what they hold may come back here
        wakers.into_iter().for_each(Waker::wake);
        if let Some(sentinel) = &self.sentinel {
            sentinel.end();
        }
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ends").field("waiting", &self.line.state().jobs.len()).finish()
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job; returns whether somebody is sure to take it: else it has to be watched.
    fn push(&self, job: Job) -> bool {
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

    /// Wakes as many others as have something to take that has waited for a moment; returns whether anything waits.
    pub(super) fn look(&self) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        let is_late = |job: &&(Instant, Job)| now.saturating_duration_since(job.0) >= MOMENT;
        let late = state.jobs.iter().take(state.feeders.len()).take_while(is_late).count();
        let (woken, waits) = (state.sleepers(now, late), !state.jobs.is_empty());
        drop(state);
        wake(woken);
        waits
    }

    /// Takes job after job, until it is closed.
    fn feed(&self, feeder: usize, runtime: &Handle) {
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

/// A call that was given to the threads. Dropping it changes nothing: the call goes on.
#[derive(Debug)]
pub(crate) struct Handling<T> {
    told: oneshot::Receiver<T>,
    abort: AbortHandle,
}

/// The call will not return: it was aborted or has panicked, or the threads are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

impl<T> Handling<T> {
    /// Returns what drops the call at its next wait, or when it would begin.
    pub(crate) fn abort_handle(&self) -> AbortHandle {
        self.abort.clone()
    }
}

impl<T> Future for Handling<T> {
    type Output = Result<T, Gone>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.told.poll_unpin(cx).map_err(|_| Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use tokio::runtime::{Builder, Runtime};

    const LONG: Duration = Duration::from_secs(20);

    fn threads(count: usize) -> (Runtime, Feed) {
        let runtime = Builder::new_multi_thread()
            .worker_threads(count)
            .enable_all()
            .build()
            .expect("threads");
        let feed = Feed::start(runtime.handle(), count).expect("threads");
        (runtime, feed)
    }

    fn end((runtime, feed): (Runtime, Feed)) {
        feed.close();
        runtime.shutdown_background();
    }

    /// Waits for a call on a thread of its own.
    fn wait<T>(call: Handling<T>) -> Result<T, Gone> {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async { tokio::time::timeout(LONG, call).await.expect("it must end") })
    }

    #[test]
    fn a_call_runs_and_returns() {
        let all = threads(2);
        assert_eq!(wait(all.1.run(async { 7 })), Ok(7));
        let slow = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            8
        };
        assert_eq!(wait(all.1.run(slow)), Ok(8), "one that waits goes on");
        end(all);
    }

    #[test]
    fn one_that_blocks_its_thread_holds_up_nobody_else() {
        let all = threads(2);
        let (open, shut) = mpsc::channel::<()>();
        let blocking = all.1.run(async move { shut.recv() });
        for number in 0..100 {
            assert_eq!(wait(all.1.run(async move { number })), Ok(number));
        }
        open.send(()).expect("it still waits");
        assert_eq!(wait(blocking), Ok(Ok(())));
        end(all);
    }

    #[test]
    fn what_waits_behind_one_that_blocks_is_taken_by_another_thread() {
        let all = threads(2);
        let (open, shut) = mpsc::channel::<()>();
        // All of them are in the line before the first is known to block.
        let blocking = all.1.run(async move { shut.recv() });
        let calls: Vec<_> = (0..100).map(|number| all.1.run(async move { number })).collect();
        for (number, call) in calls.into_iter().enumerate() {
            assert_eq!(wait(call), Ok(number));
        }
        open.send(()).expect("it still waits");
        assert_eq!(wait(blocking), Ok(Ok(())));
        end(all);
    }

    #[test]
    fn as_many_run_at_once_as_there_are_threads() {
        let all = threads(3);
        let barrier = Arc::new(std::sync::Barrier::new(3));
        let calls = [(); 3].map(|()| {
            let barrier = barrier.clone();
            all.1.run(async move { barrier.wait().is_leader() })
        });
        let leaders = calls.map(|call| wait(call) == Ok(true));
        assert_eq!(leaders.iter().filter(|leads| **leads).count(), 1);
        end(all);
    }

    #[test]
    fn one_that_never_has_to_wait_yields_all_the_same() {
        let all = threads(1);
        let endless: Handling<()> = all.1.run(async {
            loop {
                tokio::task::consume_budget().await;
            }
        });
        let abort = endless.abort_handle();
        assert_eq!(wait(all.1.run(async { 1 })), Ok(1));
        abort.abort();
        assert_eq!(wait(endless), Err(Gone));
        end(all);
    }

    #[test]
    fn a_panic_ends_the_call_alone() {
        let all = threads(1);
        let panicking: Handling<()> = all.1.run(async { panic!("no") });
        assert_eq!(wait(panicking), Err(Gone));
        assert_eq!(wait(all.1.run(async { 1 })), Ok(1));
        end(all);
    }

    #[test]
    fn one_that_is_aborted_is_dropped() {
        let all = threads(1);
        let (held, dropped) = mpsc::channel::<()>();
        let endless: Handling<()> = all.1.run(async move {
            let _held = held;
            std::future::pending().await
        });
        endless.abort_handle().abort();
        assert_eq!(wait(endless), Err(Gone));
        assert_eq!(dropped.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected));
        end(all);
    }

    #[test]
    fn what_waits_is_dropped_when_it_is_closed() {
        let all = threads(1);
        let (open, shut) = mpsc::channel::<()>();
        let blocking = all.1.run(async move { shut.recv() });
        let waiting = all.1.run(async {});
        while all.1.0.line.state().jobs.len() != 1 {
            std::thread::yield_now();
        }
        all.1.close();
        assert_eq!(wait(waiting), Err(Gone));
        assert_eq!(wait(all.1.run(async {})), Err(Gone));
        open.send(()).expect("it still waits");
        assert_eq!(wait(blocking), Ok(Ok(())));
        end(all);
    }
}
