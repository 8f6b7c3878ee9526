//! `longshore dev`: the whole service in one process, with nothing else needed.

use crate::demo;
use crate::failure::Failure;
use crate::running::{self, Running};
use clap::Args;
use longshore::Service;

/// How the service is run.
#[derive(Debug, Args)]
pub(crate) struct Dev {
    #[command(flatten)]
    running: Running,
    /// Takes tasks in without running any (for measuring).
    #[arg(long, hide = true)]
    accept_only: bool,
    /// Adds a kind that a command runs (for testing).
    #[cfg(feature = "faults")]
    #[arg(long, hide = true, value_name = "NAME=JSON")]
    kind: Vec<crate::commands::CommandKind>,
}

impl Dev {
    /// Runs until SIGINT or SIGTERM.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut builder = demo::add_to(longshore::builder());
        #[cfg(feature = "faults")]
        {
            builder = self.kind.iter().fold(builder, |builder, kind| kind.add_to(builder));
        }
        if self.accept_only {
            builder = builder.accept_only();
        }
        self.running.run(builder, greet)
    }
}

fn greet(service: &Service) {
    running::say_ready(service);
    let url = service.url();
    anstream::eprintln!(
        "\n\
         Try it:\n\
         \n  curl -s '{url}/v1/tasks?wait=5s' -H 'content-type: application/json' \
         -d '{{\"kind\":\"hello\",\"payload\":{{\"name\":\"you\"}}}}'\n\
         \n\
         Ctrl-C stops it."
    );
}
