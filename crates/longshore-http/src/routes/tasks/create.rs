//! `POST /v1/tasks`: from a request to the promise.

use crate::auth::{Caller, Role};
use crate::codes;
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
use longshore_core::store::StoreError;
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
        (status = 200, description = "A task has this `unique` key already; or with `wait`: the run has ended",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::TaskOrAccepted>),
            headers(("Location" = String, description = "The task's path"),
                ("Idempotency-Replayed" = Option<String>, description = "`true` if this is the first answer again"))),
        crate::openapi::schemas::Refusals,
    )
)]
pub(crate) fn create(
    State(house): State<House>,
    caller: Caller,
    request: Request,
) -> impl Future<Output = Result<Response, Problem>> {
    // The future holds what it captures only once, and the seldom ways are boxed: it is made, and moved, for each
    // request, and the allocator is quick up to a kilobyte.
    let (parts, body) = request.into_parts();
    async move {
        let shape = Shape::asked(&parts.headers);
        let wait = wait_of(parts.uri.query())?;
        if wait.is_some() {
            // What is answered then is the whole task, and it may be an older one.
            caller.must(Role::Read)?;
        }
        let body = body::read(&parts.headers, body, house.max_body()).await?;
        let task = match way(&house, &caller, &parts.headers, &body)? {
            Way::Task(task) => task,
            Way::Schedule(_) if wait.is_some() => {
                let why = "does not go with cron: a schedule has no end";
                return Err(Problem::fields(vec![FieldError::new("wait", why)]));
            }
            Way::Schedule(asked) => {
                let (wish, key) = *asked;
                return Box::pin(made(&house, &caller, &parts.headers, wish, key)).await;
            }
            Way::Refused(asked) => {
                let (problem, key) = *asked;
                return Box::pin(replay(&house, &caller, shape, key)).await?.ok_or(problem);
            }
        };
        drop((parts, body)); // the connection's buffer is free again once the task is stored
        let mut accepted = house.engine().intake().submit_all(task).await?;
        let accepted = accepted.pop().ok_or(StoreError::Closed)??;
        must_show(&caller, &accepted)?;
        // The crash window: it is stored, and nobody knows yet.
        failpoint::pass("http.before_answer").map_err(|_| Problem::unknown_outcome())?;
        if let (Some(at_most), AcceptedHow::New | AcceptedHow::Existing) = (wait, accepted.how)
            && let Some(task) = Box::pin(ended(&house, &caller, &accepted, at_most)).await
        {
            return Ok(located(shape.answer(StatusCode::OK, &Whole::new(&task)), &accepted));
        }
        Ok(answer(shape, &accepted))
    }
}

/// What becomes of a request.
enum Way {
    /// It is accepted: the one task of a list.
    Task(Vec<Valid<NewTask>>),
    /// It makes a schedule.
    Schedule(Box<(Wish, Option<Idempotency>)>),
    /// It is refused, unless it was accepted before.
    Refused(Box<(Problem, Option<Idempotency>)>),
}

/// Reads a body, and judges what it asks for.
fn way(
    house: &House,
    caller: &Caller,
    headers: &HeaderMap,
    body: &bytes::Bytes,
) -> Result<Way, Problem> {
    let key = idempotency::read(headers, ROUTE, body)?;
    let intake = house.engine().intake();
    let wish = Wish::read(body, &intake.registry(), Place::Alone);
    if wish.as_ref().is_ok_and(Wish::is_schedule) {
        return Ok(Way::Schedule(Box::new((wish?, key))));
    }
    let judged =
        wish.and_then(|wish| judged(headers, wish, key.clone(), |wish| intake.validate(wish)));
    let Judged { mut submission, kind_as } = match judged {
        Ok(judged) => judged,
        Err(problem) => return Ok(Way::Refused(Box::new((problem, key)))),
    };
    admit(caller, &mut submission, &intake.registry())?;
    if !intake.is_open() {
        return Err(SubmitError::Stopping.into());
    }
    Ok(match intake.validate(submission) {
        Ok(task) => Way::Task(vec![task]),
        Err(faults) => Way::Refused(Box::new((Problem::fields(kind_as.rename(faults)), key))),
    })
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

/// Makes a submission the caller's own, unless it is for a queue that the caller does not cover.
pub(crate) fn admit(
    caller: &Caller,
    submission: &mut Submission,
    registry: &Registry,
) -> Result<(), Problem> {
    submission.tenant = caller.tenant();
    if caller.covers_all() {
        return Ok(());
    }
    let usual = || registry.kind(&submission.kind).map(|kind| kind.queue.to_string());
    // Without a kind that there is, nothing is accepted: that is told in its own words.
    let Some(queue) = submission.queue.clone().or_else(usual) else { return Ok(()) };
    caller.must_cover(&queue)?;
    // It must be this one, though the kind may get another one in this moment.
    submission.queue = Some(queue);
    Ok(())
}

/// Hides a task of a queue that the caller does not cover. A key that was given before, or an equal
/// `unique`, can lead to one.
pub(crate) fn must_show(caller: &Caller, accepted: &Accepted) -> Result<(), Problem> {
    if caller.covers(&accepted.queue) {
        return Ok(());
    }
    let message = "the task that answers this is in a queue that the key does not cover";
    Err(Problem::new(&codes::QUEUE_NOT_COVERED, message))
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
    caller: &Caller,
    shape: Shape,
    key: Option<Idempotency>,
) -> Result<Option<Response>, Problem> {
    let Some(key) = key else { return Ok(None) };
    let Some(known) = house.store().replay(caller.tenant(), key).await? else { return Ok(None) };
    let accepted = known?;
    must_show(caller, &accepted)?;
    Ok(Some(answer(shape, &accepted)))
}

/// Waits for the end of the run; nothing if the time is up, or the door closes. It is accepted
/// whatever happens here, so trouble with reading it back is no error of the request.
async fn ended(
    house: &House,
    caller: &Caller,
    accepted: &Accepted,
    at_most: Duration,
) -> Option<Task> {
    let hub = house.engine().hub();
    let ended = hub.wait(house.store(), caller.tenant(), accepted.id, at_most);
    let task = house.closing().run_until_cancelled(ended).await?.ok()??;
    task.state.is_end().then_some(task)
}

fn wait_of(query: Option<&str>) -> Result<Option<Duration>, Problem> {
    let mut query = Query::read(query, &["wait"], &[])?;
    let wait = query.wait();
    query.finish()?;
    Ok(wait)
}
