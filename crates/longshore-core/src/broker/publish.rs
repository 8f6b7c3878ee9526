//! Publishing: where to, what the confirm says, and why there is none.

use super::{Envelope, GroupName, TopicName};
use std::time::Duration;

/// Where an envelope goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum To {
    /// To every group with a pattern that matches.
    Topic(TopicName),
    /// To one group, whatever its patterns.
    Group(GroupName),
}

impl std::fmt::Display for To {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Topic(topic) => write!(f, "the topic {topic}"),
            Self::Group(group) => write!(f, "the group {group}"),
        }
    }
}

/// An envelope that is to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where it goes.
    pub to: To,
    /// What goes there.
    pub envelope: Envelope,
}

impl Outgoing {
    /// Something for a topic.
    pub fn to_topic(topic: TopicName, envelope: Envelope) -> Self {
        Self { to: To::Topic(topic), envelope }
    }

    /// Something for one group.
    pub fn to_group(group: GroupName, envelope: Envelope) -> Self {
        Self { to: To::Group(group), envelope }
    }
}

/// The broker has stored it, as durably as its [capabilities](super::Capabilities) say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Receipt;

/// Why an envelope was not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Nobody would receive it, and it was not kept.
    #[error("nobody receives {to}: there is no such group, or none whose patterns match")]
    Unroutable {
        /// Where it was to go.
        to: To,
    },
    /// No confirm came in time, or the connection was lost before: it may or may not be stored. To publish it again
    /// may double it.
    #[error("no confirm within {waited:?}: it may or may not be stored")]
    Unconfirmed {
        /// How long it was waited.
        waited: Duration,
    },
    /// The broker cannot be reached; nothing was sent.
    #[error("the broker is unavailable: {why}")]
    Unavailable {
        /// What stands in the way.
        why: String,
    },
    /// The broker takes nothing at the moment, to protect itself; nothing was sent.
    #[error("the broker takes nothing in at the moment: {why}")]
    Blocked {
        /// Its reason.
        why: String,
    },
    /// The broker said no to this envelope: a full queue, or an inner fault.
    #[error("the broker did not take it: {why}")]
    Nacked {
        /// What is known.
        why: String,
    },
    /// The payload is larger than the broker takes.
    #[error("the payload has {size} bytes; this broker takes at most {limit}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Not allowed, or no such place: somebody has to change something.
    #[error("the broker refuses: {why}")]
    Refused {
        /// What it refuses, and what to do.
        why: String,
    },
    /// It was closed; nothing was sent.
    #[error("the broker is closed")]
    Closed,
}

impl PublishError {
    /// Returns whether the same envelope may be confirmed later without anybody changing anything.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unconfirmed { .. }
            | Self::Unavailable { .. }
            | Self::Blocked { .. }
            | Self::Nacked { .. } => true,
            Self::Unroutable { .. }
            | Self::TooLarge { .. }
            | Self::Refused { .. }
            | Self::Closed => false,
        }
    }
}
