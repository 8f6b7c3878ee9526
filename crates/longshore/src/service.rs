//! A service that runs, and how it ends.

use crate::Error;
use longshore_core::store::StoreError;
use longshore_http::{Door, DrainReport};
use longshore_runtime::{Engine, StopReport};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// After a second signal everything ends within this.
const HURRY: Duration = Duration::from_secs(1);

/// A service that runs.
#[derive(Debug)]
pub struct Service {
    engine: Engine,
    addr: SocketAddr,
    closing: CancellationToken,
    door: JoinHandle<DrainReport>,
    drain: Duration,
    ended: bool,
}

/// How a service ended.
#[derive(Debug, Clone)]
pub enum Ended {
    /// It was asked to, and drained.
    Asked(StopReport),
    /// The store cannot go on.
    Failed(StoreError),
}

impl Service {
    pub(crate) fn new(engine: Engine, door: Door, drain: Duration) -> Self {
        let addr = door.local_addr();
        let closing = CancellationToken::new();
        let door = tokio::spawn(door.serve(closing.clone()));
        Self { engine, addr, closing, door, drain, ended: false }
    }

    /// Returns where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the engine: to submit tasks, to look at them.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Runs until SIGINT or SIGTERM, or until the store cannot go on.
    pub async fn run(mut self, mut signals: Signals) -> Ended {
        let failed = tokio::select! {
            () = signals.next() => None,
            error = self.engine.failed() => Some(error),
        };
        if let Some(error) = failed {
            // Nothing can be recorded any more: what runs is run again at the next start.
            self.engine.hurry();
            self.closing.cancel();
            self.end(Duration::ZERO).await;
            return Ended::Failed(error);
        }
        tracing::info!(deadline = ?self.drain, "draining; a second signal cuts it short");
        let (engine, door) = (self.engine.clone(), self.door.abort_handle());
        let hurry = tokio::spawn(async move {
            signals.next().await;
            engine.hurry();
            tokio::time::sleep(HURRY).await;
            door.abort();
        });
        let report = self.end(self.drain).await;
        hurry.abort();
        Ended::Asked(report)
    }

    /// Drains, gives back what does not end within `deadline`, and closes.
    pub async fn stop(mut self, deadline: Duration) -> StopReport {
        self.end(deadline).await
    }

    /// Work stops coming in first; requests in flight and handlers end beside each other; the store
    /// is the last to go.
    async fn end(&mut self, deadline: Duration) -> StopReport {
        self.ended = true;
        self.engine.begin_drain();
        self.closing.cancel();
        let door = tokio::time::timeout(deadline + HURRY, &mut self.door);
        let (report, door) = tokio::join!(self.engine.drain(deadline), door);
        match door {
            Ok(Ok(door)) => tracing::debug!(?door, "the door is closed"),
            _ => {
                self.door.abort();
                tracing::debug!("the door was shut in the middle of requests");
            }
        }
        self.engine.close().await;
        tracing::info!(
            seconds = report.took.as_secs_f64(),
            ended = report.ended,
            given_back = report.released,
            "stopped"
        );
        report
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if !self.ended {
            // Not stopped in order: nothing new is begun by what is left behind.
            self.engine.begin_drain();
            self.closing.cancel();
        }
    }
}

/// SIGINT and SIGTERM. Installed before a service starts, so that none is missed.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes the signals over from the system's own handling, which ends the process at once.
    pub fn install() -> Result<Self, Error> {
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { interrupt, terminate })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
