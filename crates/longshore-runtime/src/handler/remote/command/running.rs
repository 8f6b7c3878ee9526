//! A command that runs, as the attempt sees it.

use super::output::{Captured, Tail};
use super::spec::CommandSpec;
use crate::exec::{self, Order, Report};
use crate::handler::Call;
use rustix::fs::{MemfdFlags, SeekFrom, memfd_create, seek};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::future::Future;
use std::io::{self, ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::net::unix::pipe::Receiver;
use tokio::time::{Instant, sleep_until};

/// How long the watcher may take to end everything, beyond the grace; and how long a pipe may stay
/// open after everything has ended.
const SLACK: Duration = Duration::from_secs(6);
/// Bytes read at once.
const CHUNK: usize = 16 * 1024;

/// A command that runs. Dropped before its end, it is stopped: TERM, and KILL after the grace.
#[derive(Debug)]
pub(super) struct Running {
    watcher: UnixStream,
    /// A report of which only a part has come.
    partial: Vec<u8>,
    stdout: Receiver,
    stderr: Receiver,
    /// The command's process group, once it is known.
    group: Option<Pid>,
    /// Nothing is left of it.
    over: bool,
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// What the watcher said last; nothing if the watcher itself was killed.
    pub(super) report: Option<Report>,
    pub(super) stdout: Captured,
    pub(super) stderr: String,
    /// It was told to stop before.
    pub(super) stopped: bool,
}

impl Running {
    /// Starts it. The payload is a file in memory: nobody has to be there to write it.
    pub(super) async fn start(spec: &CommandSpec, call: &Call) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let (stdout, write_out) = io::pipe()?;
        let (stderr, write_err) = io::pipe()?;
        exec::give(&ours, file_of(&call.body())?)?;
        ours.set_nonblocking(true)?;
        let running = Self {
            watcher: UnixStream::from_std(ours)?,
            partial: Vec::with_capacity(Report::LEN),
            stdout: Receiver::from_owned_fd(stdout.into())?,
            stderr: Receiver::from_owned_fd(stderr.into())?,
            group: None,
            over: false,
        };
        let mut command = spec.process(call);
        // A Ctrl-C in the server's terminal is the server's to handle, so: a group of its own.
        command.process_group(0).stdin(OwnedFd::from(theirs)).stdout(write_out).stderr(write_err);
        exec::spawn(command).await?;
        Ok(running)
    }

    /// Runs it to its end; told to stop if the call is.
    pub(super) async fn end(mut self, spec: &CommandSpec, call: &Call) -> Ended {
        let (mut stdout, mut stderr) = (Captured::default(), Tail::default());
        let (mut out_open, mut err_open, mut stopped) = (true, true, false);
        let mut report = None;
        let (mut out, mut err) = ([0; CHUNK], [0; CHUNK]);
        // Set once the end must be near: nothing is waited for longer.
        let mut give_up: Option<Instant> = None;
        while !self.over || out_open || err_open {
            if give_up.is_some_and(|at| at <= Instant::now()) {
                break;
            }
            tokio::select! {
                biased; // who writes without end must not be heard alone
                () = at(give_up), if give_up.is_some() => break,
                () = call.cancel.cancelled(), if !stopped => {
                    stopped = true;
                    self.order(Order::Stop);
                    give_up.get_or_insert(Instant::now() + spec.grace + SLACK);
                }
                next = next_report(&self.watcher, &mut self.partial), if !self.over => match next {
                    Some(Report::Started(pid)) => self.group = Pid::from_raw(pid),
                    last => {
                        if last.is_none() {
                            self.kill_group(); // the watcher was killed, and cannot do it
                        }
                        (report, self.over) = (last, true);
                        give_up = Some(Instant::now() + SLACK);
                    }
                },
                read = self.stdout.read(&mut out), if out_open => {
                    let read = read.unwrap_or(0);
                    out_open = read > 0 && !stdout.over;
                    stdout.add(&out[..read], spec.output);
                    if stdout.over && out_open {
                        out_open = false;
                        self.order(Order::Kill);
                        give_up = Some(Instant::now() + SLACK);
                    }
                }
                read = self.stderr.read(&mut err), if err_open => {
                    let read = read.unwrap_or(0);
                    err_open = read > 0;
                    stderr.add(&err[..read]);
                }
            }
        }
        Ended { report, stdout, stderr: stderr.text(), stopped }
    }

    /// Tells the watcher. One that is not there any more has lost its command: it is killed here.
    fn order(&self, order: Order) {
        // Not by way of the reactor, which may not have seen the socket yet.
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        if send(&self.watcher, &[order.byte()], flags).is_err() {
            self.kill_group();
        }
    }

    fn kill_group(&self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over {
            self.order(Order::Stop);
        }
    }
}

/// The next report of the watcher; nothing once it has gone. Dropped in between, nothing is lost.
async fn next_report(watcher: &UnixStream, partial: &mut Vec<u8>) -> Option<Report> {
    loop {
        if let Ok(bytes) = <[u8; Report::LEN]>::try_from(partial.as_slice()) {
            partial.clear();
            return Report::from_bytes(bytes);
        }
        watcher.readable().await.ok()?;
        let mut bytes = [0; Report::LEN];
        match watcher.try_read(&mut bytes[partial.len()..]) {
            Ok(0) => return None,
            Ok(read) => {
                let from = partial.len();
                partial.extend_from_slice(&bytes[from..from + read]);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
}

fn at(when: Option<Instant>) -> impl Future<Output = ()> {
    // Never polled without a time.
    sleep_until(when.unwrap_or_else(Instant::now))
}

fn file_of(payload: &[u8]) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC;
    // Older kernels do not know the second flag, hardened ones demand it.
    let file = match memfd_create(c"payload", flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => memfd_create(c"payload", flags)?,
        made => made?,
    };
    let mut file = File::from(file);
    file.write_all(payload)?;
    seek(&file, SeekFrom::Start(0))?;
    Ok(file)
}
