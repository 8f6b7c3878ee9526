//! `PATCH /v1/schedules/{id}`: what a schedule is from now on.

use super::view::{shown, tag};
use super::{id, must_see};
use crate::auth::Caller;
use crate::house::House;
use crate::problem::Problem;
use crate::request::path::Part;
use crate::request::query::Query;
use crate::request::rhythm::FIELDS;
use crate::request::wish::{Place, Wish};
use crate::request::{body, call, value};
use crate::routes::tasks::create::admit;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use longshore_core::store::Schedule;
use longshore_runtime::{FieldError, Plan};

/// Changes a schedule.
///
/// What is given holds from now on; what is left out stays. Of a schedule of the configuration it goes
/// before what that says, over restarts and reloads, and `null` takes it back; of another one `null` means
/// the default. With `If-Match` it is only done if nobody changed the schedule in between.
#[utoipa::path(
    patch, path = "/v1/schedules/{id}", tag = "schedules", operation_id = "changeSchedule",
    params(crate::openapi::schedules::ScheduleParam,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read before")),
    request_body(content = crate::openapi::schedules::ScheduleChange,
        example = json!({"cron": "0 4 * * *", "missed": "skip", "priority": null})),
    responses(
        (status = 200, description = "The schedule as it stands now",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schedules::Schedule>),
            headers(("ETag" = String, description = "Changes whenever the schedule does"))),
        crate::openapi::schedules::NotChanged,
    )
)]
pub(crate) async fn change(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    let id = id(part)?;
    let (parts, body) = request.into_parts();
    Query::none(parts.uri.query())?;
    let body = body::read(&parts.headers, body, house.max_body()).await?;
    let (schedules, tenant) = (house.engine().schedules(), caller.tenant());
    let changed = schedules.change(caller.by(), &tenant, id, |before| {
        must_see(&house, &caller, before)?;
        tag(before).must_match(&parts.headers)?;
        let mut plan = planned(&house, before, &body)?;
        admit(&caller, &mut plan.task, &house.engine().registry())?;
        Ok::<_, Problem>(plan)
    });
    let schedule = changed.await?;
    Ok(shown(&house, &parts.headers, &schedule))
}

/// Reads what the schedule is to be, all of it judged as if it were made anew.
fn planned(house: &House, before: &Schedule, body: &Bytes) -> Result<Plan, Problem> {
    let named = |name: &&&str| !["id", "type", "taskType"].contains(*name);
    let known: Vec<&str> = FIELDS.iter().filter(named).copied().collect();
    let configured = Plan::configured(before).unwrap_or_default();
    let mut fields = Plan::of(before).to_fields();
    for (name, raw) in call::fields(body, &known)? {
        if name == "name" && Plan::configured(before).is_some() {
            let why = "is what the configuration calls it by; change it there";
            return Err(Problem::fields(vec![FieldError::new("name", why)]));
        }
        if value::is_null(raw) {
            fields.take_over(&name, &configured);
        } else {
            fields.set(&name, Some(raw));
        }
    }
    let whole = Bytes::from(fields.to_json());
    let wish = Wish::read(&whole, &house.engine().registry(), Place::Schedule)?;
    let check = |plan: &Plan| house.engine().schedules().check(plan);
    wish.plan(before.tenant.clone(), check).map(|(_, plan)| plan)
}
