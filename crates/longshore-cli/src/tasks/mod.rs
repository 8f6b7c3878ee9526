//! `longshore tasks`: looking at tasks, waiting for them, acting on them.

mod act;
mod attempts;
mod cancel;
mod chosen;
mod filter;
mod ls;
mod replay;
mod retry;
mod show;
mod view;
mod wait;

pub(crate) use act::{Act, act};
pub(crate) use chosen::Chosen;
pub(crate) use filter::{Filter, Of};
pub(crate) use ls::{Extent, printed};
pub(crate) use view::line;
pub(crate) use wait::{Patience, told};

use crate::exit::Exit;
use crate::failure::Failure;
use clap::Subcommand;

/// What is done with tasks.
#[derive(Debug, Subcommand)]
pub(crate) enum Tasks {
    Ls(ls::Ls),
    Show(show::Show),
    Wait(wait::Wait),
    Cancel(cancel::Cancel),
    Retry(retry::Retry),
    Replay(replay::Replay),
    Attempts(attempts::Attempts),
}

impl Tasks {
    /// Does it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Ls(ls) => ls.run(),
            Self::Show(show) => show.run(),
            Self::Wait(wait) => wait.run(),
            Self::Cancel(cancel) => cancel.run(),
            Self::Retry(retry) => retry.run(),
            Self::Replay(replay) => replay.run(),
            Self::Attempts(attempts) => attempts.run(),
        }
    }
}
