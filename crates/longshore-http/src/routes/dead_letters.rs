//! `/v1/dead-letters`: the tasks that failed for good, and what becomes of them.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::call::Call;
use crate::request::path::{self, Part};
use crate::request::query::Query;
use crate::routes::tasks::list::{Asked, page, word_of};
use crate::view::Whole;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use longshore_core::store::Refused;
use longshore_core::{State as TaskState, TaskId};

const KNOWN: [&str; 9] =
    ["status", "queue", "kind", "tag", "tenant", "created", "error", "cursor", "limit"];
const LATER: [&str; 1] = ["q"];

/// Lists the dead letters, newest first.
///
/// They are the failed tasks, shown as in the list of tasks.
#[utoipa::path(
    get, path = "/v1/dead-letters", tag = "dead letters", operation_id = "listDeadLetters",
    params(crate::openapi::schemas::ListParams, crate::openapi::schemas::ErrorParam),
    responses(
        (status = 200, description = "A page",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::TaskList>)),
        crate::openapi::schemas::Unreadable,
    )
)]
pub(crate) async fn list(
    State(house): State<House>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let mut query = Query::read(request.uri().query(), &KNOWN, &LATER)?;
    let asked = Asked::read(&mut query);
    let error = query.one("error", word_of);
    query.finish()?;
    let mut asked = asked?;
    let states = &mut asked.filter.states;
    asked.never |= !(states.is_empty() || states.contains(&TaskState::Failed));
    *states = vec![TaskState::Failed];
    asked.filter.error = error;
    page(&house, &caller, request.headers(), asked).await
}

/// Runs a dead letter again, now, as run + 1 of the same task.
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/retry", tag = "dead letters",
    operation_id = "retryDeadLetter", params(crate::openapi::schemas::IdParam),
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
    must_be_dead(&house, &caller, id).await?;
    let task = house.engine().tasks().retry(caller.by(), caller.tenant(), id).await?;
    Ok(Shape::asked(&headers).answer(StatusCode::OK, &Whole::new(&task)))
}

/// Throws a dead letter away: its task is `cancelled` from then on, with the reason `discarded`.
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/discard", tag = "dead letters",
    operation_id = "discardDeadLetter", params(crate::openapi::schemas::IdParam),
    responses(
        (status = 200, description = "The task as it stands now",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::Task>)),
        crate::openapi::schemas::NotNow,
    )
)]
pub(crate) async fn discard(
    State(house): State<House>,
    caller: Caller,
    id: Part,
    request: Request,
) -> Result<Response, Problem> {
    let id = path::id(id)?;
    let headers = Call::plain(request, &house).await?;
    must_be_dead(&house, &caller, id).await?;
    let task = house.engine().tasks().discard(caller.by(), caller.tenant(), id).await?;
    Ok(Shape::asked(&headers).answer(StatusCode::OK, &Whole::new(&task)))
}

/// Refuses what is documented for many dead letters at once.
pub(crate) async fn later(request: Request) -> Problem {
    let what = request.uri().path().rsplit('/').next().unwrap_or_default();
    let message = format!("dead-letters/{what:.20} is not available in this version");
    Problem::new(&codes::NOT_AVAILABLE, message)
}

async fn must_be_dead(house: &House, caller: &Caller, id: TaskId) -> Result<(), Problem> {
    match house.task(caller, id).await? {
        None => Err(Problem::no_task(id)),
        Some(task) if task.state == TaskState::Failed => Ok(()),
        Some(task) => Err(Refused::WrongState { state: task.state }.into()),
    }
}
