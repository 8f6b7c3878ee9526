//! `longshore queues resume`.

use crate::each::each;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Hands out the tasks of queues again.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// Names
    #[arg(value_name = "QUEUE", required = true)]
    queues: Vec<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Resume {
    /// Does it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { queues, output, remote } = self;
        remote.run(async move |client| {
            each(&queues, output, async |queue| Ok(client.queues().resume(queue).await?)).await
        })
    }
}
