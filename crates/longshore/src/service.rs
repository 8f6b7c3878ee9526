//! A service that runs, and how it ends.

use crate::Error;
use longshore_http::Door;
use longshore_runtime::supervisor::{
    Component, ComponentError, Deadline, GraphError, Life, StopReport, Stopped,
};
use longshore_runtime::{Engine, Failed};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A service that runs.
#[derive(Debug)]
pub struct Service {
    engine: Engine,
    addr: SocketAddr,
    tls: bool,
    store: String,
    closing: CancellationToken,
    drain: Duration,
    ended: bool,
}

/// What became of a start that may be broken off.
#[derive(Debug)]
pub enum Started {
    /// It runs.
    Running(Box<Service>),
    /// SIGINT or SIGTERM came first: it has stopped again.
    Stopped(StopReport),
}

/// How a service ended.
#[derive(Debug, Clone)]
pub enum Ended {
    /// It was asked to, and drained.
    Asked(StopReport),
    /// Something cannot go on, the store above all.
    Failed(Failed, StopReport),
}

impl Service {
    /// Opens the door, as one more component of the engine.
    pub(crate) fn open(
        engine: Engine,
        door: Door,
        drain: Duration,
        store: String,
    ) -> Result<Self, GraphError> {
        let (addr, tls) = (door.local_addr(), door.is_tls());
        let closing = CancellationToken::new();
        let door = Doorway {
            door: Mutex::new(Some(door)),
            closing: closing.clone(),
            threads: Handle::current(),
            needs: vec!["store".to_owned()],
        };
        engine.supervisor().add(door)?;
        Ok(Self { engine, addr, tls, store, closing, drain, ended: false })
    }

    /// Returns where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns where it listens, as clients of this machine write it.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.addr)
    }

    /// Returns the address of the store; empty if it was open already.
    pub fn store_url(&self) -> &str {
        &self.store
    }

    /// Returns the engine: to submit tasks, to look at them.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Runs until SIGINT or SIGTERM, or until something cannot go on.
    pub async fn run(mut self, signals: Signals) -> Ended {
        let failed = tokio::select! {
            () = signals.asked() => None,
            failed = self.engine.failed() => Some(failed),
        };
        if let Some(failed) = failed {
            // Nothing can be recorded any more: what runs is run again at the next start.
            return Ended::Failed(failed, self.end(Duration::ZERO).await);
        }
        tracing::info!(deadline = ?self.drain, "draining; a second signal cuts it short");
        let engine = self.engine.clone();
        Ended::Asked(signals.hurry(&engine, self.end(self.drain)).await)
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
        let report = self.engine.stop(deadline).await;
        tracing::info!(
            seconds = report.took.as_secs_f64(),
            given_back = report.given_back(),
            clean = report.is_clean(),
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

/// The door as a component: it is served once.
struct Doorway {
    door: Mutex<Option<Door>>,
    closing: CancellationToken,
    /// Where the program's own routes feel at home.
    threads: Handle,
    needs: Vec<String>,
}

#[async_trait::async_trait]
impl Component for Doorway {
    fn name(&self) -> &str {
        "door"
    }

    fn needs(&self) -> &[String] {
        &self.needs
    }

    async fn start(&self, life: Life) -> Result<(), ComponentError> {
        let door = self.door.lock().unwrap_or_else(PoisonError::into_inner).take();
        let door = door.ok_or_else(|| ComponentError::lasting("the port was given up"))?;
        let closing = self.closing.clone();
        life.spawn_on(&self.threads, async move {
            let report = door.serve(closing).await;
            tracing::debug!(?report, "the door is closed");
            Ok(())
        });
        Ok(())
    }

    async fn stop(&self, _: Deadline) -> Result<Stopped, ComponentError> {
        self.closing.cancel();
        Ok(Stopped::default())
    }
}

/// SIGINT and SIGTERM. Installed before a service starts, so that none is missed.
#[derive(Debug)]
pub struct Signals {
    /// The first one has come.
    first: CancellationToken,
    /// The second one.
    second: CancellationToken,
    listening: JoinHandle<()>,
}

impl Signals {
    /// Takes the signals over from the system's own handling, which ends the process at once.
    pub fn install() -> Result<Self, Error> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (first, second) = (CancellationToken::new(), CancellationToken::new());
        let tokens = [first.clone(), second.clone()];
        let listening = tokio::spawn(async move {
            for token in tokens {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                token.cancel();
            }
        });
        Ok(Self { first, second, listening })
    }

    /// Returns whether the first signal has come.
    pub(crate) fn are_here(&self) -> bool {
        self.first.is_cancelled()
    }

    /// Returns once the first signal has come.
    pub(crate) async fn asked(&self) {
        self.first.cancelled().await;
    }

    /// Lets a stop end, which the second signal cuts short.
    pub(crate) async fn hurry<T>(&self, engine: &Engine, stop: impl Future<Output = T>) -> T {
        tokio::pin!(stop);
        tokio::select! {
            biased;
            stopped = &mut stop => return stopped,
            () = self.second.cancelled() => engine.hurry(),
        }
        stop.await
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.listening.abort();
    }
}
