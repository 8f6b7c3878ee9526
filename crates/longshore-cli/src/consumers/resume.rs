//! `longshore consumers resume`.

use crate::each::each;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Receives for consumers again.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// Names
    #[arg(value_name = "CONSUMER", required = true)]
    consumers: Vec<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Resume {
    /// Does it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { consumers, output, remote } = self;
        remote.run(async move |client| {
            each(&consumers, output, async |name| Ok(client.consumers().resume(name).await?)).await
        })
    }
}
