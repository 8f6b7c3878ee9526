//! `longshore workers ls`: lists workers.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Lists the workers that were heard of within the last hour, by name.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Ls {
    /// Lists them.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { output, remote } = self;
        remote.run(async move |client| {
            let mut listing = output.list();
            for worker in client.workers().list().await? {
                listing.push(&worker)?;
            }
            listing.finish()?;
            Ok(Exit::Fine)
        })
    }
}
