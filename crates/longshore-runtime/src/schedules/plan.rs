//! What somebody wants again and again, before and after it is stored.

use super::Fields;
use super::template::Template;
use crate::intake::{FieldError, Submission};
use longshore_core::Payload;
use longshore_core::schedule::{BadTiming, Timing};
use longshore_core::store::{Missed, Origin, Schedule};
use serde::Deserialize;

/// When which task is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// A name for people, 2..32 characters; the tasks have it too.
    pub name: Option<String>,
    /// When: five or six fields, see [`longshore_core::schedule`].
    pub cron: String,
    /// The time zone of these fields, an IANA name. Default: `UTC`.
    pub timezone: String,
    /// What becomes of slots that nobody was there for. Default: one task for all.
    pub missed: Missed,
    /// Whether it makes nothing for the time being.
    pub paused: bool,
    /// What each slot submits. Its id, its times and its request's own name are passed over.
    pub task: Submission,
}

impl Plan {
    /// Makes a plan with every default.
    pub fn new(cron: impl Into<String>, task: Submission) -> Self {
        Self {
            name: task.name.clone(),
            cron: cron.into(),
            timezone: "UTC".to_owned(),
            missed: Missed::default(),
            paused: false,
            task,
        }
    }

    /// Reads the plan of a schedule; what it submits is nothing if it cannot be read.
    pub fn of(schedule: &Schedule) -> Self {
        let template: Template = serde_json::from_str(schedule.task.as_str()).unwrap_or_default();
        let mut task = Submission::from(template);
        task.name = schedule.name.clone();
        task.tenant = schedule.tenant.clone();
        Self {
            name: schedule.name.clone(),
            cron: schedule.cron.clone(),
            timezone: schedule.timezone.clone(),
            missed: schedule.missed,
            paused: schedule.paused,
            task,
        }
    }

    /// Reads when its slots are.
    pub fn timing(&self) -> Result<Timing, FieldError> {
        timing(&self.cron, &self.timezone)
    }

    /// Returns what each slot submits, as JSON.
    pub(super) fn template(&self) -> Payload {
        // Texts, numbers and JSON alone always serialize.
        Payload::from_json(serde_json::to_string(&Template::from(&self.task)).unwrap_or_default())
    }

    /// Returns all that was said, by the names of the API; what was not said is not in it.
    pub fn to_fields(&self) -> Fields {
        let mut fields = Fields::read(self.template().as_str()).unwrap_or_default();
        if let Some(name) = &self.name {
            fields = fields.with("name", name);
        }
        fields
            .with("cron", &self.cron)
            .with("timezone", &self.timezone)
            .with("missed", self.missed)
            .with("paused", self.paused)
    }

    /// Reads what [`Plan::to_fields`] wrote; nothing if it did not.
    pub(super) fn from_fields(fields: &Fields) -> Option<Self> {
        let json = fields.to_json();
        let template: Template = serde_json::from_str(&json).ok()?;
        let When { name, cron, timezone, missed, paused } = serde_json::from_str(&json).ok()?;
        let mut task = Submission::from(template);
        task.name.clone_from(&name);
        Some(Self { name, cron, timezone, missed, paused, task })
    }

    /// Returns what the configuration says, if this is a schedule of it.
    pub fn configured(schedule: &Schedule) -> Option<Fields> {
        match &schedule.configured {
            _ if schedule.origin != Origin::Config => None,
            Some(said) => Fields::read(said.as_str()),
            None => Some(Self::of(schedule).to_fields()),
        }
    }
}

/// What a plan is besides its task.
#[derive(Deserialize)]
struct When {
    name: Option<String>,
    cron: String,
    timezone: String,
    missed: Missed,
    paused: bool,
}

/// Reads when slots are, and says what is wrong by the name of the field.
pub(super) fn timing(cron: &str, timezone: &str) -> Result<Timing, FieldError> {
    Timing::parse(cron, timezone).map_err(|bad| match bad {
        BadTiming::Cron(bad) if bad.field == "cron" => FieldError::new("cron", bad.why),
        BadTiming::Cron(bad) => FieldError::new("cron", bad.to_string()),
        BadTiming::Zone => FieldError::new("timezone", bad.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_the_same_after_it_was_written_and_read() {
        let mut task = Submission::new("tidy");
        task.name = Some("nightly".to_owned());
        task.payload = Some(Payload::from_json(r#"{"n":1.000}"#));
        let plan = Plan { paused: true, missed: Missed::All, ..Plan::new("0 3 * * *", task) };
        assert_eq!(Plan::from_fields(&plan.to_fields()), Some(plan));
        assert_eq!(Plan::from_fields(&Fields::default()), None);
    }

    #[test]
    fn what_is_wrong_with_a_timing_is_told_by_its_field() {
        let refused = |cron, zone| timing(cron, zone).unwrap_err();
        let bad = refused("*/0 * * * *", "UTC");
        assert_eq!((bad.field.as_str(), bad.message.starts_with("minute: ")), ("cron", true));
        assert!(refused("*", "UTC").message.starts_with("must have 5 fields"));
        assert_eq!(refused("* * * * *", "Mars").field, "timezone");
    }
}
