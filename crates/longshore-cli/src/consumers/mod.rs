//! `longshore consumers`: looking at who receives messages, holding them back, and how their policy is kept.

mod explain;
mod ls;
mod pause;
mod resume;
mod show;
mod view;

use crate::exit::Exit;
use crate::failure::Failure;
use clap::Subcommand;

/// What is done with consumers.
#[derive(Debug, Subcommand)]
pub(crate) enum Consumers {
    Ls(ls::Ls),
    Show(show::Show),
    Pause(pause::Pause),
    Resume(resume::Resume),
    Explain(explain::Explain),
}

impl Consumers {
    /// Does it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Ls(ls) => ls.run(),
            Self::Show(show) => show.run(),
            Self::Pause(pause) => pause.run(),
            Self::Resume(resume) => resume.run(),
            Self::Explain(explain) => explain.run(),
        }
    }
}
