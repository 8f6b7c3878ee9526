//! `longshore workers drain`.

use crate::exit::{Exit, Tally};
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Asks workers to begin nothing new; what they run goes on. They hear of it within some seconds.
#[derive(Debug, Args)]
pub(crate) struct Drain {
    /// Names, as `workers ls` shows them
    #[arg(value_name = "WORKER", required = true)]
    workers: Vec<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Drain {
    /// Asks each, and prints those that were there.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { workers, output, remote } = self;
        remote.run(async move |client| {
            let mut tally = Tally::default();
            let mut asked = Vec::new();
            for worker in &workers {
                match client.workers().drain(worker).await {
                    Ok(()) => {
                        asked.push(worker);
                        tally.done();
                    }
                    Err(error) if workers.len() == 1 => return Err(error.into()),
                    Err(error) => {
                        let failure = Failure::from(error);
                        anstream::eprintln!("longshore: {worker}: {failure}");
                        tally.failed(failure.exit());
                    }
                }
            }
            let mut listing = output.list_of(asked.len());
            for worker in client.workers().list().await? {
                if asked.iter().any(|name| **name == worker.worker) {
                    listing.push(&worker)?;
                }
            }
            listing.finish()?;
            Ok(tally.exit())
        })
    }
}
