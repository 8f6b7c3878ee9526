//! `POST /v1/leases`: ready tasks, under leases.

use crate::auth::{Caller, Peer};
use crate::deliveries::Deliveries;
use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::body;
use crate::request::call::fields;
use crate::request::query::Query;
use crate::request::value;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use longshore_core::store::Leased;
use longshore_core::{KindName, QueueName, Timestamp};
use longshore_runtime::FieldError;
use longshore_runtime::link::{Asked, LeaseName, MIN_LEASE};
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

const FIELDS: [&str; 6] = ["queues", "kinds", "max", "wait", "worker", "lease"];
/// Most tasks, kinds and queues of one request.
const MOST: usize = 1_000;
const MOST_NAMES: usize = 100;
/// The longest that a request waits.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The longest lease.
const LONGEST_LEASE: Duration = Duration::from_secs(86_400);
/// Characters of a worker's name.
const NAME: usize = 128;

/// Takes ready tasks, each under a lease.
///
/// The answer comes with the first tasks, or empty when the time is up. Without `lease` a task is held for
/// its timeout and 10 s; who extends may ask for less, at least 5 s. A kind that nobody has named yet is known
/// from now on, and its tasks are taken in. Tasks of an answer that does not arrive are given back.
#[utoipa::path(
    post, path = "/v1/leases", tag = "workers", operation_id = "leaseTasks",
    request_body(content = inline(crate::openapi::leases::Ask)),
    responses(
        (status = 200, description = "The tasks; none if the time was up",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::leases::Tasks>)),
        crate::openapi::schemas::Refusals,
    )
)]
pub(crate) async fn take(
    State(house): State<House>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    Query::none(parts.uri.query())?;
    let body = body::read(&parts.headers, body, house.max_body()).await?;
    let read = Reading::of(fields(&body, &FIELDS)?)?;
    for queue in &read.queues {
        caller.must_cover(queue.as_str())?;
    }
    let host = parts.extensions.get::<Peer>().map(|peer| peer.0.to_string());
    let asked = Asked {
        worker: read.worker,
        version: agent(&parts.headers),
        host: host.unwrap_or_default(),
        tenant: Some(caller.tenant()),
        queues: read.queues,
        kinds: read.kinds,
        max: read.max,
        wait: read.wait,
        lease: read.lease,
    };
    // Whoever waits while the door closes is answered with nothing: what is ready waits for another worker.
    let leased = house.engine().outside().lease(asked);
    let leased = match house.closing().run_until_cancelled(leased).await {
        Some(leased) => leased?,
        None => Vec::new(),
    };
    let leases: Vec<_> = leased.iter().map(|leased| leased.lease).collect();
    let tasks = Tasks { tasks: leased.iter().map(Handed::of).collect() };
    let response = Shape::asked(&parts.headers).answer(StatusCode::OK, &tasks);
    if leases.is_empty() {
        return Ok(response);
    }
    let deliveries = parts.extensions.get::<Deliveries>().cloned().unwrap_or_default();
    Ok(deliveries.owe(response, leases, house.engine().clone()))
}

fn agent(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    agent.unwrap_or_default().chars().take(NAME).collect()
}

/// What was asked for.
struct Reading {
    queues: Vec<QueueName>,
    kinds: Arc<[KindName]>,
    max: usize,
    wait: Duration,
    worker: Arc<str>,
    lease: Option<Duration>,
}

impl Reading {
    fn of(fields: Vec<(String, &RawValue)>) -> Result<Self, Problem> {
        let mut faults = Vec::new();
        let (mut queues, mut kinds) = (Vec::new(), None);
        let (mut max, mut wait, mut lease, mut worker) = (1, Duration::ZERO, None, None);
        for (name, raw) in fields {
            if value::is_null(raw) {
                continue;
            }
            let wrong = match name.as_str() {
                "queues" => names(raw, QueueName::new).map(|read| queues = read),
                "kinds" => names(raw, KindName::new).map(|read| kinds = Some(read)),
                "max" => value::whole(raw).and_then(|number| {
                    let number = usize::try_from(number).ok();
                    let number = number.filter(|number| (1..=MOST).contains(number));
                    max = number.ok_or_else(|| format!("must be between 1 and {MOST}"))?;
                    Ok(())
                }),
                "wait" => span(raw, Duration::ZERO, LONGEST_WAIT).map(|read| wait = read),
                "lease" => span(raw, MIN_LEASE, LONGEST_LEASE).map(|read| lease = Some(read)),
                _ => value::text(raw).and_then(|text| {
                    let fits = (1..=NAME).contains(&text.chars().count())
                        && !text.chars().any(char::is_control);
                    let wrong = || format!("must have 1 to {NAME} characters, none of control");
                    worker = Some(fits.then(|| Arc::from(text)).ok_or_else(wrong)?);
                    Ok(())
                }),
            };
            if let Err(wrong) = wrong {
                faults.push(FieldError::new(name, wrong));
            }
        }
        let has = |name: &str, faults: &[FieldError]| {
            faults.iter().any(|fault| fault.field.starts_with(name))
        };
        if kinds.as_ref().is_none_or(Vec::is_empty) && !has("kinds", &faults) {
            faults.push(FieldError::new("kinds", "is required: the kinds that this worker runs"));
        }
        if worker.is_none() && !has("worker", &faults) {
            faults.push(FieldError::new("worker", "is required: a name for this worker"));
        }
        let (Some(kinds), Some(worker), []) = (kinds, worker, faults.as_slice()) else {
            return Err(Problem::fields(faults));
        };
        if queues.is_empty() {
            queues.push(QueueName::default());
        }
        Ok(Self { queues, kinds: kinds.into(), max, wait, worker, lease })
    }
}

/// Reads a list of names, each once.
fn names<T: PartialEq, E: std::fmt::Display>(
    raw: &RawValue,
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, String> {
    let items = value::items(raw)?;
    if items.len() > MOST_NAMES {
        return Err(format!("may have at most {MOST_NAMES} names"));
    }
    let mut names = Vec::new();
    for item in items {
        let name = read(&value::text(item)?).map_err(|why| format!("holds no name: it {why}"))?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Reads a duration within bounds.
pub(super) fn span(raw: &RawValue, least: Duration, most: Duration) -> Result<Duration, String> {
    let read = value::span(raw)?.0;
    if (least..=most).contains(&read) {
        return Ok(read);
    }
    let (least, most) = (longshore_core::Span(least), longshore_core::Span(most));
    Err(format!("must be between {least} and {most}"))
}

#[derive(Serialize)]
struct Tasks<'a> {
    tasks: Vec<Handed<'a>>,
}

/// A task as a worker is given it.
#[derive(Serialize)]
struct Handed<'a> {
    id: longshore_core::TaskId,
    kind: &'a KindName,
    queue: &'a QueueName,
    payload: &'a RawValue,
    attempt: u32,
    max_attempts: u32,
    lease: String,
    token: longshore_core::Token,
    headers: Headers<'a>,
    traceparent: Option<&'a str>,
    deadline: Timestamp,
    expires_at: Option<Timestamp>,
}

impl<'a> Handed<'a> {
    fn of(leased: &'a Leased) -> Self {
        let allowed = leased.total_left.map_or(leased.timeout.0, |left| left.min(leased.timeout.0));
        Self {
            id: leased.lease.id,
            kind: &leased.kind,
            queue: &leased.queue,
            // It was read as JSON when it was accepted.
            payload: serde_json::from_str(leased.payload.as_str()).unwrap_or(RawValue::NULL),
            attempt: leased.attempt,
            max_attempts: leased.max_attempts,
            lease: LeaseName(leased.lease).to_string(),
            token: leased.lease.token,
            headers: Headers(&leased.headers),
            traceparent: leased.traceparent.as_deref(),
            deadline: leased.started_at.after(allowed),
            expires_at: leased.expires_at,
        }
    }
}

/// Headers as an object, in the order they were sent.
struct Headers<'a>(&'a [(String, String)]);

impl Serialize for Headers<'_> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
