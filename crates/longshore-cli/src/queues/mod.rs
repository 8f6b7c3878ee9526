//! `longshore queues`: looking at queues, pausing them, changing their limits.

mod ls;
mod pause;
mod purge;
mod resume;
mod set;
mod show;
mod view;

use crate::exit::Exit;
use crate::failure::Failure;
use clap::Subcommand;

/// What is done with queues.
#[derive(Debug, Subcommand)]
pub(crate) enum Queues {
    Ls(ls::Ls),
    Show(show::Show),
    Set(set::Set),
    Pause(pause::Pause),
    Resume(resume::Resume),
    Purge(purge::Purge),
}

impl Queues {
    /// Does it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Ls(ls) => ls.run(),
            Self::Show(show) => show.run(),
            Self::Set(set) => set.run(),
            Self::Pause(pause) => pause.run(),
            Self::Resume(resume) => resume.run(),
            Self::Purge(purge) => purge.run(),
        }
    }
}
