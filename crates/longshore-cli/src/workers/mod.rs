//! `longshore workers`: looking at who runs tasks, and asking them to begin nothing new.

mod drain;
mod ls;
mod view;

use crate::exit::Exit;
use crate::failure::Failure;
use clap::Subcommand;

/// What is done with workers.
#[derive(Debug, Subcommand)]
pub(crate) enum Workers {
    Ls(ls::Ls),
    Drain(drain::Drain),
}

impl Workers {
    /// Does it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Ls(ls) => ls.run(),
            Self::Drain(drain) => drain.run(),
        }
    }
}
