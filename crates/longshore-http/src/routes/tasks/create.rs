//! `POST /v1/tasks`: from a request to the promise.

use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::body;
use crate::request::idempotency::{self, REPLAYED};
use crate::request::query::Query;
use crate::request::wish::{KindAs, Place, Wish};
use crate::routes::schedules::create::made;
use crate::trace;
use crate::view::{Short, Whole};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use longshore_core::task::{Accepted, AcceptedHow, Idempotency};
use longshore_core::{NewTask, Task, Valid, failpoint};
use longshore_runtime::{FieldError, Registry, Submission, SubmitError};
use std::time::Duration;

/// The scope of idempotency keys: the route and its alias are one.
pub(crate) const ROUTE: &str = "/v1/tasks";

/// What a request asks for, once it was read.
#[derive(Debug)]
pub(crate) struct Judged {
    /// The task that is wished for.
    pub(crate) submission: Submission,
    /// What the client called its kind.
    pub(crate) kind_as: KindAs,
}

/// Submits a task.
///
/// The answer is sent once the task is on stable storage; `durability` says how safe it is. With
/// `wait` the whole task is answered if its run ends in time. A repeated request with the same
/// `Idempotency-Key` gets the first answer again, byte for byte.
#[utoipa::path(
    post, path = "/v1/tasks", tag = "tasks", operation_id = "createTask",
    params(crate::openapi::schemas::WaitParam, crate::openapi::schemas::IdempotencyKey),
    request_body(content = crate::openapi::schemas::NewTask, examples(
        ("smallest" = (summary = "The smallest", value = json!({"kind": "hello"}))),
        ("delayed" = (summary = "In ten minutes, with a payload", value = json!({
            "kind": "hello", "payload": {"name": "Ada"}, "delay": "10m", "priority": 7,
            "tags": ["tour"]
        })))
    )),
    responses(
        (status = 201, description = "Accepted: it is on stable storage; with `cron` a schedule, see `POST /v1/schedules`",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schedules::TaskOrSchedule>),
            headers(("Location" = String, description = "The task's path, or the schedule's"),
                ("Idempotency-Replayed" = Option<String>, description = "`true` if this is the first answer again"))),
        (status = 200, description = "With `wait`: the run has ended",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::Task>)),
        crate::openapi::schemas::Refusals,
    )
)]
pub(crate) async fn create(
    State(house): State<House>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let shape = Shape::asked(&parts.headers);
    let wait = wait_of(parts.uri.query())?;
    let body = body::read(&parts.headers, body, house.max_body()).await?;
    let key = idempotency::read(&parts.headers, ROUTE, &body)?;
    let intake = house.engine().intake();
    let wish = Wish::read(&body, &intake.registry(), Place::Alone);
    if wish.as_ref().is_ok_and(Wish::is_schedule) {
        if wait.is_some() {
            let why = "does not go with cron: a schedule has no end";
            return Err(Problem::fields(vec![FieldError::new("wait", why)]));
        }
        return made(&house, &parts.headers, wish?, key).await;
    }
    let judged = wish
        .and_then(|wish| judged(&parts.headers, wish, key.clone(), |wish| intake.validate(wish)));
    let Judged { mut submission, kind_as } = match judged {
        Ok(judged) => judged,
        Err(problem) => return replay(&house, shape, key).await?.ok_or(problem),
    };
    submission.tenant = house.tenant();
    let accepted = intake.submit(submission).await.map_err(|error| match error {
        SubmitError::Invalid(faults) => Problem::fields(kind_as.rename(faults)),
        other => other.into(),
    })?;
    // The crash window: it is stored, and nobody knows yet.
    failpoint::pass("http.before_answer").map_err(|_| Problem::unknown_outcome())?;
    if let (Some(at_most), AcceptedHow::New | AcceptedHow::Existing) = (wait, accepted.how)
        && let Some(task) = ended(&house, &accepted, at_most).await
    {
        return Ok(located(shape.answer(StatusCode::OK, &Whole::new(&task)), &accepted));
    }
    Ok(answer(shape, &accepted))
}

/// Reads a body into a submission, or finds everything that is wrong with it.
pub(crate) fn judge(
    headers: &HeaderMap,
    body: &bytes::Bytes,
    key: Option<Idempotency>,
    registry: &Registry,
    validate: impl FnOnce(Submission) -> Result<Valid<NewTask>, Vec<FieldError>>,
) -> Result<Judged, Problem> {
    judged(headers, Wish::read(body, registry, Place::Alone)?, key, validate)
}

fn judged(
    headers: &HeaderMap,
    wish: Wish,
    key: Option<Idempotency>,
    validate: impl FnOnce(Submission) -> Result<Valid<NewTask>, Vec<FieldError>>,
) -> Result<Judged, Problem> {
    let (mut submission, kind_as) = wish.submission(validate)?;
    submission.traceparent = trace::traceparent(headers).map(str::to_owned);
    submission.idempotency = key;
    Ok(Judged { submission, kind_as })
}

/// Makes the answer to an accept.
pub(crate) fn answer(shape: Shape, accepted: &Accepted) -> Response {
    let status = match accepted.how {
        AcceptedHow::New | AcceptedHow::Replayed => StatusCode::CREATED,
        AcceptedHow::Existing | AcceptedHow::ReplayedExisting => StatusCode::OK,
    };
    located(shape.answer(status, &Short::from(accepted)), accepted)
}

fn located(mut response: Response, accepted: &Accepted) -> Response {
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::try_from(format!("/v1/tasks/{}", accepted.id)) {
        headers.insert(header::LOCATION, location);
    }
    if accepted.how.is_replayed() {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// A request that cannot be read may still come with a key that was answered before: keys are
/// looked up before anything is judged.
async fn replay(
    house: &House,
    shape: Shape,
    key: Option<Idempotency>,
) -> Result<Option<Response>, Problem> {
    let Some(key) = key else { return Ok(None) };
    match house.store().replay(house.tenant(), key).await? {
        None => Ok(None),
        Some(accepted) => Ok(Some(answer(shape, &accepted?))),
    }
}

/// Waits for the end of the run; nothing if the time is up, or the door closes. It is accepted
/// whatever happens here, so trouble with reading it back is no error of the request.
async fn ended(house: &House, accepted: &Accepted, at_most: Duration) -> Option<Task> {
    let hub = house.engine().hub();
    let ended = hub.wait(house.store(), house.tenant(), accepted.id, at_most);
    let task = house.closing().run_until_cancelled(ended).await?.ok()??;
    task.state.is_end().then_some(task)
}

fn wait_of(query: Option<&str>) -> Result<Option<Duration>, Problem> {
    let mut query = Query::read(query, &["wait"], &[])?;
    let wait = query.wait();
    query.finish()?;
    Ok(wait)
}
