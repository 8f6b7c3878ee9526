//! The ports of a store: what the engine asks of whatever keeps tasks.
//!
//! Each trait is small and takes batches. The outer `Result` is about the store itself, so that
//! an outage never looks like "no work"; the inner ones are about single tasks. A store is
//! defined by the suite in `longshore-conformance`, which every implementation passes.
//!
#![doc = include_str!("../../../../docs/store.md")]

mod carriage;
mod error;
mod intake;
mod leases;
mod lifecycle;
mod oversight;
mod overview;
mod query;
mod schedules;
mod upkeep;
mod work;
mod workers;

pub use carriage::{Carriage, Carried, MarkRef, Marked, Outbox, Relay};
pub use error::{ErrorClass, StoreError};
pub use intake::{Act, ActKind, Acted, Intake, Refused};
pub use leases::{Leases, Term};
pub use lifecycle::{Condition, Lifecycle};
pub use oversight::{AuditLine, Controls, Oversight, QueueAge};
pub use overview::{Agenda, Overview};
pub use query::{Count, Filter, Page, TaskQuery};
pub use schedules::{Fired, Firing, Missed, Origin, Schedule, Schedules};
pub use upkeep::{BATCH, Moved, Pruned, Retention, Upkeep};
pub use work::{
    Claim, Ending, Extend, Hold, LeaseRef, LeaseState, Leased, Open, Opened, Recorded, Want, Work,
};
pub use workers::{KIND_KEPT, KnownKind, LOST_SHOWN, SeenWorker, Share, Told, Worker, Workers};

/// What a call to a store returns.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A whole store.
pub trait Store:
    Intake + Work + Upkeep + Carriage + TaskQuery + Oversight + Schedules + Workers + Leases + Lifecycle
{
}

impl<S> Store for S where
    S: Intake
        + Work
        + Upkeep
        + Carriage
        + TaskQuery
        + Oversight
        + Schedules
        + Workers
        + Leases
        + Lifecycle
{
}
