//! Doing one thing to several schedules.

use super::found::id_of;
use crate::exit::{Exit, Tally};
use crate::failure::Failure;
use crate::output::{Output, Record};
use longshore::Client;
use longshore::client::ClientError;

/// Does it to each, and prints what comes of it.
pub(super) async fn each<T: Record>(
    client: &Client,
    named: &[String],
    output: Output,
    act: impl AsyncFn(&str) -> Result<T, ClientError>,
) -> Result<Exit, Failure> {
    let mut listing = output.list_of(named.len());
    let mut tally = Tally::default();
    for name in named {
        let done = match id_of(client, name).await {
            Ok(id) => act(&id).await.map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        match done {
            Ok(record) => {
                listing.push(&record)?;
                tally.done();
            }
            Err(failure) if named.len() == 1 => return Err(failure),
            Err(failure) => {
                anstream::eprintln!("longshore: {name}: {failure}");
                tally.failed(failure.exit());
            }
        }
    }
    listing.finish()?;
    Ok(tally.exit())
}
