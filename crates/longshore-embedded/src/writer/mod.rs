//! The one writer: whatever waits goes into one transaction, is synced once, then answered.
//!
//! [`inbox`] is where requests wait, [`job`] what they are, [`parked`] the claims that wait for
//! work, [`bells`] wake who waits for marks, [`homeless`] what is given back because nobody holds it, [`group`] is one round: apply, commit, answer. A death before the commit loses requests
//! that nobody was answered; a death after it loses answers to what is stored, which the same
//! idempotency key brings back.

mod bells;
mod group;
mod homeless;
mod inbox;
mod job;
mod parked;
mod thread;

pub(crate) use inbox::Inbox;
pub(crate) use job::{Job, Reply};
pub(crate) use thread::start;
