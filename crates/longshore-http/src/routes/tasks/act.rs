//! `POST /v1/tasks/{id}/cancel`, `retry` and `replay`.

use super::create::answer;
use crate::auth::{Caller, Role};
use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::call::Call;
use crate::request::idempotency;
use crate::request::path::{self, Part};
use crate::request::value;
use crate::trace;
use crate::view::Whole;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use longshore_core::failpoint;
use longshore_runtime::FieldError;
use longshore_runtime::tasks::Replay;

/// The scope of the idempotency keys of replays.
const REPLAY: &str = "/v1/tasks/{id}/replay";

/// Cancels a task.
///
/// A waiting task ends at once. A running one is told, and the answer shows it as it runs: it ends
/// `cancelled` within its grace of 10 s, unless its handler returns something else before. A
/// task that has ended is left alone: 409.
#[utoipa::path(
    post, path = "/v1/tasks/{id}/cancel", tag = "tasks", operation_id = "cancelTask",
    params(crate::openapi::schemas::IdParam),
    responses(
        (status = 200, description = "The task as it stands now",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::Task>)),
        crate::openapi::schemas::NotNow,
    )
)]
pub(crate) async fn cancel(
    State(house): State<House>,
    caller: Caller,
    id: Part,
    request: Request,
) -> Result<Response, Problem> {
    let id = path::id(id)?;
    let headers = Call::plain(request, &house).await?;
    house.must_know(&caller, id).await?;
    let task = house.engine().tasks().cancel(caller.by(), caller.tenant(), id).await?;
    Ok(Shape::asked(&headers).answer(StatusCode::OK, &Whole::new(&task)))
}

/// Runs an ended task again.
///
/// A failed, cancelled or expired task goes again now, as run + 1: its `run_at` is dropped, it is
/// the last of its lane, and `expires_in` counts anew. Others: 409.
#[utoipa::path(
    post, path = "/v1/tasks/{id}/retry", tag = "tasks", operation_id = "retryTask",
    params(crate::openapi::schemas::IdParam),
    responses(
        (status = 200, description = "The task as it stands now",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::Task>)),
        crate::openapi::schemas::NotNow,
    )
)]
pub(crate) async fn retry(
    State(house): State<House>,
    caller: Caller,
    id: Part,
    request: Request,
) -> Result<Response, Problem> {
    let id = path::id(id)?;
    let headers = Call::plain(request, &house).await?;
    house.must_know(&caller, id).await?;
    let task = house.engine().tasks().retry(caller.by(), caller.tenant(), id).await?;
    Ok(Shape::asked(&headers).answer(StatusCode::OK, &Whole::new(&task)))
}

/// Submits a task like another one.
///
/// The new task has `replay_of`; the old one stays as it is. `run_at`, `unique` and `expires_in`
/// are not taken over.
#[utoipa::path(
    post, path = "/v1/tasks/{id}/replay", tag = "tasks", operation_id = "replayTask",
    params(crate::openapi::schemas::IdParam, crate::openapi::schemas::IdempotencyKey),
    request_body(content = Option<crate::openapi::schemas::Replay>),
    responses(
        (status = 201, description = "Accepted: it is on stable storage",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::Accepted>),
            headers(("Location" = String, description = "The new task's path"))),
        (status = 404, description = "There is no such task",
            body = crate::openapi::schemas::Problem, content_type = "application/problem+json"),
        crate::openapi::schemas::Refusals,
    )
)]
pub(crate) async fn replay(
    State(house): State<House>,
    caller: Caller,
    id: Part,
    request: Request,
) -> Result<Response, Problem> {
    let id = path::id(id)?;
    let call = Call::read(request, &house).await?;
    // The same key for another task is another request.
    let named = [id.0.as_bytes(), &*call.body].concat();
    let idempotency = idempotency::read(&call.headers, REPLAY, &named)?;
    let payload = call.fields(&["payload"])?.pop().map(|(_, raw)| value::json(raw, &call.body));
    let payload = payload
        .transpose()
        .map_err(|wrong| Problem::fields(vec![FieldError::new("payload", wrong)]))?;
    let traceparent = trace::traceparent(&call.headers).map(str::to_owned);
    if payload.is_some() {
        // With a payload of its own it is as good as any other submission.
        caller.must(Role::Enqueue)?;
    }
    house.must_know(&caller, id).await?;
    let how = Replay { payload, traceparent, idempotency };
    let accepted = house.engine().tasks().replay_as(caller.tenant(), id, how).await?;
    // The crash window: it is stored, and nobody knows yet.
    failpoint::pass("http.before_answer").map_err(|_| Problem::unknown_outcome())?;
    Ok(answer(Shape::asked(&call.headers), &accepted))
}
