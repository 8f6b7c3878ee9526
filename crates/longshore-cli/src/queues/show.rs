//! `longshore queues show`: a queue with the origin of each setting.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Shows a queue: its settings, where they come from, and what is in it.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its name
    #[arg(value_name = "QUEUE")]
    queue: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Show {
    /// Shows it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { queue, output, remote } = self;
        remote.run(async move |client| {
            output.one(&client.queues().get(&queue).await?)?;
            Ok(Exit::Fine)
        })
    }
}
