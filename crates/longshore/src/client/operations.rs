//! The service itself: how it is, and how it is configured.

use super::connection::Answer;
use super::{Client, ClientError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// How a service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `UP`, `DEGRADED` or `DOWN`.
    pub status: String,
    /// Why, if it is not up.
    #[serde(default)]
    pub reason: Option<String>,
    /// How each part is, such as `store`.
    #[serde(default)]
    pub details: BTreeMap<String, Part>,
}

/// How a part of a service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// `UP`, `DEGRADED` or `DOWN`.
    pub status: String,
    /// How long it took to answer, such as `2ms`.
    #[serde(default)]
    pub latency: Option<String>,
    /// Why, if it is not up.
    #[serde(default)]
    pub reason: Option<String>,
}

impl Health {
    /// Returns whether everything is up.
    pub fn is_up(&self) -> bool {
        self.status == "UP"
    }
}

impl Client {
    /// Returns how the service is; one that is down is an answer, too.
    pub async fn health(&self) -> Result<Health, ClientError> {
        let answer: Answer = self.get(&["health"]).answer().await?;
        match answer.read::<Health>() {
            Ok(health) => Ok(health),
            // Not a report: an error, or somebody else's answer.
            Err(unread) => Err(answer.success().err().unwrap_or(unread)),
        }
    }

    /// Returns the configuration in force, secrets masked, with the origin of each value, as JSON
    /// text.
    pub async fn config(&self) -> Result<Box<RawValue>, ClientError> {
        self.get(&["v1", "config"]).read().await
    }
}
