//! `longshore dead-letters retry`.

use crate::confirm::Confirm;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use crate::tasks::{Act, Chosen, act};
use clap::Args;

/// Runs dead letters again, as the next run of their tasks
///
/// Ids are taken at their word; what a filter finds is shown first, and somebody
/// is asked.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Retry {
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Retry {
    /// Does it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        act(Act::RetryDead, self.chosen, self.confirm, self.output, &self.remote)
    }
}
