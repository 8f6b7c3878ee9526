//! `POST /v1/schedules/{id}/run`, `pause` and `resume`, and `DELETE /v1/schedules/{id}`.

use super::view::{shown, tag};
use super::{found, id};
use crate::auth::Caller;
use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::call::Call;
use crate::request::path::Part;
use crate::routes::tasks::create::answer;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use longshore_core::store::Schedule;
use serde::Serialize;
use uuid::Uuid;

/// Makes a schedule's task now, paused or not. Its slots are not touched.
#[utoipa::path(
    post, path = "/v1/schedules/{id}/run", tag = "schedules", operation_id = "runSchedule",
    params(crate::openapi::schedules::ScheduleParam),
    responses(
        (status = 201, description = "The task is accepted: it is on stable storage",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::Accepted>),
            headers(("Location" = String, description = "The task's path"))),
        (status = 200, description = "A task has the schedule's `unique` key already: this is it",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::Accepted>),
            headers(("Location" = String, description = "The task's path"))),
        crate::openapi::schedules::NotRun,
    )
)]
pub(crate) async fn run(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    let (headers, Schedule { id, .. }) = asked(&house, &caller, part, request).await?;
    let accepted = house.engine().schedules().run(caller.by(), &caller.tenant(), id).await?;
    Ok(answer(Shape::asked(&headers), &accepted))
}

/// Holds a schedule back: slots that come meanwhile make nothing, and are not made up for.
///
/// It stays so over restarts and reloads.
#[utoipa::path(
    post, path = "/v1/schedules/{id}/pause", tag = "schedules", operation_id = "pauseSchedule",
    params(crate::openapi::schedules::ScheduleParam),
    responses(
        (status = 200, description = "The schedule as it stands now",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schedules::Schedule>)),
        crate::openapi::schedules::NoSchedule,
    )
)]
pub(crate) async fn pause(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    hold(&house, &caller, part, request, true).await
}

/// Goes on with a schedule, from its next slot on.
#[utoipa::path(
    post, path = "/v1/schedules/{id}/resume", tag = "schedules", operation_id = "resumeSchedule",
    params(crate::openapi::schedules::ScheduleParam),
    responses(
        (status = 200, description = "The schedule as it stands now",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schedules::Schedule>)),
        crate::openapi::schedules::NoSchedule,
    )
)]
pub(crate) async fn resume(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    hold(&house, &caller, part, request, false).await
}

async fn hold(
    house: &House,
    caller: &Caller,
    part: Part,
    request: Request,
    paused: bool,
) -> Result<Response, Problem> {
    let (headers, Schedule { id, .. }) = asked(house, caller, part, request).await?;
    let schedules = house.engine().schedules();
    let schedule = schedules.hold(caller.by(), &caller.tenant(), id, paused).await?;
    Ok(shown(house, &headers, &schedule))
}

/// Reads a call without fields, and the schedule that it is about.
async fn asked(
    house: &House,
    caller: &Caller,
    part: Part,
    request: Request,
) -> Result<(HeaderMap, Schedule), Problem> {
    let id = id(part)?;
    let headers = Call::plain(request, house).await?;
    Ok((headers, found(house, caller, id).await?))
}

/// What became of a schedule.
#[derive(Debug, Serialize)]
struct Deleted {
    id: Uuid,
    deleted: bool,
}

/// Deletes a schedule. Tasks that it made stay.
///
/// One that comes from the configuration is refused with 409. With `If-Match` it is only done if nobody
/// changed the schedule in between.
#[utoipa::path(
    delete, path = "/v1/schedules/{id}", tag = "schedules", operation_id = "deleteSchedule",
    params(crate::openapi::schedules::ScheduleParam,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read before")),
    responses(
        (status = 200, description = "It is gone",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schedules::Deleted>)),
        crate::openapi::schedules::NotDeleted,
    )
)]
pub(crate) async fn delete(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    let (headers, schedule) = asked(&house, &caller, part, request).await?;
    tag(&schedule).must_match(&headers)?;
    let id = schedule.id;
    house.engine().schedules().remove(caller.by(), &caller.tenant(), id).await?;
    Ok(Shape::asked(&headers).answer(StatusCode::OK, &Deleted { id, deleted: true }))
}
