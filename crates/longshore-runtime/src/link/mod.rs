//! Workers outside of this process: they lease tasks, say that they live, and tell how it ended.
//!
//! [`Outside`] is what the door calls for them; [`LeaseName`] is how a lease is written for them. The
//! rules of an end (retries, rules of the kind) are those of tasks that run inside.

mod name;
mod outside;
pub mod wire;

pub use name::{BadLease, LeaseName};
pub use outside::{Asked, LateLease, LeaseRefused, MIN_LEASE, Outside, Standing};
