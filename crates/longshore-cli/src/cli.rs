//! The command line: all commands, and what each is run with.

use crate::exit::{self, Exit};
use crate::failure::Failure;
use crate::{
    bench, completions, config, conformance, dead_letters, dev, doctor, enqueue, explain, key, log,
};
use crate::{consumers, man, queues, schedules, serve, tasks, worker, workers};
use clap::{CommandFactory, Parser, Subcommand};

/// A task queue and its workers in one process
///
/// `longshore dev` starts a server with everything it needs; the other commands
/// ask a server (--server, LONGSHORE_SERVER) and show it a key (LONGSHORE_KEY).
/// Data goes to standard output, everything else to standard error.
#[derive(Debug, Parser)]
#[command(
    name = "longshore",
    version,
    propagate_version = true,
    verbatim_doc_comment,
    after_long_help = exit::table(),
    after_help = "See --help for the exit codes."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the service with the demo kinds, on the embedded store
    Dev(dev::Dev),
    /// Runs the service as the configuration describes it
    Serve(serve::Serve),
    Worker(Box<worker::Worker>),
    Enqueue(Box<enqueue::Enqueue>),
    /// Looks at tasks, waits for them, acts on them
    #[command(subcommand)]
    Tasks(tasks::Tasks),
    /// Looks at tasks that failed for good, and decides what becomes of them
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLetters),
    /// Looks at queues, pauses them, changes their limits
    #[command(subcommand)]
    Queues(queues::Queues),
    /// Looks at schedules, makes them, holds them back
    #[command(subcommand)]
    Schedules(schedules::Schedules),
    /// Looks at who receives messages, holds them back, and says how their policy is kept
    #[command(subcommand)]
    Consumers(consumers::Consumers),
    /// Looks at who runs tasks, and asks them to begin nothing new
    #[command(subcommand)]
    Workers(workers::Workers),
    /// Makes keys, lists them, takes them back
    #[command(subcommand)]
    Key(key::Keys),
    /// Looks at the configuration without starting anything
    #[command(subcommand)]
    Config(config::Config),
    Doctor(doctor::Doctor),
    Explain(explain::Explain),
    /// Measures: the accept rate, whole lives, and the yardstick they are held against
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Tests what others wrote for Longshore
    #[command(subcommand)]
    Conformance(conformance::Conformance),
    Completions(completions::Completions),
    Man(man::Manual),
}

/// Returns the whole command line, for what is made of it.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

impl Cli {
    /// Runs what was asked for.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        // The services begin to log once they know how.
        if !matches!(self.command, Command::Dev(_) | Command::Serve(_) | Command::Worker(_)) {
            log::install(false);
        }
        match self.command {
            Command::Dev(dev) => dev.run().map(|()| Exit::Fine),
            Command::Serve(serve) => serve.run().map(|()| Exit::Fine),
            Command::Consumers(consumers) => consumers.run(),
            Command::Workers(workers) => workers.run(),
            Command::Worker(worker) => worker.run().map(|()| Exit::Fine),
            Command::Bench(bench) => bench.run().map(|()| Exit::Fine),
            Command::Conformance(conformance) => conformance.run(),
            Command::Enqueue(enqueue) => enqueue.run(),
            Command::Tasks(tasks) => tasks.run(),
            Command::DeadLetters(letters) => letters.run(),
            Command::Queues(queues) => queues.run(),
            Command::Schedules(schedules) => schedules.run(),
            Command::Key(keys) => keys.run(),
            Command::Config(config) => config.run(),
            Command::Doctor(doctor) => doctor.run(),
            Command::Explain(explain) => explain.run(),
            Command::Completions(completions) => completions.run(),
            Command::Man(man) => man.run(),
        }
    }
}
