//! One server or worker: started, killed, started again, behind links that can be broken.

use crate::server::{Launch, Server};
use libtest_mimic::Failed;
use longshore_conformance::proxy::Proxy;
use rustix::process::Signal;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A start that failed is tried again so often.
const AGAIN: Duration = Duration::from_millis(500);

/// A server or worker through all its lives.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    launch: Launch,
    /// By which it reaches what it needs: the database, or its server.
    pub(crate) link: Proxy,
    /// By which it is reached, wherever its present life listens. A worker has none.
    door: Option<Proxy>,
    life: Life,
    /// Something is done to it, so that nothing else is.
    pub(crate) is_struck: bool,
}

#[derive(Debug)]
enum Life {
    /// Nobody started it, or it was killed, or its start failed; it is started at that time.
    Over(Option<Instant>),
    Starting(Server, mpsc::Receiver<SocketAddr>),
    Up(Server),
}

impl Member {
    pub(crate) fn new(
        name: &'static str,
        launch: Launch,
        link: Proxy,
        door: Option<Proxy>,
    ) -> Self {
        let life = Life::Over(Some(Instant::now()));
        Self { name, launch, link, door, life, is_struck: false }
    }

    /// Where it is asked, in every life the same.
    pub(crate) fn door(&self) -> Option<SocketAddr> {
        self.door.as_ref().map(Proxy::addr)
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(self.life, Life::Up(_))
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        match &self.life {
            Life::Up(server) => Some(server.pid()),
            _ => None,
        }
    }

    /// Sees to its life: a start goes on, a failed one is tried again. One that was up and has ended by
    /// itself is an error.
    pub(crate) fn look_after(&mut self) -> Result<(), Failed> {
        self.life = match std::mem::replace(&mut self.life, Life::Over(None)) {
            Life::Over(Some(at)) if at <= Instant::now() => {
                let (server, told) = self.launch.begin()?;
                Life::Starting(server, told)
            }
            Life::Starting(server, told) => match told.try_recv() {
                Ok(addr) => {
                    if let Some(door) = &self.door {
                        door.lead_to(addr)?;
                    }
                    Life::Up(server)
                }
                Err(mpsc::TryRecvError::Empty) => Life::Starting(server, told),
                Err(mpsc::TryRecvError::Disconnected) => Life::Over(Some(Instant::now() + AGAIN)),
            },
            Life::Up(mut server) => {
                if server.has_ended()? {
                    let (name, said) = (self.name, server.stderr());
                    return Err(format!("{name} ended by itself:\n{said}").into());
                }
                Life::Up(server)
            }
            life => life,
        };
        Ok(())
    }

    /// kill -9; it is started again after a while.
    pub(crate) fn kill(&mut self, for_long: Duration) -> Result<(), Failed> {
        let again = Life::Over(Some(Instant::now() + for_long));
        match std::mem::replace(&mut self.life, again) {
            Life::Up(server) | Life::Starting(server, _) => server.kill().map(drop),
            Life::Over(_) => Ok(()),
        }
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Failed> {
        match &self.life {
            Life::Up(server) => server.signal(signal),
            _ => Err(format!("{} is not up", self.name).into()),
        }
    }

    /// Asks it to stop, and demands that it does so in good order.
    pub(crate) fn stop(self) -> Result<(), Failed> {
        match self.life {
            Life::Up(server) => server.stop().map(drop),
            _ => Err(format!("{} is not up", self.name).into()),
        }
    }
}
