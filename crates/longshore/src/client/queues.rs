//! Queues: looking at them, pausing them, changing their limits.

use super::{Client, ClientError, Page};
use longshore_core::Span;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The queues of a service.
#[derive(Debug, Clone, Copy)]
pub struct Queues<'a>(pub(super) &'a Client);

/// A queue as it is read. Fields that this version does not know are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Whether handing out is paused. Tasks are still accepted.
    #[serde(default)]
    pub paused: bool,
    /// The broker that carries its tasks; nothing: the store itself hands them out.
    #[serde(default)]
    pub carrier: Option<String>,
    /// So many of its tasks run at once in each process.
    #[serde(default)]
    pub slots: Option<u32>,
    /// So many run at once over all processes; nothing: no limit.
    #[serde(default)]
    pub limit: Option<u32>,
    /// Most hand-outs in a time, over all processes, such as `500/s`; nothing: no limit.
    #[serde(default)]
    pub rate: Option<String>,
    /// Most tasks that wait; above it accepts are refused. Nothing: no limit.
    #[serde(default)]
    pub backlog: Option<u64>,
    /// How many of its tasks there are of each status.
    #[serde(default)]
    pub tasks: BTreeMap<String, u64>,
    /// How many may be handed out now.
    #[serde(default)]
    pub ready: u64,
    /// How many run.
    #[serde(default)]
    pub running: u64,
    /// How long its oldest ready task has waited.
    #[serde(default)]
    pub oldest_age: Option<Span>,
    /// Where each setting comes from, by its name.
    #[serde(default)]
    pub origin: BTreeMap<String, String>,
}

/// What is to be changed on a queue; what is not set stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct QueueSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    slots: Option<Option<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Option<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backlog: Option<Option<u64>>,
}

impl QueueSettings {
    /// Changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// So many of its tasks run at once in each process: 1 to 10,000; nothing gives back what the
    /// configuration says.
    pub fn slots(mut self, slots: impl Into<Option<u32>>) -> Self {
        self.slots = Some(slots.into());
        self
    }

    /// So many run at once over all processes; nothing gives back what the configuration says.
    pub fn limit(mut self, limit: impl Into<Option<u32>>) -> Self {
        self.limit = Some(limit.into());
        self
    }

    /// Most hand-outs in a time, such as `500/s`, `30/m` or `10/h`; nothing gives back what the
    /// configuration says.
    pub fn rate<'a>(mut self, rate: impl Into<Option<&'a str>>) -> Self {
        self.rate = Some(rate.into().map(str::to_owned));
        self
    }

    /// Most tasks that wait; nothing gives back what the configuration says.
    pub fn backlog(mut self, backlog: impl Into<Option<u64>>) -> Self {
        self.backlog = Some(backlog.into());
        self
    }
}

impl Queues<'_> {
    /// Returns all queues.
    pub async fn list(self) -> Result<Vec<Queue>, ClientError> {
        Ok(self.0.get(&["v1", "queues"]).read::<Page<Queue>>().await?.items)
    }

    /// Returns a queue.
    pub async fn get(self, name: &str) -> Result<Queue, ClientError> {
        self.0.get(&["v1", "queues", name]).read().await
    }

    /// Stops handing its tasks out, until it is resumed. What runs goes on.
    pub async fn pause(self, name: &str) -> Result<Queue, ClientError> {
        self.0.post(&["v1", "queues", name, "pause"]).read().await
    }

    /// Hands its tasks out again.
    pub async fn resume(self, name: &str) -> Result<Queue, ClientError> {
        self.0.post(&["v1", "queues", name, "resume"]).read().await
    }

    /// Throws away all its tasks that have not started; returns how many there were.
    pub async fn purge(self, name: &str) -> Result<u64, ClientError> {
        #[derive(Deserialize)]
        struct Purged {
            purged: u64,
        }
        let Purged { purged } = self.0.post(&["v1", "queues", name, "purge"]).read().await?;
        Ok(purged)
    }

    /// Changes its limits, in force at once; they outlive a restart.
    pub async fn configure(
        self,
        name: &str,
        settings: &QueueSettings,
    ) -> Result<Queue, ClientError> {
        let body = serde_json::to_vec(settings);
        let body = body.map_err(|why| ClientError::unusable("the settings", why.to_string()))?;
        self.0.ask(Method::PATCH, &["v1", "queues", name]).body(body).read().await
    }
}
