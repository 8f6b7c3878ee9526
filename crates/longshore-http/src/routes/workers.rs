//! `GET /v1/workers` and `POST /v1/workers/{worker}/drain`.

use crate::codes;
use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::call::Call;
use crate::request::path::Part;
use crate::request::query::Query;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::StatusCode;
use longshore_core::store::{SeenWorker, Share};
use longshore_core::{KindName, QueueName, Span, TaskId, Timestamp};
use serde::Serialize;

/// Lists the workers: this server, others that share its store, and those outside.
///
/// One that has been silent for longer than it had said is `lost`, and forgotten an hour later.
#[utoipa::path(
    get, path = "/v1/workers", tag = "workers", operation_id = "listWorkers",
    responses(
        (status = 200, description = "All workers, by name",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::leases::Workers>)),
        crate::openapi::schemas::Refusals,
    )
)]
pub(crate) async fn list(
    State(house): State<House>,
    request: Request,
) -> Result<Response, Problem> {
    Query::none(request.uri().query())?;
    let workers = house.store().workers().await?;
    let items = workers.iter().map(Shown::of).collect();
    Ok(Shape::asked(request.headers())
        .answer(StatusCode::OK, &Workers { items, next_cursor: None }))
}

/// Asks a worker to begin nothing new. What it runs goes on.
#[utoipa::path(
    post, path = "/v1/workers/{worker}/drain", tag = "workers", operation_id = "drainWorker",
    params(("worker" = String, Path, description = "The worker's name")),
    responses(
        (status = 200, description = "It will be told within some seconds",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::leases::Drained>)),
        (status = 404, description = "There is no such worker",
            body = crate::openapi::schemas::Problem, content_type = "application/problem+json"),
        crate::openapi::schemas::Refusals,
    )
)]
pub(crate) async fn drain(
    State(house): State<House>,
    caller: crate::auth::Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    let headers = Call::plain(request, &house).await?;
    let no_worker = || Problem::new(&codes::NO_WORKER, "there is no worker of that name");
    let Path(worker) = part.map_err(|_| no_worker())?;
    if !house.engine().outside().drain(caller.by(), caller.tenant(), &worker).await? {
        return Err(no_worker());
    }
    Ok(Shape::asked(&headers).answer(StatusCode::OK, &Drained { worker, draining: true }))
}

#[derive(Serialize)]
struct Drained {
    worker: String,
    draining: bool,
}

#[derive(Serialize)]
struct Workers<'a> {
    items: Vec<Shown<'a>>,
    next_cursor: Option<&'a str>,
}

/// A worker as it is shown.
#[derive(Serialize)]
struct Shown<'a> {
    worker: &'a str,
    host: &'a str,
    pid: u32,
    version: &'a str,
    status: &'static str,
    started_at: Timestamp,
    seen_at: Timestamp,
    heartbeat_age: Span,
    kinds: &'a [KindName],
    queues: Vec<Slots<'a>>,
    slots: Total,
    tasks: &'a [TaskId],
}

#[derive(Serialize)]
struct Slots<'a> {
    queue: &'a QueueName,
    used: u32,
    free: u32,
}

#[derive(Serialize)]
struct Total {
    used: u32,
    free: u32,
}

impl<'a> Shown<'a> {
    fn of(seen: &'a SeenWorker) -> Self {
        let worker = &seen.worker;
        let free = |share: &Share| share.slots.saturating_sub(share.used);
        Self {
            worker: &worker.id,
            host: &worker.host,
            pid: worker.pid,
            version: &worker.version,
            status: match (seen.lost, worker.draining) {
                (true, _) => "lost",
                (false, true) => "draining",
                (false, false) => "active",
            },
            started_at: worker.started_at,
            seen_at: seen.seen_at,
            heartbeat_age: Span(seen.silent),
            kinds: &worker.kinds,
            queues: worker
                .queues
                .iter()
                .map(|share| Slots { queue: &share.queue, used: share.used, free: free(share) })
                .collect(),
            slots: Total {
                used: worker.queues.iter().map(|share| share.used).sum(),
                free: worker.queues.iter().map(free).sum(),
            },
            tasks: &worker.tasks,
        }
    }
}
