//! Bodies of `POST /v1/tasks` and `POST /v1/tasks:batch`.

use crate::door::Door;
use crate::{Came, Target};
use serde::de::IgnoredAny;
use serde_json::Value;

const WORDS: &[&str] = &[
    "\"kind\":\"hello\"",
    "\"kind\":\"strict\"",
    "\"payload\":",
    "\"id\":",
    "\"name\":",
    "\"queue\":",
    "\"priority\":",
    "\"run_at\":",
    "\"delay\":",
    "\"max_attempts\":",
    "\"timeout\":",
    "\"total_timeout\":",
    "\"expires_in\":",
    "\"order_key\":",
    "\"unique\":",
    "\"while\":",
    "\"on_conflict\":",
    "\"tags\":",
    "\"headers\":",
    "\"idempotency_key\":",
    "\"cron\":\"0 3 * * *\"",
    "\"timezone\":\"Europe/Berlin\"",
    "\"5s\"",
    "\"default\"",
    "\"active\"",
    "\"2027-01-01T00:00:00Z\"",
    "[",
    "]",
    "{",
    "}",
    ",",
    "null",
    "true",
];

/// A name that serde_json takes for its own when it makes a [`Value`], as is done here.
const MAGIC: &[u8] = b"$serde_json::private";

/// One task.
pub(super) struct Body(Door);

/// Many tasks.
pub(super) struct Batch(Door);

impl Body {
    pub(super) fn new() -> Self {
        Self(Door::open())
    }
}

impl Batch {
    pub(super) fn new() -> Self {
        Self(Door::open())
    }
}

impl Target for Body {
    fn name(&self) -> &'static str {
        "task"
    }

    fn words(&self) -> &'static [&'static str] {
        WORDS
    }

    /// An accepted task is read as it was sent, and so is a schedule.
    fn feed(&mut self, input: &[u8]) -> Result<Came, String> {
        let answer = self.0.post("/v1/tasks", input)?;
        let sign = answer.sign()?;
        if !answer.status.is_success() {
            return Ok(Came::refused(sign));
        }
        let ours = input.windows(MAGIC.len()).any(|part| part == MAGIC);
        // An existing one, by its unique key; or one that this side cannot read as it is.
        if answer.status != 201 || ours {
            return Ok(Came::accepted(sign));
        }
        let sent: Value = serde_json::from_slice(input)
            .map_err(|error| format!("accepted, and it is not JSON: {error}"))?;
        let made = answer.json()?["data"].take();
        let place = if made["schedule_id"].is_string() { "schedules" } else { "tasks" };
        let id = made["id"].as_str().unwrap_or_default();
        let task = self.0.get(&format!("/v1/{place}/{id}"))?.json()?["data"].take();
        // Numbers may be written otherwise: -0 is 0.
        let right = |field: &str| {
            let same = || sent[field].is_number() && task[field].as_f64() == sent[field].as_f64();
            sent[field].is_null() || task[field] == sent[field] || same()
        };
        for field in ["payload", "name", "priority", "max_attempts", "order_key", "tags"] {
            if !right(field) {
                return Err(format!("{field} was {}, and is {}", sent[field], task[field]));
            }
        }
        self.0.took(1)?;
        Ok(Came::accepted(sign))
    }
}

impl Target for Batch {
    fn name(&self) -> &'static str {
        "batch"
    }

    fn words(&self) -> &'static [&'static str] {
        WORDS
    }

    /// Each item is answered, at its place.
    fn feed(&mut self, input: &[u8]) -> Result<Came, String> {
        let answer = self.0.post("/v1/tasks:batch", input)?;
        let sign = answer.sign()?;
        if !answer.status.is_success() {
            return Ok(Came::refused(sign));
        }
        let body = answer.json()?;
        let items = body["data"]["items"].as_array().ok_or("an answer without items")?;
        // Items that are too deep or too large are refused without a closer look.
        let unread = items.iter().any(|item| item["code"] == 40002 || item["code"] == 41301);
        match serde_json::from_slice::<Vec<IgnoredAny>>(input) {
            Ok(sent) if sent.len() != items.len() => {
                return Err(format!("{} items, {} answers", sent.len(), items.len()));
            }
            Err(error) if !unread => return Err(format!("accepted, and it is no array: {error}")),
            _ => {}
        }
        let taken = items.iter().filter(|item| item["id"].is_string()).count();
        let known = |item: &&Value| item["id"].is_string() != item["code"].is_number();
        if items.iter().filter(known).count() != items.len() {
            return Err(format!("an item is neither accepted nor refused: {body}"));
        }
        self.0.took(taken)?;
        Ok(Came::accepted(format!("{sign} {} {}", taken.min(3), items.len().min(3))))
    }
}
