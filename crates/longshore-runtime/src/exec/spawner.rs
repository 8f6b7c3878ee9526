//! The one thread that starts watchers and reaps them.
//!
//! It lives as long as the process: starting takes a fraction of a millisecond during which the
//! thread stands still, so it is kept away from handlers; and nobody else has to remember to reap.

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::{Arc, OnceLock};
use tokio::sync::{mpsc, oneshot};

/// Starts that may wait for the thread; more wait with their callers.
const WAITING: usize = 64;

struct Spawner {
    jobs: mpsc::Sender<Job>,
    bell: Arc<OwnedFd>,
}

struct Job {
    command: Command,
    started: oneshot::Sender<io::Result<()>>,
}

/// Starts a process whose end need not be waited for: it is reaped. Dropped before it returns, the
/// process may start nevertheless.
pub(crate) async fn spawn(command: Command) -> io::Result<()> {
    static SPAWNER: OnceLock<Result<Spawner, io::ErrorKind>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| Spawner::start().map_err(|error| error.kind()));
    let spawner = spawner.as_ref().map_err(|kind| io::Error::from(*kind))?;
    let (started, answer) = oneshot::channel();
    let gone = || io::Error::other("the thread that starts commands has ended");
    spawner.jobs.send(Job { command, started }).await.map_err(|_| gone())?;
    rustix::io::write(&*spawner.bell, &1_u64.to_ne_bytes())?;
    answer.await.map_err(|_| gone())?
}

impl Spawner {
    fn start() -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(WAITING);
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let rings = bell.clone();
        std::thread::Builder::new().name("spawner".into()).spawn(move || serve(waiting, &rings))?;
        Ok(Self { jobs, bell })
    }
}

fn serve(mut jobs: mpsc::Receiver<Job>, bell: &OwnedFd) {
    let mut running: Vec<(OwnedFd, Child)> = Vec::new();
    loop {
        let ended = look(bell, &running);
        // From the back, so that the numbers before stay right.
        for (at, _) in ended.iter().enumerate().rev().filter(|(_, ended)| **ended) {
            let (_, mut child) = running.swap_remove(at);
            let _ = child.wait(); // returns at once: it has ended
        }
        while let Ok(Job { command, started }) = jobs.try_recv() {
            let answer = start(command).map(|child| running.push(child));
            let _ = started.send(answer); // nobody waits any more: its socket has ended too
        }
    }
}

/// Waits for a ring or an end; says of each running process whether it has ended.
fn look(bell: &OwnedFd, running: &[(OwnedFd, Child)]) -> Vec<bool> {
    let mut fds = vec![PollFd::new(bell, PollFlags::IN)];
    fds.extend(running.iter().map(|(pidfd, _)| PollFd::new(pidfd, PollFlags::IN)));
    if let Err(error) = poll(&mut fds, None) {
        tracing::debug!(%error, "waiting for commands was interrupted");
        return vec![false; running.len()];
    }
    let _ = rustix::io::read(bell, &mut [0; 8]);
    fds.iter().skip(1).map(|fd| !fd.revents().is_empty()).collect()
}

fn start(mut command: Command) -> io::Result<(OwnedFd, Child)> {
    let mut child = command.spawn()?;
    match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
        Ok(pidfd) => Ok((pidfd, child)),
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(error.into())
        }
    }
}
