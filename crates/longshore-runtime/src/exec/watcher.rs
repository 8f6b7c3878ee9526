//! The first stage: stays beside the command, ends all of it, and reports.

use super::fence::Fence;
use super::limits::Limits;
use super::wire::{self, Order, Report};
use super::{family, second_stage};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, getpid, getppid, kill_process_group,
    pidfd_open, set_child_subreaper, waitpid,
};
use std::ffi::OsString;
use std::io::{self, Read, Write, stdin};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

/// The word of this stage.
pub(super) const STAGE: &str = "watch";

/// How often orphans that have ended are looked for while the command runs.
const TICK: Duration = Duration::from_secs(5);

/// What a command is allowed, as the server says it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// From TERM to KILL.
    pub(crate) grace: Duration,
    /// Address space in bytes.
    pub(crate) memory: Option<u64>,
    /// Processes and threads.
    pub(crate) processes: Option<u32>,
}

impl Terms {
    /// Writes the arguments of this stage, up to the command's own.
    pub(crate) fn arguments(self) -> Vec<String> {
        let limits = Limits { memory: self.memory, processes: self.processes };
        let grace = self.grace.as_millis().to_string();
        let words = [super::WORD.into(), STAGE.into(), grace];
        words.into_iter().chain(limits.arguments()).collect()
    }
}

/// Starts the command, and returns when nothing of it is left. Its own stdin is the socket to the
/// server; stdout and stderr are the command's.
pub(super) fn run(args: &[OsString]) -> io::Result<()> {
    let [grace, memory, processes, command @ ..] = args else { return Err(super::misused()) };
    let limits = Limits::read(memory, processes).ok_or_else(super::misused)?;
    let grace = grace.to_str().and_then(|millis| millis.parse().ok());
    let grace = Duration::from_millis(grace.ok_or_else(super::misused)?);

    let mut server = UnixStream::from(stdin().as_fd().try_clone_to_owned()?);
    let payload = wire::take(&server)?;
    // Before the command is there: what it starts must never find another parent.
    set_child_subreaper(Some(getpid()))?;
    let fence = limits.processes.and_then(Fence::make);
    let (stage, child) = start(command, limits, fence.as_ref(), payload)?;
    tell(&mut server, Report::Started(child.as_raw_nonzero().get()));
    let mut watch = Watch {
        server: Some(server.try_clone()?),
        // A server that died before this line is seen by the end of the socket.
        alive: getppid().and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()),
        ended: pidfd_open(child, PidfdFlags::empty())?,
        child,
        fence,
        grace,
        kill_at: None,
    };
    let status = watch.until_it_ends()?;
    family::end();
    if let Some(fence) = &watch.fence {
        fence.remove();
    }
    tell(&mut server, verdict(stage, status));
    Ok(())
}

/// Starts the second stage, as the leader of a process group of its own.
fn start(
    command: &[OsString],
    limits: Limits,
    fence: Option<&Fence>,
    payload: OwnedFd,
) -> io::Result<(UnixStream, Pid)> {
    let (ours, theirs) = UnixStream::pair()?;
    wire::give(&ours, payload)?;
    let child = Command::new("/proc/self/exe")
        .arg0("longshore")
        .args(second_stage::arguments(std::process::id(), limits, fence))
        .args(command)
        .stdin(OwnedFd::from(theirs))
        .process_group(0)
        .spawn()?;
    Ok((ours, Pid::from_child(&child)))
}

/// What is watched while the command runs.
struct Watch {
    /// Orders; gone once the server stopped giving any.
    server: Option<UnixStream>,
    /// Readable when the server has died.
    alive: Option<OwnedFd>,
    /// Readable when the command has ended.
    ended: OwnedFd,
    child: Pid,
    fence: Option<Fence>,
    grace: Duration,
    kill_at: Option<Instant>,
}

impl Watch {
    fn until_it_ends(&mut self) -> io::Result<WaitStatus> {
        loop {
            let [ended, died, order] = self.look()?;
            if ended {
                // Its group is killed while its number is still taken.
                self.kill();
                if let Some((_, status)) = waitpid(Some(self.child), WaitOptions::empty())? {
                    return Ok(status);
                }
            }
            if died {
                self.alive = None;
                self.kill();
            }
            if order {
                self.obey();
            }
            if self.kill_at.is_some_and(|at| at <= Instant::now()) {
                self.kill_at = None;
                self.kill();
            }
            if let Some(status) = family::reap(self.child) {
                self.kill();
                return Ok(status);
            }
        }
    }

    /// Waits until something happens: the command ended, the server died, an order came.
    fn look(&self) -> io::Result<[bool; 3]> {
        let left = self.kill_at.map_or(TICK, |at| at.saturating_duration_since(Instant::now()));
        let left = Timespec::try_from(left.min(TICK)).unwrap_or_default();
        let mut fds = vec![PollFd::new(&self.ended, PollFlags::IN)];
        let alive = self.alive.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN));
        let server = self.server.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN));
        let (has_alive, has_server) = (alive.is_some(), server.is_some());
        fds.extend(alive.into_iter().chain(server));
        match poll(&mut fds, Some(&left)) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok([false; 3]),
            Err(error) => return Err(error.into()),
        }
        let mut seen = fds.iter().map(|fd| !fd.revents().is_empty());
        let mut next = |there: bool| there && seen.next().unwrap_or(false);
        Ok([next(true), next(has_alive), next(has_server)])
    }

    fn obey(&mut self) {
        let mut byte = [0];
        let read = self.server.as_mut().map(|server| server.read(&mut byte));
        match read {
            Some(Ok(1)) if Order::of(byte[0]) == Order::Stop => {
                // A second order does not prolong the grace.
                self.kill_at.get_or_insert(Instant::now() + self.grace);
                let _ = kill_process_group(self.child, Signal::TERM);
            }
            Some(Ok(1)) => self.kill(),
            // The end: of a server that has asked already, or of one that has died.
            _ => {
                self.server = None;
                if self.kill_at.is_none() {
                    self.kill();
                }
            }
        }
    }

    fn kill(&self) {
        if let Some(fence) = &self.fence {
            fence.kill();
        }
        let _ = kill_process_group(self.child, Signal::KILL);
    }
}

/// How it ended. The stage's socket has an error in it if the command never ran.
fn verdict(mut stage: UnixStream, status: WaitStatus) -> Report {
    let mut errno = [0; 4];
    if stage.read_exact(&mut errno).is_ok() {
        return Report::NotRun(i32::from_le_bytes(errno));
    }
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Report::Exited(code),
        (None, signal) => Report::Signalled(signal.unwrap_or_default()),
    }
}

/// A server that does not listen any more is not told.
fn tell(server: &mut UnixStream, report: Report) {
    let _ = server.write_all(&report.to_bytes());
}
