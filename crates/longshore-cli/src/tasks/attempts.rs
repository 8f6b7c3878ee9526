//! `longshore tasks attempts`: how often a task was opened, and how each time went.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::ids;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Shows every attempt of a task, oldest first.
#[derive(Debug, Args)]
pub(crate) struct Attempts {
    /// Its id
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Attempts {
    /// Shows them.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { id, output, remote } = self;
        let ids = ids::read(&[id])?;
        remote.run(async move |client| {
            let mut listing = output.list();
            for id in ids {
                for attempt in client.tasks().attempts(id).await? {
                    listing.push(&attempt)?;
                }
            }
            listing.finish()?;
            Ok(Exit::Fine)
        })
    }
}
