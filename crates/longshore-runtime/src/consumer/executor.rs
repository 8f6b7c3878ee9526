//! The threads that run handlers, and whether they still do.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;
use tokio::time::timeout;

/// How long an idle thread may take to run something before handlers are taken to block them all.
const PATIENCE: Duration = Duration::from_secs(1);

/// The handlers' threads. They do nothing but run handlers, so that one which never yields keeps
/// nobody else from fetching, recording or answering.
#[derive(Debug)]
pub(crate) struct Executor {
    runtime: Mutex<Option<Runtime>>,
    handle: Handle,
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
        let handle = runtime.handle().clone();
        let runtime = Mutex::new(Some(runtime));
        Ok(Self { runtime, handle, threads, blocked: watch::Sender::new(false) })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Returns how many threads there are.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Asks the threads for a sign of life.
    pub(crate) async fn check(&self) {
        let sign = self.handle.spawn(async {});
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
