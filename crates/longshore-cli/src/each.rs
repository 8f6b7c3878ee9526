//! Doing one thing to several: of many, one that fails keeps none of the others from it.

use crate::exit::{Exit, Tally};
use crate::failure::Failure;
use crate::output::{Output, Record};

/// Does it to each, and prints how they stand then.
pub(crate) async fn each<T: Record>(
    named: &[String],
    output: Output,
    act: impl AsyncFn(&str) -> Result<T, Failure>,
) -> Result<Exit, Failure> {
    let mut listing = output.list_of(named.len());
    let mut tally = Tally::default();
    for name in named {
        match act(name).await {
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
