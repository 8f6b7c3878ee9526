//! Carriage: a broker carries the tasks of a queue; their truth stays in the store.
//!
//! [`relay`] publishes ready tasks, a window of them for each kind, and asks the store to note what was confirmed.
//! [`receive`] takes the envelopes back in where handlers are; [`opening`] opens the tasks in the store and tells the
//! broker; from there on a task's way is that of [`consumer`](crate::consumer). [`evidence`] decides what the broker has lost, so that
//! it is published again; [`mandate`] tells the store which queues are carried. A [`Carrier`] is what all of these share
//! about one broker, [`part`] the components.

mod carrier;
mod evidence;
mod group;
mod mandate;
mod named;
mod office;
mod opening;
mod part;
mod receive;
mod relay;

pub(crate) use carrier::Carrier;
pub use named::NoCarrier;
pub(crate) use named::check;
pub(crate) use part::{mandating, receiving, relaying};
