//! `longshore enqueue --batch`: a file of tasks, sent in chunks of which each is one sync.

use super::progress::Progress;
use super::source::{Chunk, Source};
use crate::exit::{Exit, Tally};
use crate::failure::Failure;
use crate::output::{Cell, Column, Format, Listing, Output, Record, column};
use longshore::Client;
use longshore::core::{State, TaskId};
use serde::Serialize;
use tokio::sync::mpsc;

/// Refused lines that are told of.
const TOLD: u64 = 20;

/// A file of tasks.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) source: Source,
    pub(super) output: Output,
}

/// A line that was accepted.
#[derive(Debug, Serialize)]
struct Accepted {
    line: u64,
    id: TaskId,
    status: State,
}

impl Record for Accepted {
    const COLUMNS: &'static [Column] = &[column("LINE"), column("ID"), column("STATUS")];

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::Number(self.line), Cell::Text(self.id.to_string()), Cell::state(self.status)]
    }

    fn name(&self) -> String {
        self.id.to_string()
    }
}

/// What came of all of them.
#[derive(Debug, Default, Serialize)]
struct Sum {
    accepted: u64,
    refused: u64,
}

impl Record for Sum {
    const COLUMNS: &'static [Column] = &[column("ACCEPTED"), column("REFUSED")];

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::Number(self.accepted), Cell::Number(self.refused)]
    }

    fn name(&self) -> String {
        self.accepted.to_string()
    }
}

impl Batch {
    /// Sends all of it. A file is read once before, so that a slip in its last line is told
    /// before the first one is sent.
    pub(super) async fn submit(self, client: &Client) -> Result<Exit, Failure> {
        let Self { source, output } = self;
        let total = match source.is_stdin() {
            true => None,
            false => {
                let source = source.clone();
                Some(tokio::task::spawn_blocking(move || source.count()).await??)
            }
        };
        let mut progress = Progress::new(total);
        // A table of many thousand ids is read by nobody.
        let mut listing = match output.format {
            Format::Table | Format::Wide => None,
            _ => Some(output.list()),
        };
        let mut sum = Sum::default();
        let sent = send(client, source, &mut progress, &mut listing, &mut sum).await;
        progress.end();
        if sum.refused > TOLD {
            anstream::eprintln!("longshore: and {} more were refused", sum.refused - TOLD);
        }
        match listing {
            Some(listing) => listing.finish()?,
            None if sent.is_err() && sum.accepted == 0 => {}
            None => {
                let mut table = output.list();
                table.push(&sum)?;
                table.finish()?;
            }
        }
        match sent {
            Ok(tally) => Ok(tally.exit()),
            Err(failure) if sum.accepted == 0 || failure.is_unread() => Err(failure),
            Err(failure) => Err(Failure::Partly(format!(
                "it broke off after {} tasks were accepted: {failure}",
                sum.accepted
            ))),
        }
    }
}

/// Sends chunk after chunk, while the next one is read.
async fn send(
    client: &Client,
    source: Source,
    progress: &mut Progress,
    listing: &mut Option<Listing<Accepted>>,
    sum: &mut Sum,
) -> Result<Tally, Failure> {
    let (give, mut chunks) = mpsc::channel(1);
    let file = source.name();
    let reader = tokio::task::spawn_blocking(move || {
        // An error here says that nobody wants more.
        source.chunks(|chunk| Ok(give.blocking_send(chunk).is_ok()))
    });
    let mut tally = Tally::default();
    while let Some(Chunk { tasks, lines, .. }) = chunks.recv().await {
        let count = lines.len() as u64;
        for (line, item) in lines.into_iter().zip(client.submit_all(tasks).await?) {
            match item {
                Ok(stored) => {
                    sum.accepted += 1;
                    tally.done();
                    if let Some(listing) = listing {
                        listing.push(&Accepted { line, id: stored.id, status: stored.status })?;
                    }
                }
                Err(rejected) => {
                    sum.refused += 1;
                    tally.failed(Exit::of_code(rejected.code));
                    if sum.refused <= TOLD {
                        progress.say(&format!("{file}:{line}: {rejected}"));
                    }
                }
            }
        }
        if let Some(listing) = listing {
            listing.flush()?;
        }
        progress.add(count);
    }
    reader.await??;
    Ok(tally)
}
