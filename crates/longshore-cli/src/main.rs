//! The binary `longshore`.
//!
//! Each subcommand is a file; data goes to stdout, everything else to stderr. Exit codes: 0 fine,
//! 1 failed, 2 wrong usage.

mod bench;
mod demo;
mod dev;
#[cfg(feature = "faults")]
mod effects;
mod failure;
mod threads;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A task queue and its workers in one process.
#[derive(Debug, Parser)]
#[command(name = "longshore", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the service with the demo kinds, on the embedded store.
    Dev(dev::Dev),
    /// Measures: the accept rate, whole lives, and the yardstick they are held against.
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    log();
    let done = match Cli::parse().command {
        Command::Dev(dev) => dev.run(),
        Command::Bench(bench) => bench.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            anstream::eprintln!("longshore: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Logs to stderr, warnings and above; `LONGSHORE_LOG=debug` shows more.
fn log() {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_env_var("LONGSHORE_LOG")
        .with_default_directive(tracing::level_filters::LevelFilter::WARN.into())
        .from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
