//! Gives calls to the handlers' threads, by one [`Line`] for all of them.
//!
//! Each call goes as far as it can at once. One that has to wait then becomes a task of the runtime, whose threads share
//! such tasks.

use super::line::{Job, Line};
use super::sentinel::Sentinel;
use futures_util::FutureExt;
use futures_util::future::{AbortHandle, Abortable};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Gives calls to the handlers' threads. Cloning gives another handle; with the last one the threads end.
#[derive(Debug, Clone)]
pub(crate) struct Feed(Arc<Owner>);

/// Whose end is that of the threads.
struct Owner {
    line: Arc<Line>,
    sentinel: Option<Sentinel>,
}

impl Feed {
    /// Starts so many threads. What they begin and has to wait goes on in `runtime`.
    pub(crate) fn start(runtime: &Handle, threads: usize) -> std::io::Result<Self> {
        let line = Arc::new(Line::default());
        // One alone needs nobody who wakes others.
        let sentinel = (threads > 1).then(|| Sentinel::start(line.clone())).transpose()?;
        let feed = Self(Arc::new(Owner { line, sentinel })); // whatever fails now, they end
        for number in 0..threads {
            let feeder = feed.0.line.join(); // it is there before it can take anything
            let (line, runtime) = (feed.0.line.clone(), runtime.clone());
            let named = std::thread::Builder::new().name(format!("handlers-{number}"));
            named.spawn(move || line.feed(feeder, &runtime))?;
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
        let job: Job = Box::pin(async move {
            if let Ok(output) = call.await {
                let _ = tell.send(output); // nobody may be interested any more
            }
        });
        let is_taken = self.0.line.push(job);
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

impl Owner {
    fn close(&self) {
        self.line.close();
        if let Some(sentinel) = &self.sentinel {
            sentinel.end();
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner").field("waiting", &self.line.len()).finish()
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
    use std::sync::{Mutex, mpsc};
    use std::time::Duration;
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
    fn nobody_looks_for_sleepers_where_all_are_blocked() {
        let all = threads(2);
        let (open, shut) = mpsc::channel::<()>();
        let shut = Arc::new(Mutex::new(shut));
        let (tell, told) = mpsc::channel();
        let blocking = [(); 2].map(|()| {
            let (shut, tell) = (shut.clone(), tell.clone());
            all.1.run(async move {
                tell.send(()).expect("it is counted");
                shut.lock().expect("nobody panicked").recv()
            })
        });
        for _ in &blocking {
            told.recv_timeout(LONG).expect("it blocks its thread");
        }
        let waiting = all.1.run(async { 1 });
        assert!(!all.1.0.line.look(), "whoever comes back takes it");
        drop(open);
        assert_eq!(wait(waiting), Ok(1));
        assert!(blocking.into_iter().all(|call| wait(call).is_ok()));
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
        while all.1.0.line.len() != 1 {
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
