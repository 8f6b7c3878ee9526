//! Schedules: what is submitted again and again.

use super::{Refused, Result};
use crate::task::Accepted;
use crate::{NewTask, Payload, TenantName, Timestamp, Valid};

/// Who a schedule comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The configuration.
    Config,
    /// A request.
    Api,
}

/// What becomes of slots that nobody was there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// They are left out.
    Skip,
    /// One task stands for all of them.
    #[default]
    One,
    /// Each of them makes its task.
    All,
}

impl Origin {
    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Api => "api",
        }
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Config, Self::Api].into_iter().find(|origin| origin.as_str() == word)
    }
}

impl Missed {
    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::One => "one",
            Self::All => "all",
        }
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Skip, Self::One, Self::All].into_iter().find(|missed| missed.as_str() == word)
    }
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its identity.
    pub id: uuid::Uuid,
    /// Whose it is.
    pub tenant: TenantName,
    /// Its name: one that the configuration made has one, and it is unique in its tenant.
    pub name: Option<String>,
    /// Who it comes from.
    pub origin: Origin,
    /// When it fires: 5 or 6 fields.
    pub cron: String,
    /// The time zone of these fields, an IANA name.
    pub timezone: String,
    /// What becomes of missed slots.
    pub missed: Missed,
    /// Whether it makes nothing for the time being.
    pub paused: bool,
    /// What each slot submits: a submission as JSON.
    pub task: Payload,
    /// What the configuration says of it, as JSON, while a request has set something else; else nothing.
    pub configured: Option<Payload>,
    /// The last slot that made a task, or was left out.
    pub last_slot: Option<Timestamp>,
    /// The next slot; nothing if there is none any more.
    pub next_slot: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows with every change but firing; from 1.
    pub version: u64,
}

/// Asks a schedule to fire: once for each slot, whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// Which schedule.
    pub id: uuid::Uuid,
    /// Its [version](Schedule::version), as the one who asks has read it.
    pub version: u64,
    /// The slot that it is about: its `next_slot`, as the one who asks has read it.
    pub slot: Timestamp,
    /// What comes after.
    pub next: Option<Timestamp>,
    /// The task of the slot; nothing leaves it out.
    pub task: Option<Valid<NewTask>>,
}

/// What became of a [`Firing`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fired {
    /// The slot is over, and this became of its task.
    Done(Option<Result<Accepted, Refused>>),
    /// Somebody else was first, or the schedule is not as it was read: nothing was done.
    Stale,
}

/// Keeps schedules and lets each slot fire once.
#[async_trait::async_trait]
pub trait Schedules: Send + Sync {
    /// Writes a schedule: a new one with version 1 if `before` is nothing, else over the one that has
    /// version `before`, as `before` + 1. What is answered is what is stored. `last_slot` and `created_at` of one
    /// that is there stay. Refused are an id that exists (`IdTaken`), one that does not (`NotFound`), and another
    /// version (`Changed`).
    async fn put_schedule(
        &self,
        schedule: Schedule,
        before: Option<u64>,
    ) -> Result<Result<Schedule, Refused>>;

    /// Removes a schedule; false if there is none.
    async fn remove_schedule(&self, tenant: &TenantName, id: uuid::Uuid) -> Result<bool>;

    /// Returns all schedules (of a tenant), by id.
    async fn schedules(&self, tenant: Option<TenantName>) -> Result<Vec<Schedule>>;

    /// Returns schedules that are not paused and whose next slot has come, the earliest first, at most
    /// `limit`; and when the earliest of all others comes.
    async fn due_schedules(&self, limit: usize) -> Result<(Vec<Schedule>, Option<Timestamp>)>;

    /// Lets schedules fire, each in its order and seeing those before: the task is accepted, and the next slot
    /// noted, in one transaction. The slot is over even if its task is refused. A paused one is `Stale`.
    async fn fire(&self, firings: Vec<Firing>) -> Result<Vec<Fired>>;
}
