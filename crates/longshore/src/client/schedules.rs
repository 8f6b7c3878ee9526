//! Schedules: what is submitted again and again.

use super::{Client, ClientError, Page, Submit, Submitted};
use longshore_core::Timestamp;
use longshore_core::store::Missed;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The schedules of a service.
#[derive(Debug, Clone, Copy)]
pub struct Schedules<'a>(pub(super) &'a Client);

/// A schedule as it is read. Fields that this version does not know are passed over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Schedule {
    /// Its identity.
    pub id: String,
    /// A name for people.
    pub name: Option<String>,
    /// Where it comes from: `config` or `api`.
    pub origin: String,
    /// Fields of one from the configuration that were set through the API.
    #[serde(default)]
    pub overridden: Vec<String>,
    /// When: five or six fields.
    pub cron: String,
    /// The time zone of these fields.
    pub timezone: String,
    /// What becomes of slots that nobody was there for.
    pub missed: Missed,
    /// Whether it makes nothing for the time being.
    pub paused: bool,
    /// The kind of its tasks.
    pub kind: String,
    /// What they are given, as JSON text; left out of lists.
    #[serde(default)]
    pub payload: Option<Box<RawValue>>,
    /// Their queue; nothing: the kind's.
    #[serde(default)]
    pub queue: Option<String>,
    /// Their priority; nothing: 4.
    #[serde(default)]
    pub priority: Option<u8>,
    /// Words to find them by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The last slot that made a task, or was left out.
    #[serde(default)]
    pub last_slot: Option<Timestamp>,
    /// The next slot; nothing while it is paused, or if there is none any more.
    #[serde(default)]
    pub next_slot: Option<Timestamp>,
    /// Why its next slot would make no task as things stand.
    #[serde(default)]
    pub problem: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Everything else that was said of its tasks, by its name.
    #[serde(flatten)]
    pub more: BTreeMap<String, serde_json::Value>,
}

/// A slot to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// When.
    pub slot: Timestamp,
    /// As the clock of the schedule's zone shows it.
    pub local: String,
}

/// A schedule that somebody wants: when, and which task.
///
/// ```
/// use longshore::client::{NewSchedule, Submit};
/// let nightly = NewSchedule::new("0 3 * * *", Submit::new("nightly")).timezone("Europe/Berlin");
/// assert_eq!(
///     serde_json::to_string(&nightly).expect("JSON"),
///     r#"{"cron":"0 3 * * *","timezone":"Europe/Berlin","kind":"nightly"}"#,
/// );
/// ```
#[derive(Debug, Clone, Serialize)]
pub struct NewSchedule {
    cron: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<Missed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<bool>,
    #[serde(flatten)]
    task: Submit,
}

impl NewSchedule {
    /// Begins a schedule of five or six fields, whose slots submit `task`.
    pub fn new(cron: impl Into<String>, task: Submit) -> Self {
        Self { cron: cron.into(), timezone: None, missed: None, paused: None, task }
    }

    /// The time zone of the fields, an IANA name. Default: UTC.
    pub fn timezone(mut self, timezone: impl Into<String>) -> Self {
        self.timezone = Some(timezone.into());
        self
    }

    /// What becomes of slots that nobody was there for. Default: one task for all.
    pub fn missed(mut self, missed: Missed) -> Self {
        self.missed = Some(missed);
        self
    }

    /// Makes nothing until it is resumed.
    pub fn paused(mut self) -> Self {
        self.paused = Some(true);
        self
    }
}

impl Schedules<'_> {
    /// Returns all schedules, by id, without payloads.
    pub async fn list(self) -> Result<Vec<Schedule>, ClientError> {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut ask = self.0.get(&["v1", "schedules"]).query("limit", "1000");
            if let Some(cursor) = &cursor {
                ask = ask.query("cursor", cursor);
            }
            let page: Page<Schedule> = ask.read().await?;
            all.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(all);
            }
        }
    }

    /// Returns a schedule.
    pub async fn get(self, id: &str) -> Result<Schedule, ClientError> {
        self.0.get(&["v1", "schedules", id]).read().await
    }

    /// Makes a schedule.
    pub async fn create(self, schedule: &NewSchedule) -> Result<Schedule, ClientError> {
        let body = serde_json::to_vec(schedule);
        let body = body.map_err(|why| ClientError::unusable("the schedule", why.to_string()))?;
        self.0.post(&["v1", "schedules"]).body(body).read().await
    }

    /// Deletes a schedule; its tasks stay. One of the configuration is refused.
    pub async fn delete(self, id: &str) -> Result<(), ClientError> {
        let ask = self.0.ask(Method::DELETE, &["v1", "schedules", id]);
        ask.read::<serde::de::IgnoredAny>().await.map(drop)
    }

    /// Makes its task now. Its slots are not touched.
    pub async fn run(self, id: &str) -> Result<Submitted, ClientError> {
        self.0.post(&["v1", "schedules", id, "run"]).read().await
    }

    /// Holds it back: slots that come meanwhile make nothing.
    pub async fn pause(self, id: &str) -> Result<Schedule, ClientError> {
        self.0.post(&["v1", "schedules", id, "pause"]).read().await
    }

    /// Goes on with it.
    pub async fn resume(self, id: &str) -> Result<Schedule, ClientError> {
        self.0.post(&["v1", "schedules", id, "resume"]).read().await
    }

    /// Returns its next slots, 1 to 100.
    pub async fn next(self, id: &str, count: u32) -> Result<Vec<Slot>, ClientError> {
        let ask = self.0.get(&["v1", "schedules", id, "next"]);
        Ok(ask.query("count", &count.to_string()).read::<Page<Slot>>().await?.items)
    }
}
