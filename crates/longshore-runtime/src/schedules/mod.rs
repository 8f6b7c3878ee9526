//! What is submitted again and again, by the clock.
//!
//! A [`Plan`] is what somebody wants: when, and which task. [`Schedules`] keeps plans in the store, and lets
//! each slot make one task however many servers look. Which slots a plan has is told in
//! [`longshore_core::schedule`]; the duty `cron` of [`upkeep`](crate::upkeep) is what looks.
//!
//! **Config and API.** A plan from the configuration has an id that follows from its name. What a request
//! changes of it is kept over it, field by field: the store holds what the configuration says beside what
//! is in force, so that a reload changes the one without the other.

mod configured;
mod fields;
mod firing;
mod plan;
#[expect(clippy::module_inception, reason = "the noun has the folder's name")]
mod schedules;
mod template;
#[cfg(test)]
mod tests;

pub use fields::Fields;
pub(crate) use firing::Slot;
pub use plan::Plan;
pub use schedules::{ScheduleError, Schedules};
