//! The broker that needs no server: topics and groups in the store's own file; `docs/broker.md`, rule by rule.
//!
//! [`EmbeddedBroker`] is what the floors above see, [`hand`] what lies between it and the writer: one for each
//! subscription. [`Log`] is the writer's side, inside its transaction. Each other file adds one verb to it.
//!
//! A message is kept once, in the order of publishing, for as long as some group has not settled it. A group is a
//! cursor into that order, what it has handed out and not settled, and what waits for a later attempt. Who holds a hand-out is
//! known in memory alone: after the death of the process everything that was held is handed out again.

mod aside;
mod broker;
mod collect;
mod declare;
mod deliveries;
mod found;
mod group;
mod hand;
mod held;
mod inspect;
mod log;
mod parcel;
mod publish;
mod route;
mod serve;
mod settle;

pub use broker::EmbeddedBroker;
pub(crate) use hand::{Hand, Place};
pub(crate) use log::Log;
pub(crate) use parcel::Parcel;

/// A group's number.
type GroupId = i64;
/// A place in the order of publishing; none is given twice.
type Position = i64;
