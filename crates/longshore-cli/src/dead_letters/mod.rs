//! `longshore dead-letters`: the tasks that failed for good, and what becomes of them.

mod discard;
mod ls;
mod retry;

use crate::exit::Exit;
use crate::failure::Failure;
use clap::Subcommand;

/// What is done with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    Ls(ls::Ls),
    Retry(retry::Retry),
    Discard(discard::Discard),
}

impl DeadLetters {
    /// Does it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Ls(ls) => ls.run(),
            Self::Retry(retry) => retry.run(),
            Self::Discard(discard) => discard.run(),
        }
    }
}
