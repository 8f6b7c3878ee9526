//! `GET /v1/tasks/{id}`: one task, and the wait for its end.

use crate::auth::Caller;
use crate::envelope::Shape;
use crate::etag::Tag;
use crate::house::House;
use crate::problem::Problem;
use crate::request::path::{self, Part};
use crate::request::query::Query;
use crate::view::Whole;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use longshore_core::{Task, TaskId};
use std::time::Duration;

/// Reads a task.
///
/// With `wait` the answer comes when the run has ended, or when the time is up. `If-None-Match`
/// with the task's `ETag` is answered 304 while nothing has changed.
#[utoipa::path(
    get, path = "/v1/tasks/{id}", tag = "tasks", operation_id = "getTask",
    params(
        ("id" = String, Path, format = "uuid", description = "The task's id"),
        crate::openapi::schemas::WaitParam,
        ("If-None-Match" = Option<String>, Header, description = "An `ETag` that was read before"),
    ),
    responses(
        (status = 200, description = "The task",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::Task>),
            headers(("ETag" = String, description = "Changes whenever the task does"))),
        (status = 304, description = "Nothing has changed"),
        crate::openapi::schemas::NotFound,
    )
)]
pub(crate) async fn read(
    State(house): State<House>,
    caller: Caller,
    id: Part,
    request: Request,
) -> Result<Response, Problem> {
    let id = path::id(id)?;
    let mut query = Query::read(request.uri().query(), &["wait"], &[])?;
    let wait = query.wait();
    query.finish()?;
    let task = match wait {
        Some(at_most) => waited(&house, &caller, id, at_most).await?,
        None => house.task(&caller, id).await?,
    };
    let task = task.ok_or_else(|| Problem::no_task(id))?;
    Ok(shown(request.headers(), &task))
}

async fn waited(
    house: &House,
    caller: &Caller,
    id: TaskId,
    at_most: Duration,
) -> Result<Option<Task>, Problem> {
    // Nobody waits for what does not exist for him: the time would tell that it does.
    house.must_know(caller, id).await?;
    let hub = house.engine().hub();
    let ended = hub.wait(house.store(), caller.tenant(), id, at_most);
    match house.closing().run_until_cancelled(ended).await {
        Some(task) => Ok(task?),
        // The door closes: how it stands now is the answer.
        None => Ok(house.task(caller, id).await?),
    }
}

fn shown(headers: &HeaderMap, task: &Task) -> Response {
    let shape = Shape::asked(headers);
    let body = shape.write(StatusCode::OK, &Whole::new(task));
    let tag = Tag::of(&body);
    let mut response = if tag.is_known(headers) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        shape.respond(StatusCode::OK, body)
    };
    let out = response.headers_mut();
    tag.stamp(out);
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    out.insert(header::VARY, HeaderValue::from_static("accept"));
    response
}
