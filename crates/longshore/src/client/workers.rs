//! Workers: the processes that run tasks.

use super::{Client, ClientError};
use longshore_core::Timestamp;
use serde::{Deserialize, Serialize};

/// The workers of a service.
#[derive(Debug, Clone, Copy)]
pub struct Workers<'a>(pub(super) &'a Client);

/// A worker as it is read. Fields that this version does not know are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// Its name: no two incarnations of a server have the same.
    pub worker: String,
    /// The machine it is on.
    pub host: String,
    /// Its number there; 0 for workers in other languages.
    pub pid: u32,
    /// The program's version, or what it says of itself.
    pub version: String,
    /// `active`, `draining` or `lost`.
    pub status: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it was last heard of.
    pub seen_at: Timestamp,
    /// How long ago that was.
    pub heartbeat_age: String,
    /// What it runs.
    pub kinds: Vec<String>,
    /// Its slots.
    pub slots: Slots,
    /// Ids of some of the tasks that it runs.
    pub tasks: Vec<String>,
}

/// Slots of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// In which tasks run.
    pub used: u32,
    /// In which none does.
    pub free: u32,
}

#[derive(Deserialize)]
struct Listed {
    items: Vec<Worker>,
}

impl Workers<'_> {
    /// Returns all workers, by name.
    pub async fn list(self) -> Result<Vec<Worker>, ClientError> {
        let Listed { items } = self.0.get(&["v1", "workers"]).read().await?;
        Ok(items)
    }

    /// Asks a worker to begin nothing new. What it runs goes on.
    pub async fn drain(self, worker: &str) -> Result<(), ClientError> {
        let _: serde_json::Value = self.0.post(&["v1", "workers", worker, "drain"]).read().await?;
        Ok(())
    }
}
