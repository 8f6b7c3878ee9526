//! How the connection to a broker is.

use std::time::Duration;

/// What a connection is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// Was never up, and is being made.
    Connecting {
        /// Why the last try failed, if there was one.
        why: Option<String>,
    },
    /// Everything works.
    Up {
        /// Which server answers, and its version: `127.0.0.1:5672, RabbitMQ 3.10.8`.
        server: String,
    },
    /// Up, but the broker takes nothing in at the moment.
    Blocked {
        /// Its reason.
        why: String,
    },
    /// Was lost, and is being made again.
    Lost {
        /// Why, or why the last try failed.
        why: String,
        /// How many tries have failed since.
        tries: u32,
    },
    /// Given up: somebody has to act.
    GivenUp {
        /// Why the last try failed.
        why: String,
    },
    /// Was closed.
    Closed,
}

impl LinkState {
    /// Returns the word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Connecting { .. } => "connecting",
            Self::Up { .. } => "up",
            Self::Blocked { .. } => "blocked",
            Self::Lost { .. } => "lost",
            Self::GivenUp { .. } => "given_up",
            Self::Closed => "closed",
        }
    }

    /// Returns whether something can be published and received.
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Up { .. })
    }
}

/// How the connection is, with what has been counted since it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkReport {
    /// Grows at each change of `state`.
    pub version: u64,
    /// How it is.
    pub state: LinkState,
    /// For how long it has been so.
    pub since: Duration,
    /// How often it came back.
    pub reconnects: u64,
    /// Published and not confirmed yet.
    pub unconfirmed: u64,
    /// Settlements that were dropped because their connection was gone: what they were for is handed out again.
    pub stale: u64,
}
