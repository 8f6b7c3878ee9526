//! `longshore bench`: figures that mean something, with their conditions.
//!
//! Load is closed-loop (as many as are in flight, for peak rates) or open-loop (`--rate`: a fixed
//! schedule, latency counted from the intended time, so that a stall is not hidden). The first
//! second warms up and is not counted.

mod accept;
mod apart;
mod baseline;
mod consume;
mod listener;
mod load;
mod precise;
mod produce;
mod pull;
mod report;
mod schedules;
mod scratch;
mod store;
mod tasks;

use crate::failure::Failure;
use clap::Subcommand;

/// What is measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Serves a `POST /v1/tasks` that parses and validates as the real one and answers from memory.
    HttpBaseline(baseline::Baseline),
    /// Durable accepts over HTTP, held against the yardstick in the same run.
    Accept(accept::Accept),
    /// Whole lives in process: submit, handler, success.
    Tasks(tasks::Tasks),
    /// Workers that lease over HTTP, a batch at a time.
    Pull(pull::Pull),
    /// Many schedules, in a server that does nothing else.
    Schedules(schedules::Schedules),
    /// Messages published to a broker, held against a loop over its client in the same run.
    Produce(produce::Produce),
    /// Messages of a broker, received and settled by a consumer that does nothing, held against a loop over its client.
    Consume(consume::Consume),
    /// The store alone, held against loops over a table that somebody would write by hand.
    Store(store::StoreAlone),
}

impl Bench {
    /// Measures.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::HttpBaseline(baseline) => baseline.run(),
            Self::Accept(accept) => accept.run(),
            Self::Tasks(tasks) => tasks.run(),
            Self::Pull(pull) => pull.run(),
            Self::Schedules(schedules) => schedules.run(),
            Self::Produce(produce) => produce.run(),
            Self::Consume(consume) => consume.run(),
            Self::Store(store) => store.run(),
        }
    }
}
