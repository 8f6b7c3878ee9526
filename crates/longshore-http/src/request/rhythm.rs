//! The fields that say when something is done again and again.

use super::value;
use super::wish::Wish;
use crate::problem::Problem;
use longshore_core::TenantName;
use longshore_core::store::Missed;
use longshore_runtime::{FieldError, Plan};
use serde_json::value::RawValue;
use uuid::Uuid;

/// Fields of a schedule.
pub(crate) const FIELDS: [&str; 20] = [
    "id",
    "name",
    "cron",
    "timezone",
    "missed",
    "paused",
    "kind",
    "type",
    "taskType",
    "payload",
    "queue",
    "priority",
    "max_attempts",
    "timeout",
    "total_timeout",
    "expires_in",
    "order_key",
    "unique",
    "tags",
    "headers",
];

/// When something is done again and again.
#[derive(Debug, Default)]
pub(crate) struct Rhythm {
    cron: Option<String>,
    timezone: Option<String>,
    missed: Option<Missed>,
    paused: Option<bool>,
}

impl Rhythm {
    /// Whether the client said anything of it.
    pub(super) fn is_given(&self) -> bool {
        self.cron.is_some() || self.timezone.is_some()
    }
}

impl Wish {
    /// Returns whether it is a wish for a schedule.
    pub(crate) fn is_schedule(&self) -> bool {
        self.rhythm.is_given() || self.faults.iter().any(|fault| fault.field == "cron")
    }

    /// Reads one of these fields.
    pub(super) fn rhythm(&mut self, name: &str, raw: &RawValue) {
        match name {
            "cron" => self.rhythm.cron = self.kept(name, value::text(raw)),
            "timezone" => self.rhythm.timezone = self.kept(name, value::text(raw)),
            "missed" => {
                let word = value::text(raw).ok().and_then(|word| Missed::parse(&word));
                let word = word.ok_or_else(|| "must be \"skip\", \"one\" or \"all\"".into());
                self.rhythm.missed = self.kept(name, word);
            }
            _ => {
                let flag = match raw.get() {
                    "true" => Ok(true),
                    "false" => Ok(false),
                    _ => Err(format!("must be true or false, is {}", value::sort(raw))),
                };
                self.rhythm.paused = self.kept(name, flag);
            }
        }
    }

    /// Hands on the plan of the tenant and the id that it is to have, or a problem with everything that is
    /// wrong; `check` says what is wrong with a plan.
    pub(crate) fn plan(
        mut self,
        tenant: TenantName,
        check: impl FnOnce(&Plan) -> Vec<FieldError>,
    ) -> Result<(Option<Uuid>, Plan), Problem> {
        for (name, given) in [
            ("run_at", self.submission.run_at.is_some()),
            ("delay", self.submission.delay.is_some()),
        ] {
            if given {
                self.fault(name, "must not be given together with cron");
            }
        }
        let rhythm = std::mem::take(&mut self.rhythm);
        let unread_cron = self.faults.iter().any(|fault| fault.field == "cron");
        if rhythm.cron.is_none() && !unread_cron {
            self.fault("cron", "is required");
        }
        let mut task = std::mem::take(&mut self.submission);
        (task.run_at, task.delay, task.idempotency) = (None, None, None);
        task.tenant = tenant;
        let id = task.id.take().map(|id| id.0);
        let mut plan = Plan::new(rhythm.cron.unwrap_or_default(), task);
        if let Some(timezone) = rhythm.timezone {
            plan.timezone = timezone;
        }
        plan.missed = rhythm.missed.unwrap_or_default();
        plan.paused = rhythm.paused.unwrap_or_default();
        let faults = check(&plan);
        if self.faults.is_empty() && faults.is_empty() {
            Ok((id, plan))
        } else {
            Err(self.refusal(faults))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wish::Place;
    use super::*;
    use bytes::Bytes;
    use longshore_runtime::Registry;

    fn read(body: &str, place: Place) -> Result<(Option<Uuid>, Plan), String> {
        let wish =
            Wish::read(&Bytes::copy_from_slice(body.as_bytes()), &Registry::default(), place);
        let wish = wish.unwrap();
        assert!(wish.is_schedule() || place == Place::Schedule);
        let plan =
            wish.plan(TenantName::default(), |plan| plan.timing().err().into_iter().collect());
        plan.map_err(|problem| String::from_utf8(problem.body("", "")).unwrap())
    }

    #[test]
    fn a_task_with_a_cron_is_a_schedule() {
        let (id, plan) = read(
            r#"{"kind":"hello","name":"tidy","cron":"0 3 * * *","id":"0198b2f0-5a1c-7c3e-9f3a-2b1d4c5e6f70"}"#,
            Place::Alone,
        )
        .unwrap();
        assert!(id.is_some() && plan.task.id.is_none());
        assert_eq!((plan.timezone.as_str(), plan.missed, plan.paused), ("UTC", Missed::One, false));
        assert_eq!(plan.name.as_deref(), Some("tidy"));
    }

    #[test]
    fn a_schedule_has_fields_of_its_own_and_not_those_of_one_task() {
        let body = r#"{"kind":"hello","cron":"@daily","timezone":"Asia/Kathmandu","missed":"all","paused":true}"#;
        let (_, plan) = read(body, Place::Schedule).unwrap();
        assert_eq!((plan.missed, plan.paused), (Missed::All, true));
        for (body, said) in [
            (r#"{"kind":"hello","cron":"@daily","delay":"1s"}"#, "is not a known field"),
            (r#"{"kind":"hello"}"#, "cron: is required"),
            (r#"{"kind":"hello","cron":5}"#, "cron: must be a string"),
            (r#"{"kind":"hello","cron":"@daily","missed":"two"}"#, "missed: must be"),
            (r#"{"kind":"hello","cron":"@daily","paused":"yes"}"#, "paused: must be true or false"),
            (r#"{"kind":"hello","cron":"*/0 * * * *"}"#, "cron: minute: a step must be"),
            (r#"{"kind":"hello","cron":"@daily","timezone":"Mars"}"#, "timezone: is not a known"),
        ] {
            let refused = read(body, Place::Schedule).unwrap_err();
            assert!(refused.contains(said), "{body}: {refused}");
        }
        let refused = read(
            r#"{"kind":"hello","cron":"@daily","run_at":"2027-01-01T00:00:00Z"}"#,
            Place::Alone,
        );
        assert!(refused.unwrap_err().contains("run_at: must not be given together with cron"));
    }
}
