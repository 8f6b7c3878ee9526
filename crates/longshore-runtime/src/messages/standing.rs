//! How a consumer is.

use super::Refusal;

/// How a consumer is, in one word and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has not begun, or does not run in this process.
    Idle,
    /// The broker is away, or has not answered yet.
    Waiting {
        /// What it waits for.
        why: String,
    },
    /// The broker has confirmed the subscription: whatever comes is handed to the handler.
    Running,
    /// Nothing is received, because an operator said so.
    Paused,
    /// It cannot do what it should on this broker: somebody has to change something.
    Refused {
        /// What stands in the way.
        why: Vec<Refusal>,
    },
    /// The process stops: what runs may end.
    Draining,
}

impl Standing {
    /// Returns the word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Waiting { .. } => "waiting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Refused { .. } => "refused",
            Self::Draining => "draining",
        }
    }

    /// Returns whether it does what it should: it receives, or an operator has paused it.
    pub fn is_fine(&self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }

    /// Returns why it does not, in a sentence.
    pub fn why(&self) -> Option<String> {
        match self {
            Self::Waiting { why } => Some(why.clone()),
            Self::Refused { why } => {
                Some(why.iter().map(Refusal::to_string).collect::<Vec<_>>().join("; "))
            }
            Self::Idle => Some("it has not begun".to_owned()),
            Self::Draining => Some("the process stops".to_owned()),
            Self::Running | Self::Paused => None,
        }
    }
}
