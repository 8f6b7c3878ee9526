//! `longshore conformance worker`: tests a worker, whoever wrote it, in whatever language.

use super::cases::{Case, FIRST, REST};
use super::finding::{Finding, Verdict};
use super::rig::{Rig, Trouble};
use super::way::Way;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Listing, Output};
use crate::remote::interruptible;
use clap::Args;
use clap::builder::PossibleValuesParser;
use longshore::core::Span;
use std::time::Instant;

/// Tests a worker of yours, in whatever language
///
///   longshore conformance worker --pull python3 worker.py
///   longshore conformance worker --push http://127.0.0.1:9000/
///   longshore conformance worker --command ./worker.sh
///
/// It is held against a server that is started for it, with data that are gone
/// afterwards. It has to run the kind `conformance`, whose payload says what to do:
///
///   {"do": "return", "value": X}       succeed; the result is X
///   {"do": "sleep", "ms": N}           take so long, then succeed
///   {"do": "fail", "class": "transient", "message": M}    fail, to be tried again
///   {"do": "fail", "class": "bad_data"}                   fail for good
///
/// Each case is one line: `ok`, `FAILED` and why, or `advice`: not required, but
/// better. Exit code 1 if one failed. What the worker prints is shown on standard
/// error.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Worker {
    #[command(flatten)]
    way: Way,
    /// Tries only this case; may be repeated
    #[arg(
        long = "case",
        value_name = "NAME",
        value_parser = PossibleValuesParser::new(REST.iter().map(|case| case.name)),
        hide_possible_values = true
    )]
    cases: Vec<String>,
    /// How long the first task may take: some workers are compiled first
    #[arg(long, value_name = "DURATION", default_value = "1m")]
    start: Span,
    /// How long any other task may take, beyond what it is told to
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    patience: Span,
    #[command(flatten)]
    output: Output,
}

impl Worker {
    /// Tests it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { way, cases, start, patience, output } = self;
        interruptible(async move {
            let wanted = |case: &&Case| {
                way.can(case) && (cases.is_empty() || cases.iter().any(|name| name == case.name))
            };
            let wanted: Vec<&Case> = REST.iter().filter(wanted).collect();
            let mut rig = Rig::start(way, start.0)?;
            let mut report = Report::new(output);
            let began = report.tried(&mut rig, &FIRST).await?;
            rig.patience = patience.0;
            // Of a worker that does nothing, nothing else can be said.
            for case in wanted.into_iter().filter(|_| began) {
                report.tried(&mut rig, case).await?;
            }
            report.finish()
        })
    }
}

/// What was found so far.
struct Report {
    listing: Listing<Finding>,
    tried: usize,
    failed: usize,
    advised: usize,
}

impl Report {
    fn new(output: Output) -> Self {
        Self { listing: output.list(), tried: 0, failed: 0, advised: 0 }
    }

    /// Tries one case; returns whether the worker stood it.
    async fn tried(&mut self, rig: &mut Rig, case: &Case) -> Result<bool, Failure> {
        rig.ready()?;
        let began = Instant::now();
        let found = match (case.run)(rig).await {
            Ok(()) => None,
            Err(Trouble::Wrong(why)) => Some(why),
            Err(Trouble::Failed(failure)) => return Err(failure),
        };
        let verdict = match (&found, case.required) {
            (None, _) => Verdict::Ok,
            (Some(_), true) => Verdict::Failed,
            (Some(_), false) => Verdict::Advice,
        };
        self.tried += 1;
        self.failed += usize::from(verdict == Verdict::Failed);
        self.advised += usize::from(verdict == Verdict::Advice);
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (case, says) = (case.name, case.says);
        self.listing.push(&Finding { verdict, case, says, took_ms: took, found })?;
        self.listing.flush()?;
        Ok(verdict == Verdict::Ok)
    }

    fn finish(self) -> Result<Exit, Failure> {
        self.listing.finish()?;
        let ok = self.tried - self.failed - self.advised;
        anstream::eprintln!("{ok} ok, {} failed, {} to think about", self.failed, self.advised);
        Ok(if self.failed > 0 { Exit::Failed } else { Exit::Fine })
    }
}
