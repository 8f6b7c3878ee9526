//! The yardstick for benchmarks: the same door and the same judgement, with no store behind it.
//!
//! What `POST /v1/tasks` costs above this is what durability costs.

use crate::auth::Guard;
use crate::auth::NoPolicy;
use crate::envelope::Shape;
use crate::house::DEFAULT_MAX_BODY;
use crate::meter::Meter;
use crate::problem::Problem;
use crate::request::{body, idempotency};
use crate::routes::health;
use crate::routes::map::Map;
use crate::routes::tasks::{Judged, ROUTE, answer, judge};
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use http::Method;
use longshore_core::task::{Accepted, AcceptedHow, Durability};
use longshore_core::{Clock, NewTask, State as TaskState, SystemClock};
use longshore_runtime::Registry;
use longshore_runtime::intake::validate;
use std::sync::Arc;

/// Returns a router whose `POST /v1/tasks` reads and judges as the real one does, and answers from
/// memory in the same shape, with durability `none`.
/// [`Door::bind_router`](crate::Door::bind_router) serves it.
pub fn router(registry: Registry) -> Result<Router, NoPolicy> {
    let map = Map::new().on(Method::POST, "/v1/tasks", create)?.on(
        Method::GET,
        "/livez",
        health::livez,
    )?;
    Ok(map.router(&Meter::default(), &Guard::default(), Arc::new(registry), None))
}

async fn create(
    State(registry): State<Arc<Registry>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let shape = Shape::asked(&parts.headers);
    let body = body::read(&parts.headers, body, DEFAULT_MAX_BODY).await?;
    let key = idempotency::read(&parts.headers, ROUTE, &body)?;
    let validate = |wish| validate(wish, &registry, SystemClock.now());
    let Judged { submission, kind_as } = judge(&parts.headers, &body, key, &registry, validate)?;
    let task = validate(submission).map_err(|faults| Problem::fields(kind_as.rename(faults)))?;
    Ok(answer(shape, &accepted(task.into_inner())))
}

fn accepted(task: NewTask) -> Accepted {
    let now = SystemClock.now();
    let run_at = task.run_at.unwrap_or(now);
    Accepted {
        id: task.id,
        kind: task.kind,
        queue: task.queue,
        state: if run_at > now { TaskState::Scheduled } else { TaskState::Pending },
        run_at,
        created_at: now,
        durability: Durability::None,
        how: AcceptedHow::New,
        others: Vec::new(),
    }
}
