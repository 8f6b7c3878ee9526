//! Why a broker could not do what it was asked.

use super::{GroupName, TopologyDiff};
use std::time::Duration;

/// The broker failed; nothing is said about single envelopes.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BrokerError {
    /// Cannot be reached or used at the moment.
    #[error("the broker is unavailable: {why}")]
    Unavailable {
        /// What stands in the way.
        why: String,
    },
    /// It could not be done within this time.
    #[error("the broker did not answer within {waited:?}")]
    Deadline {
        /// How long it took.
        waited: Duration,
    },
    /// The broker refuses: credentials, rights, a virtual host that is not there. Trying again without a change
    /// over there will not help.
    #[error("the broker refuses: {why}")]
    Refused {
        /// What it refuses, and what to do.
        why: String,
    },
    /// Something is there with other properties than declared, and was left as it is.
    #[error("{0}")]
    Differs(TopologyDiff),
    /// A group that nobody has declared.
    #[error("no group {group} was declared")]
    UnknownGroup {
        /// Its name.
        group: GroupName,
    },
    /// This broker cannot do that at all.
    #[error("this broker cannot do that: {what}")]
    Unsupported {
        /// What was wanted.
        what: String,
    },
    /// It was closed.
    #[error("the broker is closed")]
    Closed,
}

/// What a broker's error means for whoever called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerClass {
    /// The same call may succeed later by itself.
    Temporary,
    /// Somebody has to change something first; a call after that may succeed.
    Refused,
    /// It will not succeed in this process.
    Final,
}

impl BrokerError {
    /// Returns whether the same call may succeed later.
    pub fn class(&self) -> BrokerClass {
        match self {
            Self::Unavailable { .. } | Self::Deadline { .. } => BrokerClass::Temporary,
            Self::Refused { .. } | Self::Differs(_) => BrokerClass::Refused,
            Self::UnknownGroup { .. } | Self::Unsupported { .. } | Self::Closed => {
                BrokerClass::Final
            }
        }
    }
}
