//! Processes that cannot outlive the server: how a command is started, watched and ended.
//!
//! ```text
//! server ── spawner thread ──▶ watcher (`__exec watch`) ──▶ `__exec become` ═ exec ═▶ the command
//!                                 owns the command's process group, adopts its orphans
//! ```
//!
//! The **watcher** is a small process of our own between the server and the command. It sees the
//! server die (its socket ends, and the server's pidfd fires) and kills whatever the command has
//! started, also what has left the group or the session: as a child subreaper it adopts all of it.
//! The **second stage** asks for a death signal from the watcher and then becomes the command, so
//! that not even a killed watcher leaves it behind. Both stages are this same program, started with
//! the hidden word [`WORD`]; a program that runs commands calls [`run_if_asked`] first in `main`.
//!
//! Bytes pass nobody in between: the command has the server's own pipes as stdout and stderr, and
//! its stdin is the payload in memory. What it does with exit codes is `handler::remote`'s.
//!
//! Linux only (5.4 or later). Two limits of the kernel: a death signal is forgotten by programs that
//! gain privileges (set-uid), and a watcher that is killed together with the server leaves orphans
//! that have left the command's process group.

mod family;
mod fence;
mod limits;
mod second_stage;
mod spawner;
mod watcher;
mod wire;

pub(crate) use spawner::spawn;
pub(crate) use watcher::Terms;
pub(crate) use wire::{Order, Report, give};

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// The hidden first argument that makes a program the watcher of a command.
pub const WORD: &str = "__exec";

static PREPARED: AtomicBool = AtomicBool::new(false);

/// Returns whether this program calls [`run_if_asked`]: if it did not, the watcher of its first command
/// would be the whole program once more.
pub fn is_prepared() -> bool {
    PREPARED.load(Ordering::Relaxed)
}

/// Runs this process as the watcher of a command, if it was started as one, and returns its exit
/// code. To be called first in `main`, before threads, logs and the reading of arguments.
pub fn run_if_asked() -> Option<ExitCode> {
    PREPARED.store(true, Ordering::Relaxed);
    let mut args = std::env::args_os().skip(1);
    if args.next()? != WORD {
        return None;
    }
    let stage = args.next();
    let args: Vec<OsString> = args.collect();
    let done = match stage.as_ref().and_then(|stage| stage.to_str()) {
        Some(watcher::STAGE) => watcher::run(&args),
        Some(second_stage::STAGE) => second_stage::run(&args),
        _ => Err(misused()),
    };
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("longshore {WORD}: {error}");
            ExitCode::from(70) // EX_SOFTWARE of sysexits.h
        }
    })
}

/// What somebody is told who starts a stage by hand.
fn misused() -> std::io::Error {
    std::io::Error::other("only the server starts this; use a kind with a `command` instead")
}
