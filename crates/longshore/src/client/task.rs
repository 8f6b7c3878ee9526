//! Tasks and their attempts, as the service shows them.

use longshore_core::attempt::{AttemptOutcome, TaskError};
use longshore_core::task::Durability;
use longshore_core::{Span, State, TaskId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A task as it is read. Fields that this version does not know are passed over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    /// Its identity.
    pub id: TaskId,
    /// Its kind.
    pub kind: String,
    /// A name for people.
    pub name: Option<String>,
    /// Its queue.
    pub queue: String,
    /// Where it stands.
    pub status: State,
    /// What it waits for, if it is pending and not ready: `parents` or `lane`.
    pub blocked_by: Option<String>,
    /// Why it ended, where the status alone does not say.
    pub reason: Option<String>,
    /// 0..9.
    pub priority: u8,
    /// What the handler is given, as JSON text; left out of lists.
    #[serde(default)]
    pub payload: Option<Box<RawValue>>,
    /// What the handler returned, as JSON text; left out of lists.
    #[serde(default)]
    pub result: Option<Box<RawValue>>,
    /// The last failure.
    pub error: Option<TaskError>,
    /// Counts lives, from 1.
    pub run: u32,
    /// Number of the current or last attempt of this run, from 1.
    pub attempt: u32,
    /// Attempts it may use, the first included.
    pub max_attempts: u32,
    /// Deaths of a process while it ran inside.
    #[serde(default)]
    pub crashes: u32,
    /// When it may run, or might.
    pub run_at: Timestamp,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When the current or last attempt was opened.
    pub started_at: Option<Timestamp>,
    /// When the run ended.
    pub finished_at: Option<Timestamp>,
    /// How long one attempt may take.
    pub timeout: Span,
    /// Its lane.
    pub order_key: Option<String>,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Travel with it.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Whose it is.
    pub tenant: String,
    /// What the running handler last said of its progress, as JSON text.
    #[serde(default)]
    pub progress: Option<Box<RawValue>>,
    /// The schedule that made it.
    pub schedule_id: Option<String>,
    /// The task that it repeats.
    pub replay_of: Option<TaskId>,
    /// Tasks that had to succeed first.
    #[serde(default)]
    pub parents: Vec<TaskId>,
    /// The group it belongs to.
    pub group: Option<String>,
    /// Who holds or held it.
    pub worker: Option<String>,
    /// The trace of whoever submitted it.
    pub trace_id: Option<String>,
    /// How safe it is.
    pub durability: Durability,
}

impl Task {
    /// Returns whether its run has ended.
    pub fn has_ended(&self) -> bool {
        self.status.is_end()
    }
}

/// One opening of a task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attempt {
    /// The life of the task that it belongs to, from 1.
    pub run: u32,
    /// The attempt's number in that run, from 1. Openings that cost nothing repeat it.
    pub attempt: u32,
    /// The opening's fencing token: a decimal number.
    pub token: String,
    /// Who held it.
    pub worker: Option<String>,
    /// When it was opened.
    pub started_at: Timestamp,
    /// When it ended; nothing while it runs.
    pub ended_at: Option<Timestamp>,
    /// How it ended; nothing while it runs.
    pub outcome: Option<AttemptOutcome>,
    /// What went wrong.
    pub error: Option<TaskError>,
    /// When the next opening was due, if one followed.
    pub next_at: Option<Timestamp>,
}
