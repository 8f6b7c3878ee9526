//! `longshore tasks show`: all there is to know of tasks.

use crate::exit::{Exit, Tally};
use crate::failure::{Failure, Said};
use crate::ids;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Shows all there is to know of tasks, payload, result and error included.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Ids; `-` reads them from standard input, one a line
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Show {
    /// Shows them.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { ids, output, remote } = self;
        let named = ids.len() + usize::from(ids.contains(&"-".to_owned()));
        let ids = ids::read(&ids)?;
        remote.run(async move |client| {
            let mut listing = output.list_of(named).detailed();
            let mut tally = Tally::default();
            for id in ids {
                match client.tasks().get(id).await {
                    Ok(task) => {
                        listing.push(&task)?;
                        tally.done();
                    }
                    // Of several, the others are shown.
                    Err(error) if named > 1 && Exit::of(&error) == Exit::NotFound => {
                        anstream::eprintln!("longshore: {id}: {}", Said(&error));
                        tally.failed(Exit::NotFound);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            listing.finish()?;
            Ok(tally.exit())
        })
    }
}
