//! `longshore conformance`: tests what others wrote for Longshore.
//!
//! [`worker`] is what is asked for; a [`way`] is how the worker is reached; [`rig`] is what a case
//! works with: a server of its own ([`house`]) and the worker ([`process`], if it pulls). What is
//! tested is in [`cases`].

mod cases;
mod finding;
mod house;
mod process;
mod rig;
mod same;
mod way;
mod worker;

use crate::exit::Exit;
use crate::failure::Failure;
use clap::Subcommand;

/// What is tested.
#[derive(Debug, Subcommand)]
pub(crate) enum Conformance {
    Worker(worker::Worker),
}

impl Conformance {
    /// Tests it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Worker(worker) => worker.run(),
        }
    }
}
