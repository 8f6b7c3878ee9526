//! Doing one thing to several consumers.

use crate::exit::{Exit, Tally};
use crate::failure::{Failure, Said};
use crate::output::Output;
use longshore::client::{ClientError, Consumer};

/// Does it to each, and prints how they stand then.
pub(super) async fn each(
    names: &[String],
    output: Output,
    act: impl AsyncFn(&str) -> Result<Consumer, ClientError>,
) -> Result<Exit, Failure> {
    let mut listing = output.list_of(names.len());
    let mut tally = Tally::default();
    for name in names {
        match act(name).await {
            Ok(consumer) => {
                listing.push(&consumer)?;
                tally.done();
            }
            Err(error) if names.len() == 1 => return Err(error.into()),
            Err(error) => {
                anstream::eprintln!("longshore: {name}: {}", Said(&error));
                tally.failed(Exit::of(&error));
            }
        }
    }
    listing.finish()?;
    Ok(tally.exit())
}
