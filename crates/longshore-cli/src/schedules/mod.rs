//! `longshore schedules`: looking at schedules, making them, holding them back.

mod add;
mod found;
mod ls;
mod next;
mod pause;
mod resume;
mod rm;
mod run;
mod show;
mod view;

use crate::exit::Exit;
use crate::failure::Failure;
use clap::Subcommand;

/// What is done with schedules.
#[derive(Debug, Subcommand)]
pub(crate) enum Schedules {
    Ls(ls::Ls),
    Show(show::Show),
    Add(Box<add::Add>),
    Rm(rm::Rm),
    Run(run::Run),
    Pause(pause::Pause),
    Resume(resume::Resume),
    Next(next::Next),
}

impl Schedules {
    /// Does it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Ls(ls) => ls.run(),
            Self::Show(show) => show.run(),
            Self::Add(add) => add.run(),
            Self::Rm(rm) => rm.run(),
            Self::Run(run) => run.run(),
            Self::Pause(pause) => pause.run(),
            Self::Resume(resume) => resume.run(),
            Self::Next(next) => next.run(),
        }
    }
}
