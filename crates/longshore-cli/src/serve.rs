//! `longshore serve`: the service as the configuration describes it.

use crate::failure::Failure;
use crate::running::{self, Running};
use clap::Args;

/// How the service is run.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    running: Running,
}

impl Serve {
    /// Runs until SIGINT or SIGTERM.
    pub(crate) fn run(self) -> Result<(), Failure> {
        self.running.run(longshore::builder(), running::say_ready)
    }
}
