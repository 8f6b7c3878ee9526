//! `longshore config`: looking at the configuration without starting anything.

mod check;
mod schema;
mod show;
mod sources;

pub(crate) use sources::Place;

use crate::exit::Exit;
use crate::failure::Failure;
use clap::Subcommand;

/// What is done with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    Check(check::Check),
    Show(show::Show),
    Schema(schema::Schema),
}

impl Config {
    /// Does it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Check(check) => check.run(),
            Self::Show(show) => show.run(),
            Self::Schema(schema) => schema.run(),
        }
    }
}
