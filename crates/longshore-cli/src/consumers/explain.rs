//! `longshore consumers explain`: how a consumer's policy is kept on its broker.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Cell, Column, Output, Record, Tone, column};
use crate::remote::Remote;
use clap::Args;
use longshore::client::Explanation;
use serde::Serialize;

/// Says how a consumer's policy is kept on its broker, or why it cannot be
///
/// `native` is done by the broker, `supplied` by us, `limit` is how far it goes,
/// `refused` cannot be kept: then it ends with 8. So it does while the broker was not
/// there yet, for then nothing is known.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Explain {
    /// Its name
    #[arg(value_name = "CONSUMER")]
    consumer: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

/// One thing, and how it is done.
#[derive(Debug, Serialize)]
struct Row {
    about: String,
    done: String,
    how: String,
}

impl Record for Row {
    const COLUMNS: &'static [Column] = &[column("ABOUT"), column("DONE"), column("HOW")];

    fn cells(&self) -> Vec<Cell> {
        let tone = match self.done.as_str() {
            "refused" => Tone::Bad,
            "limit" => Tone::Careful,
            _ => Tone::Good,
        };
        let done = Cell::Toned(self.done.clone(), tone);
        vec![Cell::Text(self.about.clone()), done, Cell::Text(self.how.clone())]
    }

    fn name(&self) -> String {
        self.about.clone()
    }
}

fn rows(explanation: Explanation) -> Vec<Row> {
    let lines = explanation.lines.into_iter();
    let lines = lines.map(|line| Row { about: line.about, done: line.done, how: line.how });
    let refusals = explanation.refusals.into_iter().map(|refusal| Row {
        about: refusal.key,
        done: "refused".to_owned(),
        how: format!("{}; {}", refusal.why, refusal.fix),
    });
    lines.chain(refusals).collect()
}

impl Explain {
    /// Asks, and prints.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { consumer, output, remote } = self;
        remote.run(async move |client| {
            let explanation = client.consumers().explain(&consumer).await?;
            let (planned, broker) = (explanation.verdict == "planned", explanation.broker.clone());
            if explanation.verdict == "unknown" {
                let why = explanation.reason.clone().unwrap_or_default();
                anstream::eprintln!(
                    "longshore: nothing is known of the broker {broker} yet: {why}"
                );
            }
            let mut listing = output.list();
            rows(explanation).iter().try_for_each(|row| listing.push(row))?;
            listing.finish()?;
            Ok(if planned { Exit::Fine } else { Exit::Problems })
        })
    }
}
