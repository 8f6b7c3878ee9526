//! `longshore schedules next`: when a schedule comes.

use super::found::id_of;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Tells the next slots of a schedule, paused or not.
#[derive(Debug, Args)]
pub(crate) struct Next {
    /// Its id or name
    #[arg(value_name = "SCHEDULE")]
    schedule: String,
    /// So many
    #[arg(long, short, value_name = "1..100", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    count: u32,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Next {
    /// Tells them.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { schedule, count, output, remote } = self;
        remote.run(async move |client| {
            let id = id_of(&client, &schedule).await?;
            let mut listing = output.list();
            for slot in client.schedules().next(&id, count).await? {
                listing.push(&slot)?;
            }
            listing.finish()?;
            Ok(Exit::Fine)
        })
    }
}
