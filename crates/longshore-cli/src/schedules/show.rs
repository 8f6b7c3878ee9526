//! `longshore schedules show`.

use super::found::id_of;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Shows a schedule: when, what, and where that comes from.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its id or name
    #[arg(value_name = "SCHEDULE")]
    schedule: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Show {
    /// Shows it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { schedule, output, remote } = self;
        remote.run(async move |client| {
            let id = id_of(&client, &schedule).await?;
            output.one(&client.schedules().get(&id).await?)?;
            Ok(Exit::Fine)
        })
    }
}
