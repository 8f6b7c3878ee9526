//! `POST /v1/schedules`, and what a `POST /v1/tasks` with `cron` does.

use super::view::{Seen, Shown, tag};
use crate::auth::Caller;
use crate::codes;
use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::body;
use crate::request::idempotency::{self, REPLAYED};
use crate::request::query::Query;
use crate::request::wish::{Place, Wish};
use crate::routes::tasks::create::admit;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use longshore_core::TenantName;
use longshore_core::task::Idempotency;
use longshore_runtime::{Plan, ScheduleError};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The scope of the idempotency keys.
const ROUTE: &str = "/v1/schedules";

/// Makes a schedule.
///
/// Its fields are those of the task that each slot submits, and when: `cron` and `timezone`. A repeated
/// request with the same `Idempotency-Key` makes no second one.
#[utoipa::path(
    post, path = "/v1/schedules", tag = "schedules", operation_id = "createSchedule",
    params(crate::openapi::schemas::IdempotencyKey),
    request_body(content = crate::openapi::schedules::NewSchedule,
        example = json!({"cron": "0 3 * * *", "timezone": "Europe/Berlin", "kind": "hello", "missed": "one"})),
    responses(
        (status = 201, description = "Made: it is on stable storage",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schedules::Schedule>),
            headers(("Location" = String, description = "The schedule's path"),
                ("ETag" = String, description = "Changes whenever the schedule does"))),
        crate::openapi::schemas::Refusals,
    )
)]
pub(crate) async fn create(
    State(house): State<House>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    Query::none(parts.uri.query())?;
    let body = body::read(&parts.headers, body, house.max_body()).await?;
    let key = idempotency::read(&parts.headers, ROUTE, &body)?;
    let wish = Wish::read(&body, &house.engine().registry(), Place::Schedule)?;
    made(&house, &caller, &parts.headers, wish, key).await
}

/// A schedule as it was made, with the field that tells it from a task.
#[derive(Serialize)]
struct Made<'a> {
    schedule_id: Uuid,
    #[serde(flatten)]
    schedule: Shown<'a>,
}

/// Makes the schedule that is wished for, and answers with it.
pub(crate) async fn made(
    house: &House,
    caller: &Caller,
    headers: &HeaderMap,
    wish: Wish,
    key: Option<Idempotency>,
) -> Result<Response, Problem> {
    let schedules = house.engine().schedules();
    let tenant = caller.tenant();
    let (id, mut plan) = wish.plan(tenant.clone(), |plan| schedules.check(plan))?;
    admit(caller, &mut plan.task, &house.engine().registry())?;
    let id =
        id.or_else(|| key.as_ref().map(|key| named(&tenant, key))).unwrap_or_else(Uuid::now_v7);
    if !house.engine().intake().is_open() {
        return Err(longshore_runtime::SubmitError::Stopping.into());
    }
    let made = schedules.create(caller.by(), tenant.clone(), Some(id), plan.clone()).await;
    let (schedule, replayed) = match made {
        Ok(made) => (made, false),
        Err(ScheduleError::Taken) if key.is_some() => {
            let there = super::found(house, caller, id).await?;
            if Plan::of(&there) != plan {
                return Err(Problem::new(
                    &codes::KEY_REUSED,
                    "the idempotency key was used with another body, or what it made was changed",
                ));
            }
            (there, true)
        }
        Err(error) => {
            let taken = matches!(error, ScheduleError::Taken);
            let problem = Problem::from(error);
            return Err(if taken { problem.header(header::LOCATION, path(id)) } else { problem });
        }
    };
    let seen = Seen::new(house, &schedule);
    let made = Made { schedule_id: id, schedule: seen.whole() };
    let mut response = Shape::asked(headers).answer(StatusCode::CREATED, &made);
    tag(&schedule).stamp(response.headers_mut());
    if let Ok(location) = HeaderValue::try_from(path(id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn path(id: Uuid) -> String {
    format!("/v1/schedules/{id}")
}

/// The id that a key stands for: a repeated request finds what the first one made.
fn named(tenant: &TenantName, key: &Idempotency) -> Uuid {
    let mut digest = Sha256::new();
    for part in [tenant.as_str(), key.route, &key.key] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
