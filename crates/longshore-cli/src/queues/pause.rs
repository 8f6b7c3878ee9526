//! `longshore queues pause`.

use crate::each::each;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Holds back the tasks of queues; more are still taken in, and what runs goes on.
#[derive(Debug, Args)]
pub(crate) struct Pause {
    /// Names
    #[arg(value_name = "QUEUE", required = true)]
    queues: Vec<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Pause {
    /// Does it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { queues, output, remote } = self;
        remote.run(async move |client| {
            each(&queues, output, async |queue| Ok(client.queues().pause(queue).await?)).await
        })
    }
}
