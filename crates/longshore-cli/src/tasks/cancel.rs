//! `longshore tasks cancel`.

use super::{Act, Chosen, act};
use crate::confirm::Confirm;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Cancels tasks
///
/// A running one is told, and ends within its grace. Ids are taken at their word;
/// what a filter finds is shown first, and somebody is asked.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Cancel {
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Cancel {
    /// Does it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        act(Act::Cancel, self.chosen, self.confirm, self.output, &self.remote)
    }
}
