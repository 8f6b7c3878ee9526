//! The threads that run handlers, and whether they still do.

use super::feed::Feed;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::timeout;

/// How long an idle thread may take to run something before handlers are taken to block them all.
const PATIENCE: Duration = Duration::from_secs(1);

/// The handlers' threads. They do nothing but run handlers, so that one which never yields keeps
/// nobody else from fetching, recording or answering.
#[derive(Debug)]
pub(crate) struct Executor {
    runtime: Mutex<Option<Runtime>>,
    feed: Feed,
    threads: usize,
    blocked: watch::Sender<bool>,
}

impl Executor {
    /// Starts so many threads; without a number, one per core.
    pub(crate) fn start(threads: Option<usize>) -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.unwrap_or(cores).max(1);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("handlers")
            .enable_all()
            .build()?;
        let feed = match Feed::start(runtime.handle(), threads) {
            Ok(feed) => feed,
            Err(error) => {
                runtime.shutdown_background(); // dropped, it would wait, and that is forbidden in another one
                return Err(error);
            }
        };
        let runtime = Mutex::new(Some(runtime));
        Ok(Self { runtime, feed, threads, blocked: watch::Sender::new(false) })
    }

    /// Returns what gives calls to the threads.
    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Returns how many threads there are.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Asks the threads for a sign of life.
    pub(crate) async fn check(&self) {
        // It passes those who begin and those who go on.
        let sign = self.feed.run(tokio::task::yield_now());
        let blocked = timeout(PATIENCE, sign).await.is_err();
        let changed =
            self.blocked.send_if_modified(|was| std::mem::replace(was, blocked) != blocked);
        if changed && blocked {
            tracing::warn!(
                threads = self.threads,
                "handlers block all their threads; nothing is fetched meanwhile"
            );
        }
    }

    /// Shows whether handlers block all threads.
    pub(crate) fn blocked(&self) -> watch::Receiver<bool> {
        self.blocked.subscribe()
    }

    /// Ends without waiting for handlers that do not yield.
    pub(crate) fn shut(&self) {
        self.feed.close();
        // A runtime must not be dropped inside another one.
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.shut();
    }
}
