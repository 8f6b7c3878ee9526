//! `longshore consumers pause`.

use crate::each::each;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Receives nothing more for consumers, until they are resumed or the server ends; what runs goes on.
#[derive(Debug, Args)]
pub(crate) struct Pause {
    /// Names
    #[arg(value_name = "CONSUMER", required = true)]
    consumers: Vec<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Pause {
    /// Does it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { consumers, output, remote } = self;
        remote.run(async move |client| {
            each(&consumers, output, async |name| Ok(client.consumers().pause(name).await?)).await
        })
    }
}
