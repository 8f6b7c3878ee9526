//! `longshore enqueue`: submits tasks.

mod batch;
mod fields;
mod line;
mod payload;
mod progress;
mod source;
mod unique;

pub(crate) use payload::PayloadSource;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use crate::tasks::{Patience, told};
use clap::Args;
use fields::Fields;
use longshore::client::Submit;
use longshore::core::Span;

/// Submits a task, or a whole file of them
///
/// It returns once the task is on stable storage. Where the network fails it is
/// sent again, under the same idempotency key, so that it makes one task at most.
///
///   longshore enqueue email.send --payload '{"to": "a@b.c"}' --wait 30s
///   jq -c .order order.json | longshore enqueue order.ship -
///   longshore enqueue --batch tasks.jsonl
///
/// A line of a batch file is an object of the fields of `POST /v1/tasks`:
///
///   {"kind": "email.send", "payload": {"to": "a@b.c"}, "delay": "5m"}
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Enqueue {
    /// What kind of task
    #[arg(value_name = "KIND", required_unless_present = "batch")]
    kind: Option<String>,
    /// The payload as JSON; `-` reads it from standard input
    #[arg(value_name = "PAYLOAD", conflicts_with_all = ["payload", "payload_file"])]
    positional: Option<String>,
    #[command(flatten)]
    payload: PayloadSource,
    /// Waits so long for its end, and shows it then
    ///
    /// Exit code 10 if it failed, 11 if it was cancelled, 124 if the time was up.
    #[arg(long, value_name = "DURATION")]
    wait: Option<Span>,
    /// A file with a task as JSON in each line; `-` is standard input
    ///
    /// KIND is for lines without one. With `--idempotency-key KEY` each line has the key
    /// KEY:NUMBER, so that the file can be sent again after it broke off.
    #[arg(
        long,
        verbatim_doc_comment,
        value_name = "FILE",
        conflicts_with_all = ["positional", "payload", "payload_file", "wait"],
        conflicts_with_all = fields::OF_ONE
    )]
    batch: Option<String>,
    #[command(flatten)]
    fields: Fields,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Enqueue {
    /// Submits.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { kind, positional, payload, fields, wait, batch, output, remote } = self;
        if let Some(file) = batch {
            let source = source::Source { file, kind, key: fields.idempotency_key };
            let batch = batch::Batch { source, output };
            return remote.run(async move |client| batch.submit(&client).await);
        }
        let payload = match positional {
            Some(text) => PayloadSource::named(text),
            None => payload,
        };
        let mut submit = fields.onto(Submit::new(kind.unwrap_or_default()));
        if let Some(json) = payload.read()? {
            submit = submit.payload(&*json)?;
        }
        remote.run(async move |client| {
            let patience = wait.map(|wait| Patience::new(Some(wait)));
            let submitted = client.submit(&submit).await?;
            if !submitted.new {
                anstream::eprintln!(
                    "longshore: {} was there already: no second task was made",
                    submitted.id
                );
            }
            let Some(patience) = patience else {
                let mut listing = output.list_of(1);
                listing.push(&submitted)?;
                listing.finish()?;
                return Ok(Exit::Fine);
            };
            let task = patience.wait(&client, submitted.id).await?;
            let exit = told(&task);
            output.one(&task)?;
            Ok(exit)
        })
    }
}
