//! What has to be done from time to time, one duty a file.
//!
//! Each duty asks the store for one batch at a time and repeats at once while there is more, so
//! that no duty holds the store for long and none is starved by another.

mod announcer;
mod cron;
mod due;
mod duty;
mod expiry;
mod health;
mod horizon;
mod leader;
mod pruner;
mod rescuer;

pub(crate) use announcer::Announcer;
pub(crate) use cron::Cron;
pub use due::Nudge;
pub(crate) use duty::{Duty, component};
pub(crate) use expiry::Expiry;
pub(crate) use health::Health;
pub(crate) use horizon::Horizon;
pub(crate) use leader::Leader;
pub(crate) use pruner::Pruner;
pub(crate) use rescuer::Rescuer;

pub(crate) use due::Due;
