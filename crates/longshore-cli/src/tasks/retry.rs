//! `longshore tasks retry`.

use super::{Act, Chosen, act};
use crate::confirm::Confirm;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Runs failed, cancelled or expired tasks again, now, as their next run
///
/// Ids are taken at their word; what a filter finds is shown first, and somebody
/// is asked. A filter without a status finds the failed ones.
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
        act(Act::Retry, self.chosen, self.confirm, self.output, &self.remote)
    }
}
