//! `longshore schedules ls`: lists schedules.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Lists schedules, by id.
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
            for schedule in client.schedules().list().await? {
                listing.push(&schedule)?;
            }
            listing.finish()?;
            Ok(Exit::Fine)
        })
    }
}
