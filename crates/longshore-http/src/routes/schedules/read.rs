//! `GET /v1/schedules`, `GET /v1/schedules/{id}` and `GET /v1/schedules/{id}/next`.

use super::view::{Seen, shown};
use super::{found, id, sees};
use crate::auth::Caller;
use crate::cursor;
use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::path::Part;
use crate::request::query::Query;
use crate::routes::tasks::list::{bad_cursor, limit};
use crate::view::List;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use longshore_core::Timestamp;
use longshore_runtime::Plan;
use serde::Serialize;

/// Most slots that are told at once, and how many are if nobody says.
const MOST: usize = 100;
const USUAL: usize = 5;

/// Lists the schedules, by id.
#[utoipa::path(
    get, path = "/v1/schedules", tag = "schedules", operation_id = "listSchedules",
    params(crate::openapi::schemas::PageParams),
    responses(
        (status = 200, description = "A page",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schedules::ScheduleList>)),
        crate::openapi::schemas::Unreadable,
    )
)]
pub(crate) async fn list(
    State(house): State<House>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let mut query = Query::read(request.uri().query(), &["cursor", "limit"], &[])?;
    let limit = limit(&mut query);
    let after = query.one("cursor", |text| Ok(cursor::read_id(text)));
    query.finish()?;
    let after = match after {
        Some(None) => return Err(bad_cursor()),
        after => after.flatten(),
    };
    let all = house.engine().schedules().list(&caller.tenant()).await?;
    let rest = all.iter().filter(|one| after.is_none_or(|after| one.id > after));
    let rest = rest.filter(|one| sees(&house, &caller, one));
    let mut page: Vec<_> = rest.take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let next_cursor = page.last().filter(|_| more).map(|last| cursor::write_id(last.id));
    let seen: Vec<Seen<'_>> = page.iter().map(|one| Seen::new(&house, one)).collect();
    let list = List { items: seen.iter().map(Seen::in_list).collect(), next_cursor };
    Ok(Shape::asked(request.headers()).answer(StatusCode::OK, &list))
}

/// Reads a schedule: when, what, and where that comes from.
///
/// The `ETag` names what it is; that it fires does not change it.
#[utoipa::path(
    get, path = "/v1/schedules/{id}", tag = "schedules", operation_id = "getSchedule",
    params(crate::openapi::schedules::ScheduleParam),
    responses(
        (status = 200, description = "The schedule",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schedules::Schedule>),
            headers(("ETag" = String, description = "Changes whenever the schedule does"))),
        crate::openapi::schedules::NoSchedule,
    )
)]
pub(crate) async fn read(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    let id = id(part)?;
    Query::none(request.uri().query())?;
    let schedule = found(&house, &caller, id).await?;
    Ok(shown(&house, request.headers(), &schedule))
}

/// A slot to come.
#[derive(Debug, Serialize)]
struct Slot {
    slot: Timestamp,
    local: String,
}

/// Tells the next slots of a schedule, paused or not.
#[utoipa::path(
    get, path = "/v1/schedules/{id}/next", tag = "schedules", operation_id = "nextSlots",
    params(crate::openapi::schedules::ScheduleParam, crate::openapi::schedules::NextParams),
    responses(
        (status = 200, description = "Those to come",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schedules::SlotList>)),
        crate::openapi::schedules::NoSchedule,
    )
)]
pub(crate) async fn next(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    let id = id(part)?;
    let mut query = Query::read(request.uri().query(), &["count"], &[])?;
    let count = query.one("count", |text| match text.parse() {
        Ok(count) if (1..=MOST).contains(&count) => Ok(count),
        _ => Err(format!("must be a number in 1..{MOST}")),
    });
    query.finish()?;
    let schedule = found(&house, &caller, id).await?;
    let slots = house.engine().schedules().next(&schedule, count.unwrap_or(USUAL));
    let timing = Plan::of(&schedule).timing().ok();
    let local =
        |slot| timing.as_ref().map_or_else(|| format!("{slot}"), |timing| timing.local(slot));
    let items = slots.into_iter().map(|slot| Slot { slot, local: local(slot) }).collect();
    let list = List { items, next_cursor: None };
    Ok(Shape::asked(request.headers()).answer(StatusCode::OK, &list))
}
