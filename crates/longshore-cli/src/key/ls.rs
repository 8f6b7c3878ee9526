//! `longshore key ls`: lists keys.

use super::kept::Kept;
use super::view::Shown;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use clap::Args;

/// Lists keys, without their secrets
#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    kept: Kept,
    #[command(flatten)]
    output: Output,
}

impl Ls {
    /// Lists them.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let mut listing = self.output.list();
        for key in &self.kept.file()?.read()? {
            listing.push(&Shown::from(key))?;
        }
        listing.finish()?;
        Ok(Exit::Fine)
    }
}
