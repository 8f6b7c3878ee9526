//! What the three witnesses write down. All times are nanoseconds of one monotonic clock.

use longshore_core::{State, TaskId};

/// What a client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Accepted.
    Ok,
    /// Refused.
    Failed,
    /// Nothing, or that the outcome is unknown.
    Unknown,
}

/// L1: one request of a client, and its answer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClientEntry {
    /// The client's own name for the task: the idempotency key, the same on every try.
    pub key: String,
    /// Which task it became, if that was told.
    #[serde(default)]
    pub task: Option<TaskId>,
    /// What was told.
    pub told: Told,
    /// When it was sent.
    pub sent_at: u64,
    /// When it was answered, or given up.
    pub answered_at: u64,
    /// The lane that was asked for.
    #[serde(default)]
    pub order_key: Option<String>,
    /// Whether the answer said that it is an earlier one again.
    #[serde(default)]
    pub replayed: bool,
    /// The key under which at most one task may be active at a time.
    #[serde(default)]
    pub unique: Option<String>,
    /// Whether the answer was a task that was active already under its unique key.
    #[serde(default)]
    pub existing: bool,
}

/// What was asked of a task that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// That it ends as cancelled.
    Cancel,
    /// That it is opened again as a new run.
    Retry,
}

/// L1: one request to do something to a task that exists, and its answer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ActEntry {
    /// Which task.
    pub task: TaskId,
    /// What was asked.
    pub wanted: Wanted,
    /// What was told.
    pub told: Told,
    /// Which run the answer showed, if there was one.
    #[serde(default)]
    pub run: Option<u32>,
    /// Whether the answer showed that run as ended.
    #[serde(default)]
    pub ended: bool,
    /// When it was sent.
    pub sent_at: u64,
    /// When it was answered, or given up.
    pub answered_at: u64,
}

/// What a handler did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Did {
    /// The effect took place.
    Success,
    /// It failed; nothing took place.
    Failure,
    /// It gave the task back, cancelled it, or asked for later.
    Other,
}

/// What the store answered to the end of an opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recorded {
    /// It was stored.
    Applied,
    /// It came too late: nothing was changed.
    Stale,
    /// No answer came, or it was never asked.
    #[default]
    Unknown,
}

/// L2: one opening, as the collector beside the handler saw it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EffectEntry {
    /// Which task.
    pub task: TaskId,
    /// Counts lives, from 1.
    pub run: u32,
    /// Counts attempts of the run, from 1.
    pub attempt: u32,
    /// The fencing token of the opening.
    pub token: i64,
    /// The client's own name for the task, out of the payload.
    pub key: String,
    /// The collector's own counter: the order in which openings began.
    pub sequence: u64,
    /// Which life of which worker ran it.
    pub incarnation: String,
    /// Whether the handler ran inside the store's process.
    #[serde(default)]
    pub inside: bool,
    /// When it began.
    pub start: u64,
    /// When it ended; nothing if its process died first.
    #[serde(default)]
    pub end: Option<u64>,
    /// What it did; nothing if its process died first.
    #[serde(default)]
    pub did: Option<Did>,
    /// What the store answered to its end.
    #[serde(default)]
    pub recorded: Recorded,
}

/// What an observer saw of a task; written as the word of the API, or `absent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Status {
    /// It stands there.
    Is(State),
    /// There is no such task.
    Absent,
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        match status {
            Status::Is(state) => state.as_str().to_owned(),
            Status::Absent => "absent".to_owned(),
        }
    }
}

impl TryFrom<String> for Status {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        if word == "absent" {
            return Ok(Self::Absent);
        }
        word.parse().map(Self::Is).map_err(|()| format!("`{word}` is no status"))
    }
}

/// L3: one look at a task.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Observation {
    /// Which task.
    pub task: TaskId,
    /// Where it stood: the word of the API, or `absent`.
    pub status: Status,
    /// Counts lives, from 1.
    pub run: u32,
    /// Counts attempts of the run, from 1.
    pub attempt: u32,
    /// When.
    pub at: u64,
}

/// Something that was broken on purpose.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FaultEntry {
    /// What.
    pub name: String,
    /// When.
    pub at: u64,
}

/// Everything that was written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledgers {
    /// L1: what clients were told.
    pub clients: Vec<ClientEntry>,
    /// L1: what clients asked of tasks that exist.
    pub acts: Vec<ActEntry>,
    /// L2: what handlers did.
    pub effects: Vec<EffectEntry>,
    /// L3: what observers saw.
    pub observations: Vec<Observation>,
    /// What was broken.
    pub faults: Vec<FaultEntry>,
}
