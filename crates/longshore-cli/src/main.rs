//! The binary `longshore`.
//!
//! Each subcommand is a file; [`cli`] has all of them. Data goes to stdout, everything else to
//! stderr. How the program ends is said by [`exit::Exit`].

mod bench;
mod child;
mod cli;
#[cfg(feature = "faults")]
mod commands;
mod completions;
mod config;
mod confirm;
mod conformance;
mod consumers;
mod dead_letters;
mod demo;
mod dev;
mod doctor;
mod each;
#[cfg(feature = "faults")]
mod effects;
mod enqueue;
mod exit;
mod explain;
mod failure;
mod ids;
mod key;
mod log;
mod man;
mod output;
mod queues;
mod remote;
mod running;
mod schedules;
mod serve;
mod tasks;
mod threads;
mod worker;
mod workers;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all: as the watcher of a command this process is started for every attempt.
    if let Some(code) = longshore::runtime::exec::run_if_asked() {
        return code;
    }
    let exit = cli::Cli::parse().run().unwrap_or_else(|failure| {
        if !failure.is_unread() {
            anstream::eprintln!("longshore: {failure}");
        }
        failure.exit()
    });
    exit.into()
}
