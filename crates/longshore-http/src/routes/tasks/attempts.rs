//! `GET /v1/tasks/{id}/attempts`: every opening of a task.

use crate::auth::Caller;
use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::path::{self, Part};
use crate::request::query::Query;
use crate::view::List;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;

/// Lists the openings of a task, oldest first.
///
/// Openings that cost no attempt are among them (given back, snoozed, lost); the last one has no
/// `ended_at` and no `outcome` while it runs.
#[utoipa::path(
    get, path = "/v1/tasks/{id}/attempts", tag = "tasks", operation_id = "listAttempts",
    params(crate::openapi::schemas::IdParam),
    responses(
        (status = 200, description = "All of them; `next_cursor` is null",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::AttemptList>)),
        crate::openapi::schemas::NotFound,
    )
)]
pub(crate) async fn attempts(
    State(house): State<House>,
    caller: Caller,
    id: Part,
    request: Request,
) -> Result<Response, Problem> {
    let id = path::id(id)?;
    Query::none(request.uri().query())?;
    house.must_know(&caller, id).await?;
    let found = house.store().attempts(caller.tenant(), id).await?;
    let items = found.ok_or_else(|| Problem::no_task(id))?;
    let list = List { items, next_cursor: None };
    Ok(Shape::asked(request.headers()).answer(StatusCode::OK, &list))
}
