//! `GET /v1/queues`, `GET /v1/queues/{queue}` and `GET /v1/scaling/{queue}`.

use super::view::{Scaling, Shown};
use super::{name, no_queue};
use crate::auth::Caller;
use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::path::Part;
use crate::request::query::Query;
use crate::view::List;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use longshore_core::{Clock, SystemClock};
use longshore_runtime::QueueView;

/// Lists the queues, by name.
///
/// Those that are configured, that have tasks, or on which something is set.
#[utoipa::path(
    get, path = "/v1/queues", tag = "queues", operation_id = "listQueues",
    responses(
        (status = 200, description = "All of them; `next_cursor` is null",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::QueueList>)),
        crate::openapi::schemas::Unreadable,
    )
)]
pub(crate) async fn list(
    State(house): State<House>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    Query::none(request.uri().query())?;
    let queues = house.engine().queues().list(&caller.tenant()).await?;
    let now = SystemClock.now();
    let covered = queues.iter().filter(|queue| caller.covers(&queue.name));
    let items = covered.map(|queue| Shown::new(queue, now)).collect();
    let list = List { items, next_cursor: None };
    Ok(Shape::asked(request.headers()).answer(StatusCode::OK, &list))
}

/// Reads a queue: its settings, where they come from, and what is in it.
///
/// The `ETag` names the settings; what is in the queue does not change it.
#[utoipa::path(
    get, path = "/v1/queues/{queue}", tag = "queues", operation_id = "getQueue",
    params(crate::openapi::schemas::QueueParam),
    responses(
        (status = 200, description = "The queue",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::Queue>),
            headers(("ETag" = String, description = "Changes whenever a setting does"))),
        crate::openapi::schemas::NoSuchName,
    )
)]
pub(crate) async fn read(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    let queue = found(&house, &caller, part, request.uri().query()).await?;
    Ok(shown(request.headers(), &queue))
}

/// Tells an autoscaler how much there is to do.
///
/// `wanted` is the number of processes whose slots the ready and running tasks fill, at most what
/// the queue's `limit` keeps busy. A paused queue wants nobody for what is ready.
#[utoipa::path(
    get, path = "/v1/scaling/{queue}", tag = "queues", operation_id = "getScaling",
    params(crate::openapi::schemas::QueueParam),
    responses(
        (status = 200, description = "What there is to do",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::Scaling>)),
        crate::openapi::schemas::NoSuchName,
    )
)]
pub(crate) async fn scaling(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    let queue = found(&house, &caller, part, request.uri().query()).await?;
    let scaling = Scaling::new(&queue, SystemClock.now());
    Ok(Shape::asked(request.headers()).answer(StatusCode::OK, &scaling))
}

/// Answers with a queue as it stands.
pub(super) fn shown(headers: &HeaderMap, queue: &QueueView) -> Response {
    let shown = Shown::new(queue, SystemClock.now());
    let mut response = Shape::asked(headers).answer(StatusCode::OK, &shown);
    shown.tag().stamp(response.headers_mut());
    response
}

async fn found(
    house: &House,
    caller: &Caller,
    part: Part,
    query: Option<&str>,
) -> Result<QueueView, Problem> {
    let name = name(caller, part)?;
    Query::none(query)?;
    let queue = house.engine().queues().get(&caller.tenant(), &name).await?;
    queue.ok_or_else(|| no_queue(name.as_str()))
}
