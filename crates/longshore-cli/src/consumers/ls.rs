//! `longshore consumers ls`: lists consumers.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Lists the consumers of messages of a server, by name.
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
            for consumer in client.consumers().list().await? {
                listing.push(&consumer)?;
            }
            listing.finish()?;
            Ok(Exit::Fine)
        })
    }
}
