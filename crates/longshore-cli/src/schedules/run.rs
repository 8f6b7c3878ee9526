//! `longshore schedules run`.

use super::found::id_of;
use crate::each::each;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Makes the tasks of schedules now; their slots are not touched.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Ids or names
    #[arg(value_name = "SCHEDULE", required = true)]
    schedules: Vec<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Run {
    /// Does it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { schedules, output, remote } = self;
        remote.run(async move |client| {
            each(&schedules, output, async |name| {
                let id = id_of(&client, name).await?;
                Ok(client.schedules().run(&id).await?)
            })
            .await
        })
    }
}
