//! `longshore dead-letters ls`: lists dead letters, newest first.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use crate::tasks::{Extent, Filter, Of, printed};
use clap::Args;

/// Lists dead letters, newest first: tasks that failed for good.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    extent: Extent,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Ls {
    /// Lists them.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { extent, filter, output, remote } = self;
        remote.run(async move |client| {
            printed(&client, Of::DeadLetters, &filter.list(), extent, output).await
        })
    }
}
