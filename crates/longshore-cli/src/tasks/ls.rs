//! `longshore tasks ls`: lists tasks, newest first.

use super::filter::{Filter, Of, list};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;
use longshore::Client;
use longshore::client::{ListFilter, Task};
use std::io::IsTerminal;

/// Lists tasks, newest first
///
/// `longshore tasks ls -o name --status failed | xargs longshore tasks retry`
/// runs the failed ones among the newest 50 again.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Ls {
    #[command(flatten)]
    extent: Extent,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

/// How many are listed.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Extent {
    /// So many at most
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// All there are, printed as they come
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl Extent {
    /// All there are.
    pub(crate) const ALL: Self = Self { limit: 1, all: true };

    /// Returns how many at most.
    pub(crate) fn most(self) -> usize {
        if self.all { usize::MAX } else { self.limit as usize }
    }
}

impl Ls {
    /// Lists them.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { extent, filter, output, remote } = self;
        remote.run(async move |client| {
            printed(&client, filter.of(Of::Tasks), &filter.list(), extent, output).await
        })
    }
}

/// Prints the tasks that a filter finds, page by page.
pub(crate) async fn printed(
    client: &Client,
    of: Of,
    filter: &ListFilter,
    extent: Extent,
    output: Output,
) -> Result<Exit, Failure> {
    let mut listing = output.list::<Task>();
    let more = list(client, of, filter, extent, |tasks| {
        for task in &tasks {
            listing.push(task)?;
        }
        Ok(listing.flush()?)
    });
    let more = more.await?;
    let shown = listing.printed();
    let for_people = listing.is_for_people();
    listing.finish()?;
    if std::io::stderr().is_terminal() {
        if more {
            anstream::eprintln!("longshore: the newest {shown}; --all shows all, --limit more");
        } else if shown == 0 && for_people {
            anstream::eprintln!("longshore: there are none");
        }
    }
    Ok(Exit::Fine)
}
