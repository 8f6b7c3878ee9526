//! `longshore dead-letters discard`.

use crate::confirm::Confirm;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use crate::tasks::{Act, Chosen, act};
use clap::Args;

/// Throws dead letters away: their tasks are cancelled from then on
///
/// Shows how many there are first, with a sample, and asks.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Discard {
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Discard {
    /// Does it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        act(Act::Discard, self.chosen, self.confirm, self.output, &self.remote)
    }
}
