//! `longshore tasks replay`: submits tasks like these anew.

use crate::enqueue::PayloadSource;
use crate::exit::{Exit, Tally};
use crate::failure::{Failure, Said};
use crate::ids;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Submits tasks like these anew, with another payload if one is given
///
/// The old ones stay as they are; the new ones name them in `replay_of`.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Replay {
    /// Ids; `-` reads them from standard input, one a line
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    payload: PayloadSource,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Replay {
    /// Submits them.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { ids, payload, output, remote } = self;
        let dash = ids.contains(&"-".to_owned());
        if dash && payload.is_stdin() {
            return Err(Failure::Usage(
                "ids and payload cannot both come from standard input".into(),
            ));
        }
        let named = ids.len() + usize::from(dash);
        let ids = ids::read(&ids)?;
        let payload = payload.read()?;
        remote.run(async move |client| {
            let mut listing = output.list_of(named);
            let mut tally = Tally::default();
            for id in ids {
                match client.tasks().replay(id, payload.as_deref()).await {
                    Ok(submitted) => {
                        listing.push(&submitted)?;
                        listing.flush()?;
                        tally.done();
                    }
                    Err(error) => {
                        anstream::eprintln!("longshore: {id}: {}", Said(&error));
                        tally.failed(Exit::of(&error));
                        if Exit::of(&error) == Exit::Unreachable {
                            break;
                        }
                    }
                }
            }
            if !(named == 1 && listing.printed() == 0) {
                listing.finish()?;
            }
            Ok(tally.exit())
        })
    }
}
