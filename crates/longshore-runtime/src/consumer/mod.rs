//! From a ready task to its recorded end: claim → open → perform → decide → record → emit.
//!
//! [`attempt`] is the page to read first: it runs on the handlers' threads ([`executor`], which get
//! their work by [`feed`]) and nothing else does. [`fetch`] keeps the slots of the queues filled ([`slots`], [`rate`]);
//! [`record`] takes it from the handler's return to the stored end, many at a time and bounded, so
//! that a slow store pushes back. [`opening`] is one hand-out while it runs, [`running`] all of them;
//! [`watchdog`] gives up those that do not answer any more. A slot is free when its handler has
//! returned. At a stop, [`handlers`] drains.

mod attempt;
mod context;
mod executor;
mod feed;
pub(crate) mod fetch;
mod handlers;
mod line;
mod opening;
mod permits;
pub(crate) mod record;
mod running;
mod sentinel;
mod slots;
pub(crate) mod watchdog;

pub(crate) use context::Context;
pub(crate) use executor::Executor;
pub(crate) use feed::{Feed, Gone, Handling};
pub(crate) use handlers::Handlers;
pub(crate) use record::Ends;
pub(crate) use running::Running;
pub(crate) use slots::Slot;
