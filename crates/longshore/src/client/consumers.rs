//! Consumers: who receives messages, and how their policy is kept.

use super::{Client, ClientError, Page};
use longshore_core::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// The consumers of a service.
#[derive(Debug, Clone, Copy)]
pub struct Consumers<'a>(pub(super) &'a Client);

/// A consumer as it is read. Fields that this version does not know are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// Its broker's name.
    pub broker: String,
    /// What it gets: patterns of topics.
    #[serde(default)]
    pub topics: Vec<String>,
    /// The group on whose behalf it consumes; a broadcast has none.
    #[serde(default)]
    pub group: Option<String>,
    /// `compete`, `single_active` or `broadcast`.
    #[serde(default)]
    pub mode: String,
    /// How many of its handlers run at once.
    #[serde(default)]
    pub concurrency: Concurrency,
    /// So many messages may be unsettled.
    #[serde(default)]
    pub prefetch: u64,
    /// `json`, `text` or `bytes`.
    #[serde(default)]
    pub decode: String,
    /// Attempts, the first included.
    #[serde(default)]
    pub max_attempts: u32,
    /// How long one may take.
    #[serde(default)]
    pub timeout: Option<Span>,
    /// The group that gets the dead letters; a broadcast has none.
    #[serde(default)]
    pub dead_letter: Option<String>,
    /// `idle`, `waiting`, `running`, `paused`, `refused` or `draining`.
    pub state: String,
    /// Why it does not receive.
    #[serde(default)]
    pub reason: Option<String>,
    /// Since when it is so.
    pub since: Timestamp,
    /// How many of its handlers run.
    #[serde(default)]
    pub running: u64,
    /// An operator has paused it.
    #[serde(default)]
    pub paused: bool,
    /// How its group stands in the broker, if that says so; not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
}

/// How many handlers run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Concurrency {
    /// So many.
    #[serde(default)]
    pub parallel: u32,
}

/// How a group stands in the broker; nothing where it does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Messages that are handed out to whoever comes.
    pub ready: u64,
    /// Messages that are with somebody.
    #[serde(default)]
    pub in_flight: Option<u64>,
    /// Subscriptions of any process.
    #[serde(default)]
    pub consumers: Option<u64>,
    /// How long the oldest message has waited.
    #[serde(default)]
    pub oldest_age: Option<Span>,
}

/// How a consumer's policy is kept on its broker, or why it cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The consumer's name.
    pub name: String,
    /// Its broker's name.
    pub broker: String,
    /// `planned`, `refused`, or `unknown` before the broker was there.
    pub verdict: String,
    /// Which server it was planned for.
    #[serde(default)]
    pub server: Option<String>,
    /// How each thing is done.
    #[serde(default)]
    pub lines: Vec<PlanLine>,
    /// What cannot be kept.
    #[serde(default)]
    pub refusals: Vec<PlanRefusal>,
    /// Why the consumer does not receive.
    #[serde(default)]
    pub reason: Option<String>,
}

/// How one thing is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLine {
    /// What it is about, such as `retry`.
    pub about: String,
    /// How it is done.
    pub how: String,
    /// `native`, `supplied` or `limit`.
    pub done: String,
}

/// Something that the broker cannot keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRefusal {
    /// The key of the configuration.
    pub key: String,
    /// What is not possible.
    pub why: String,
    /// What to do.
    pub fix: String,
}

impl Consumers<'_> {
    /// Returns all consumers, by name.
    pub async fn list(self) -> Result<Vec<Consumer>, ClientError> {
        Ok(self.0.get(&["v1", "consumers"]).read::<Page<Consumer>>().await?.items)
    }

    /// Returns a consumer.
    pub async fn get(self, name: &str) -> Result<Consumer, ClientError> {
        self.0.get(&["v1", "consumers", name]).read().await
    }

    /// Returns how its policy is kept.
    pub async fn explain(self, name: &str) -> Result<Explanation, ClientError> {
        self.0.get(&["v1", "consumers", name, "explain"]).read().await
    }

    /// Receives nothing more, until it is resumed or the server ends. What runs goes on.
    pub async fn pause(self, name: &str) -> Result<Consumer, ClientError> {
        self.0.post(&["v1", "consumers", name, "pause"]).read().await
    }

    /// Receives again.
    pub async fn resume(self, name: &str) -> Result<Consumer, ClientError> {
        self.0.post(&["v1", "consumers", name, "resume"]).read().await
    }
}
