//! Why a store could not do what it was asked.

use std::sync::Arc;
use std::time::Duration;

/// The store itself failed; nothing is said about single tasks.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Cannot be reached or used at the moment; nothing was done.
    #[error("the store is unavailable: {why}")]
    Unavailable {
        /// What stands in the way.
        why: String,
    },
    /// There is no room left; nothing was done. Reading and ending tasks go on.
    #[error("the store is full")]
    Full,
    /// It could not be done within this time; nothing was done.
    #[error("the store did not answer within {waited:?}")]
    Deadline {
        /// How long it took.
        waited: Duration,
    },
    /// It may or may not have been done: ask again with the same idempotency key.
    #[error("the outcome is unknown: {why}")]
    Unknown {
        /// What happened.
        why: String,
    },
    /// It was closed.
    #[error("the store is closed")]
    Closed,
    /// What it keeps can no longer be trusted to be kept: the process must stop.
    #[error("the store cannot go on: {why}")]
    Fatal {
        /// What happened and what to do.
        why: Arc<str>,
    },
}

/// What a store's error means for whoever called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The same call may succeed later.
    Temporary,
    /// It may have been done already.
    Unknown,
    /// It will not succeed in this process.
    Final,
}

impl StoreError {
    /// Returns whether the same call may succeed later.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unavailable { .. } | Self::Full | Self::Deadline { .. } => ErrorClass::Temporary,
            Self::Unknown { .. } => ErrorClass::Unknown,
            Self::Closed | Self::Fatal { .. } => ErrorClass::Final,
        }
    }
}
