//! `longshore queues purge`: cancels all tasks of a queue that wait.

use super::view::count;
use crate::confirm::{Confirm, Plan, SAMPLE, tasks};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Cell, Column, Output, Record, column};
use crate::remote::Remote;
use crate::tasks::line;
use clap::Args;
use longshore::client::{ListFilter, Task};
use longshore::core::State;
use serde::Serialize;

/// What a purge is about: those that run go on.
const WAITING: [State; 3] = [State::Scheduled, State::Pending, State::Retrying];

/// Cancels all tasks of a queue that wait; those that run go on
///
/// It shows how many there are first, with a sample, and asks.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Purge {
    /// Its name
    #[arg(value_name = "QUEUE")]
    queue: String,
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Purged {
    queue: String,
    purged: u64,
}

impl Record for Purged {
    const COLUMNS: &'static [Column] = &[column("QUEUE"), column("PURGED")];

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::Text(self.queue.clone()), Cell::Number(self.purged)]
    }

    fn name(&self) -> String {
        self.queue.clone()
    }
}

impl Purge {
    /// Cancels them, once it is clear that it is meant.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { queue, confirm, output, remote } = self;
        remote.run(async move |client| {
            let found = client.queues().get(&queue).await?;
            let waiting: u64 = WAITING.iter().map(|state| count(&found, *state)).sum();
            let filter =
                WAITING.iter().fold(ListFilter::new(), |filter, state| filter.status(*state));
            let sample = client.tasks().list(&filter.queue(&queue).limit(SAMPLE)).await?.items;
            if confirm.dry_run {
                let mut listing = output.list::<Task>();
                sample.iter().try_for_each(|task| listing.push(task))?;
                listing.finish()?;
                anstream::eprintln!(
                    "longshore: would cancel {} of the queue {queue}, the newest {} are shown; \
                     nothing was done",
                    tasks(waiting),
                    sample.len()
                );
                return Ok(Exit::Fine);
            }
            if waiting > 0 {
                let what = format!("cancel {} that wait in the queue {queue}", tasks(waiting));
                let sample = sample.iter().map(line).collect();
                confirm.settle(&Plan { what, sample, count: waiting }).await?;
            }
            let purged = client.queues().purge(&queue).await?;
            output.one(&Purged { queue, purged })?;
            Ok(Exit::Fine)
        })
    }
}
