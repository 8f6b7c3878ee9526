//! `longshore key`: making keys, listing them, taking them back. No server is asked: a service reads the
//! file when it changes.

mod kept;
mod ls;
mod new;
mod revoke;
mod rotate;
mod view;

use crate::exit::Exit;
use crate::failure::Failure;
use clap::Subcommand;

/// What is done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    New(new::New),
    Ls(ls::Ls),
    Rotate(rotate::Rotate),
    Revoke(revoke::Revoke),
}

impl Keys {
    /// Does it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::New(new) => new.run(),
            Self::Ls(ls) => ls.run(),
            Self::Rotate(rotate) => rotate.run(),
            Self::Revoke(revoke) => revoke.run(),
        }
    }
}
