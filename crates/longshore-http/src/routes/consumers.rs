//! Consumers of messages: how they are, how their policy is kept, and holding them back.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::call::Call;
use crate::request::path::Part;
use crate::request::query::Query;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::{Method, StatusCode};
use longshore_core::broker::GroupStats;
use longshore_core::store::{Act, ActKind};
use longshore_core::{Span, Timestamp};
use longshore_runtime::messages::{ConsumerView, Explained, Line, Refusal};
use longshore_runtime::nearest::nearest;
use serde::Serialize;

/// Lists the consumers of this server.
#[utoipa::path(
    get, path = "/v1/consumers", tag = "messages", operation_id = "listConsumers",
    responses(
        (status = 200, description = "All consumers, by name",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::messages::ConsumerList>)),
        crate::openapi::schemas::Unreadable,
    )
)]
pub(crate) async fn list(
    State(house): State<House>,
    request: Request,
) -> Result<Response, Problem> {
    Query::none(request.uri().query())?;
    let all = house.engine().consumers().list();
    let items = all.into_iter().map(|view| Shown::of(view, None)).collect();
    Ok(Shape::asked(request.headers()).answer(StatusCode::OK, &All { items, next_cursor: None }))
}

/// Reads a consumer, and how its group stands in the broker.
#[utoipa::path(
    get, path = "/v1/consumers/{name}", tag = "messages", operation_id = "getConsumer",
    params(crate::openapi::messages::ConsumerParam),
    responses(
        (status = 200, description = "The consumer",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::messages::Consumer>)),
        crate::openapi::schemas::NoSuchName,
    )
)]
pub(crate) async fn read(
    State(house): State<House>,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    Query::none(request.uri().query())?;
    let name = named(&house, part)?;
    let consumers = house.engine().consumers();
    let stats = consumers.stats(&name).await;
    let view = consumers.get(&name).ok_or_else(|| no_consumer(&house, &name))?;
    Ok(Shape::asked(request.headers()).answer(StatusCode::OK, &Shown::of(view, stats)))
}

/// Says how a consumer's policy is kept on its broker: what the broker does itself, what is supplied, and how far
/// it goes; or why it cannot be kept, and what to do.
#[utoipa::path(
    get, path = "/v1/consumers/{name}/explain", tag = "messages", operation_id = "explainConsumer",
    params(crate::openapi::messages::ConsumerParam),
    responses(
        (status = 200, description = "The plan",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::messages::Explanation>)),
        crate::openapi::schemas::NoSuchName,
    )
)]
pub(crate) async fn explain(
    State(house): State<House>,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    Query::none(request.uri().query())?;
    let name = named(&house, part)?;
    let consumers = house.engine().consumers();
    let found = consumers.get(&name).zip(consumers.explain(&name));
    let (view, explained) = found.ok_or_else(|| no_consumer(&house, &name))?;
    let shown = Explanation::of(view, explained);
    Ok(Shape::asked(request.headers()).answer(StatusCode::OK, &shown))
}

/// Receives nothing more for a consumer.
///
/// What it has received already is ended; others of its group get the rest. It lasts until this server ends, or
/// `resume`.
#[utoipa::path(
    post, path = "/v1/consumers/{name}/pause", tag = "messages", operation_id = "pauseConsumer",
    params(crate::openapi::messages::ConsumerParam),
    responses(
        (status = 200, description = "The consumer as it stands now",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::messages::Consumer>)),
        crate::openapi::schemas::NoSuchName,
    )
)]
pub(crate) async fn pause(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    hold(&house, &caller, part, request, true).await
}

/// Ends the pause of a consumer.
#[utoipa::path(
    post, path = "/v1/consumers/{name}/resume", tag = "messages", operation_id = "resumeConsumer",
    params(crate::openapi::messages::ConsumerParam),
    responses(
        (status = 200, description = "The consumer as it stands now",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::messages::Consumer>)),
        crate::openapi::schemas::NoSuchName,
    )
)]
pub(crate) async fn resume(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    hold(&house, &caller, part, request, false).await
}

/// Refuses what is documented for consumers that the API makes, changes and removes.
pub(crate) async fn later(method: Method) -> Problem {
    let message = format!("{method:.10} of consumers is not available in this version");
    Problem::new(&codes::NOT_AVAILABLE, message)
}

async fn hold(
    house: &House,
    caller: &Caller,
    part: Part,
    request: Request,
    pause: bool,
) -> Result<Response, Problem> {
    let headers = Call::plain(request, house).await?;
    let name = named(house, part)?;
    let held = house.engine().consumers().pause(&name, pause);
    let held = held.ok_or_else(|| no_consumer(house, &name))?;
    if held.paused != pause {
        let word = if pause { "pause" } else { "resume" };
        let (act, target) = (word.to_owned(), Some(format!("consumer {name}")));
        let what = ActKind::Note { act, target, before: None, after: None };
        let act = Act { by: caller.by().to_owned(), tenant: caller.tenant(), what };
        house.engine().store().act(vec![act]).await?;
    }
    let mut shown = Shown::of(held, None);
    shown.paused = pause;
    Ok(Shape::asked(&headers).answer(StatusCode::OK, &shown))
}

fn named(house: &House, part: Part) -> Result<String, Problem> {
    part.map(|Path(name)| name).map_err(|_| no_consumer(house, ""))
}

fn no_consumer(house: &House, name: &str) -> Problem {
    let near = nearest(name, house.engine().consumers().names());
    let message = match near.is_empty() {
        true => format!("there is no consumer {name:.128}"),
        false => format!("there is no consumer {name:.128}; did you mean {}?", near.join(" or ")),
    };
    Problem::new(&codes::NO_CONSUMER, message)
}

#[derive(Serialize)]
struct All {
    items: Vec<Shown>,
    next_cursor: Option<&'static str>,
}

/// A consumer as it is shown.
#[derive(Serialize)]
struct Shown {
    name: String,
    broker: String,
    topics: Vec<String>,
    group: Option<String>,
    mode: &'static str,
    concurrency: Concurrency,
    prefetch: usize,
    decode: &'static str,
    max_attempts: u32,
    timeout: Span,
    dead_letter: Option<String>,
    state: &'static str,
    reason: Option<String>,
    since: Timestamp,
    running: usize,
    paused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<Waiting>,
}

#[derive(Serialize)]
struct Concurrency {
    parallel: u32,
}

/// How the group stands in the broker.
#[derive(Serialize)]
struct Waiting {
    ready: u64,
    in_flight: Option<u64>,
    consumers: Option<u64>,
    oldest_age: Option<Span>,
}

impl Shown {
    fn of(view: ConsumerView, stats: Option<GroupStats>) -> Self {
        let (state, reason) = (view.standing.word(), view.standing.why());
        Self {
            name: view.name,
            broker: view.broker,
            topics: view.topics,
            group: view.group,
            mode: view.mode,
            concurrency: Concurrency { parallel: view.parallel },
            prefetch: view.prefetch,
            decode: view.decode,
            max_attempts: view.max_attempts,
            timeout: Span(view.timeout),
            dead_letter: view.dead_letter,
            state,
            reason,
            since: view.since,
            running: view.running,
            paused: view.paused,
            waiting: stats.map(|stats| Waiting {
                ready: stats.ready,
                in_flight: stats.in_flight,
                consumers: stats.consumers,
                oldest_age: stats.oldest.map(Span),
            }),
        }
    }
}

#[derive(Serialize)]
struct Explanation {
    name: String,
    broker: String,
    /// `planned`, `refused`, or `unknown` while the broker is away.
    verdict: &'static str,
    server: Option<String>,
    lines: Vec<Line>,
    refusals: Vec<Refusal>,
    reason: Option<String>,
}

impl Explanation {
    fn of(view: ConsumerView, explained: Explained) -> Self {
        let reason = view.standing.why();
        let (name, broker) = (view.name, view.broker);
        let empty = Self {
            name,
            broker,
            verdict: "unknown",
            server: None,
            lines: Vec::new(),
            refusals: Vec::new(),
            reason,
        };
        match explained {
            Explained::Unknown { .. } => empty,
            Explained::Planned(plan) => {
                Self { verdict: "planned", server: Some(plan.server), lines: plan.lines, ..empty }
            }
            Explained::Refused(refusals) => Self { verdict: "refused", refusals, ..empty },
        }
    }
}
