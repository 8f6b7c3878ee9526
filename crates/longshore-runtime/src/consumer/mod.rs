//! From a ready task to its recorded end: claim → open → perform → decide → record → emit.
//!
//! [`attempt`] is the page to read. [`fetch`] keeps the slots of a queue filled, [`slots`] counts
//! them. A slot is free when its handler has returned; recording goes on beside the next
//! task, and is bounded, so that a slow store pushes back.

mod attempt;
mod context;
mod fetch;
mod slots;

pub(crate) use context::Context;
pub(crate) use fetch::Fetch;
pub(crate) use slots::Slots;
