//! Schedules as clients read them.

use crate::envelope::Shape;
use crate::etag::Tag;
use crate::house::House;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use longshore_core::Timestamp;
use longshore_core::store::Schedule;
use longshore_runtime::Plan;
use longshore_runtime::schedules::Fields;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// A schedule: every field is there, null if it has no value. Lists leave out the payload.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    id: Uuid,
    name: Option<&'a str>,
    origin: &'static str,
    overridden: Vec<&'a str>,
    cron: &'a str,
    timezone: &'a str,
    missed: &'static str,
    paused: bool,
    kind: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Option<&'a RawValue>>,
    queue: Option<&'a RawValue>,
    priority: Option<&'a RawValue>,
    max_attempts: Option<&'a RawValue>,
    timeout: Option<&'a RawValue>,
    total_timeout: Option<&'a RawValue>,
    expires_in: Option<&'a RawValue>,
    order_key: Option<&'a RawValue>,
    unique: Option<&'a RawValue>,
    tags: &'a [String],
    headers: Option<&'a RawValue>,
    last_slot: Option<Timestamp>,
    next_slot: Option<Timestamp>,
    problem: Option<String>,
    created_at: Timestamp,
    version: u64,
}

/// What is read of a schedule to show it.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    schedule: &'a Schedule,
    plan: Plan,
    fields: Fields,
    configured: Option<Fields>,
    problem: Option<String>,
}

impl<'a> Seen<'a> {
    /// Looks at a schedule; what is wrong with it is judged as of now.
    pub(super) fn new(house: &House, schedule: &'a Schedule) -> Self {
        let plan = Plan::of(schedule);
        let faults = house.engine().schedules().check(&plan);
        let problem = faults.first().map(|fault| format!("{}: {}", fault.field, fault.message));
        let configured = Plan::configured(schedule);
        Self { schedule, fields: plan.to_fields(), plan, configured, problem }
    }

    /// Shows all of it.
    pub(super) fn whole(&self) -> Shown<'_> {
        Shown { payload: Some(self.field("payload")), ..self.in_list() }
    }

    /// Shows it as an item of a list.
    pub(super) fn in_list(&self) -> Shown<'_> {
        let Self { schedule, plan, fields, configured, problem } = self;
        let overridden = configured.as_ref().map(|said| said.differing(fields));
        Shown {
            id: schedule.id,
            name: plan.name.as_deref(),
            origin: schedule.origin.as_str(),
            overridden: overridden.unwrap_or_default().into_iter().collect(),
            cron: &plan.cron,
            timezone: &plan.timezone,
            missed: plan.missed.as_str(),
            paused: plan.paused,
            kind: self.field("kind"),
            payload: None,
            queue: self.field("queue"),
            priority: self.field("priority"),
            max_attempts: self.field("max_attempts"),
            timeout: self.field("timeout"),
            total_timeout: self.field("total_timeout"),
            expires_in: self.field("expires_in"),
            order_key: self.field("order_key"),
            unique: self.field("unique"),
            tags: &plan.task.tags,
            headers: self.field("headers"),
            last_slot: schedule.last_slot,
            next_slot: schedule.next_slot.filter(|_| !plan.paused),
            problem: problem.clone(),
            created_at: schedule.created_at,
            version: schedule.version,
        }
    }

    fn field(&self, name: &str) -> Option<&RawValue> {
        self.fields.get(name)
    }
}

/// Names what a schedule is; that it fires does not change it.
pub(super) fn tag(schedule: &Schedule) -> Tag {
    Tag::of(format!("{} {}", schedule.id, schedule.version).as_bytes())
}

/// Answers with a schedule as it stands.
pub(super) fn shown(house: &House, headers: &HeaderMap, schedule: &Schedule) -> Response {
    let seen = Seen::new(house, schedule);
    let mut response = Shape::asked(headers).answer(StatusCode::OK, &seen.whole());
    tag(schedule).stamp(response.headers_mut());
    response
}
