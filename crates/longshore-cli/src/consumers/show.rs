//! `longshore consumers show`: a consumer, and how its group stands in the broker.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Shows a consumer: how it is, and how its group stands in the broker.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its name
    #[arg(value_name = "CONSUMER")]
    consumer: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Show {
    /// Shows it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { consumer, output, remote } = self;
        remote.run(async move |client| {
            output.one(&client.consumers().get(&consumer).await?)?;
            Ok(Exit::Fine)
        })
    }
}
