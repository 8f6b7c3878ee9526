//! What is tested. [`FIRST`] goes before all others; [`REST`] is in the order in which they are
//! tried: the first [`values`], then [`ends`], then [`lives`] of worker and server.

mod ends;
mod lives;
mod values;

use super::rig::{Rig, Trouble};
use std::pin::Pin;

/// One thing that a worker must stand.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// What a good worker does.
    pub(super) says: &'static str,
    /// Without this no worker is sound; the others are advice.
    pub(super) required: bool,
    /// It is about the connection that a worker keeps.
    pub(super) pull_only: bool,
    pub(super) run: Run,
}

type Run = for<'a> fn(&'a mut Rig) -> Pin<Box<dyn Future<Output = Result<(), Trouble>> + 'a>>;

const fn case(name: &'static str, says: &'static str, run: Run) -> Case {
    Case { name, says, required: true, pull_only: false, run }
}

impl Case {
    const fn advice(self) -> Self {
        Self { required: false, ..self }
    }

    const fn for_pull(self) -> Self {
        Self { pull_only: true, ..self }
    }
}

/// Whether it works at all.
pub(super) const FIRST: Case =
    case("first-task", "it takes up work", |rig| Box::pin(values::null(rig)));

/// All others.
pub(super) const REST: &[Case] = &[
    case("text", "a text comes back, in every script", |rig| Box::pin(values::text(rig))),
    case("nested", "objects and lists come back", |rig| Box::pin(values::nested(rig))),
    case("empty", "what is empty comes back empty", |rig| Box::pin(values::empty(rig))),
    case("large", "a large value comes back whole", |rig| Box::pin(values::large(rig))),
    case("integers", "integers of 64 bits keep every digit", |rig| Box::pin(values::integers(rig))),
    case("digits", "larger numbers keep every digit", |rig| Box::pin(values::digits(rig))).advice(),
    case("fraction", "1.0 is not 1", |rig| Box::pin(values::fraction(rig))).advice(),
    case("tried-again", "a failure is tried again", |rig| Box::pin(ends::tried_again(rig))),
    case("message", "a failure says why", |rig| Box::pin(ends::message(rig))).advice(),
    case("bad-data", "bad data goes to the dead letters", |rig| Box::pin(ends::bad_data(rig))),
    case("headers", "unknown headers do no harm", |rig| Box::pin(ends::headers(rig))),
    case("takes-time", "a task may take its time", |rig| Box::pin(ends::takes_time(rig))),
    case("ten-at-once", "of ten tasks at once none is forgotten", |rig| Box::pin(ends::ten(rig))),
    case("told-once", "each end is told once", |rig| Box::pin(lives::told_once(rig)))
        .for_pull()
        .advice(),
    case("late-end", "an end that comes too late is dropped", |rig| Box::pin(lives::late_end(rig)))
        .for_pull(),
    case("restart", "it goes on when the server comes back", |rig| Box::pin(lives::restart(rig)))
        .for_pull(),
    case("outage", "an end that met no server is told again", |rig| Box::pin(lives::outage(rig)))
        .for_pull()
        .advice(),
    case("hundred", "a hundred tasks take less than 10 s", |rig| Box::pin(ends::hundred(rig)))
        .advice(),
];
