//! `longshore worker`: runs the tasks of a server, or of a store that it shares with servers.

use crate::demo;
use crate::failure::Failure;
use crate::remote::Remote;
use crate::running::write_report;
use crate::threads;
use clap::Args;
use longshore::config::{Flags, LogFormat, Sources};
use longshore::{Ended, Engine, Signals};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Runs the tasks of a server: commands and pushes of its own configuration
///
/// It leases tasks over HTTP, holds on to them every five seconds, and tells how they
/// ended. A server that is away is asked again until it is back. With --store it
/// works on a store that it shares with servers, such as postgres://…, and asks no server.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Worker {
    #[command(flatten)]
    remote: Remote,
    /// The store that it shares with servers, instead of a server
    #[arg(long, value_name = "URL", conflicts_with_all = ["server", "key"])]
    store: Option<String>,
    /// The configuration: its kinds and queues. Default: longshore.yaml,
    /// .yml or .toml in the working folder, if there is one
    #[arg(long, value_name = "FILE", verbatim_doc_comment)]
    config: Option<PathBuf>,
    /// Runs the demo kinds too
    #[arg(long)]
    demo: bool,
    /// Writes down there, as JSON, what stopping did
    #[arg(long, value_name = "FILE")]
    stop_report: Option<PathBuf>,
}

impl Worker {
    /// Runs until SIGINT or SIGTERM.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let threads = threads::of_the_door()?;
        let done = threads.block_on(self.work());
        // A handler that never yields must not keep the process alive.
        threads.shutdown_background();
        done
    }

    async fn work(self) -> Result<(), Failure> {
        let signals = Signals::install()?;
        let mut flags = Flags::default();
        if let Some(url) = &self.store {
            flags = flags.store(url);
        }
        let sources = Sources::of_process().flags(flags);
        let sources = match &self.config {
            Some(file) => sources.file(file),
            None => sources,
        };
        let from = Arc::new(OnceLock::new());
        let store = from.clone();
        let mut builder = longshore::builder().config(sources).on_config(move |config| {
            crate::log::install(config.telemetry.log == LogFormat::Json);
            // Without its password.
            store.get_or_init(|| config.store.to_string());
        });
        if self.store.is_none() {
            let client = self.remote.client()?;
            from.get_or_init(|| client.url().to_owned());
            builder = builder.link(client);
        }
        if self.demo {
            builder = demo::add_to(builder);
        }
        let greet = move |engine: &Engine| {
            let name = engine.worker();
            let kinds = engine.registry().kinds().filter(|kind| kind.handler.is_some()).count();
            let from = from.get().map_or("", String::as_str);
            anstream::eprintln!("worker {name} is ready: {kinds} kinds, tasks come from {from}");
        };
        let (failed, report) = match builder.work(signals, greet).await? {
            Ended::Asked(report) => (None, report),
            Ended::Failed(failed, report) => (Some(failed), report),
        };
        if let Some(file) = &self.stop_report {
            write_report(file, &report)?;
        }
        match failed {
            None => Ok(()),
            Some(failed) => Err(longshore::Error::from(failed).into()),
        }
    }
}
