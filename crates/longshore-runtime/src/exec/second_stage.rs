//! The second stage: puts itself under limits and the death signal, and becomes the command.

use super::fence::Fence;
use super::limits::Limits;
use super::wire;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use std::convert::Infallible;
use std::ffi::OsString;
use std::io::{self, Write, stdin};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The word of this stage.
pub(super) const STAGE: &str = "become";

/// Exit code of a stage whose command could not be run; the watcher knows better from the socket.
const NOT_RUN: i32 = 127;

/// Writes the arguments of this stage, up to the command's own.
pub(super) fn arguments(watcher: u32, limits: Limits, fence: Option<&Fence>) -> Vec<OsString> {
    let [memory, processes] = limits.arguments();
    let fence = fence.map_or_else(|| "-".into(), |fence| fence.path().into());
    let words = [super::WORD.into(), STAGE.into(), watcher.to_string().into()];
    words.into_iter().chain([memory.into(), processes.into(), fence]).collect()
}

/// Becomes the command. Its stdin is a socket over which it takes the payload, and over which it
/// says why it could not; the socket ends when the command runs.
pub(super) fn run(args: &[OsString]) -> io::Result<()> {
    let [watcher, memory, processes, fence, program, rest @ ..] = args else {
        return Err(super::misused());
    };
    let limits = Limits::read(memory, processes).ok_or_else(super::misused)?;
    let fence = (fence != "-").then(|| Fence::at(fence.into()));
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let parent = getppid().map(|pid| pid.as_raw_nonzero().to_string());
    if parent.as_deref() != watcher.to_str() {
        return Err(io::Error::other("the watcher has gone")); // before it could be asked for
    }
    let mut socket = UnixStream::from(stdin().as_fd().try_clone_to_owned()?);
    let Err(error) = become_it(&socket, limits, fence.as_ref(), Command::new(program).args(rest));
    socket.write_all(&error.raw_os_error().unwrap_or_default().to_le_bytes())?;
    std::process::exit(NOT_RUN)
}

fn become_it(
    socket: &UnixStream,
    limits: Limits,
    fence: Option<&Fence>,
    command: &mut Command,
) -> io::Result<Infallible> {
    let payload = wire::take(socket)?;
    rustix::stdio::dup2_stdin(&payload)?;
    drop(payload);
    limits.apply(fence)?;
    Err(command.exec())
}
