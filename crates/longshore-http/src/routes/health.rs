//! Probes: is it alive, has it started, can it accept, and how is everything.
//!
//! They answer bare, without the envelope. What the store says of its troubles stays in the log.

mod links;

use crate::house::House;
use crate::problem::Problem;
use crate::request::query::Query;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use links::{Link, of_consumers, of_links};
use longshore_runtime::supervisor::Role;
use longshore_runtime::{Engine, Phase, StoreHealth};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Up,
    Degraded,
    Down,
}

#[derive(Debug, Serialize)]
struct Report {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

#[derive(Debug, Serialize)]
struct Details {
    store: Store,
    /// The handlers, and every component that is not as it should be.
    #[serde(flatten)]
    parts: BTreeMap<String, Part>,
    /// Brokers and consumers. One that is away takes nothing from the others.
    #[serde(flatten)]
    links: BTreeMap<String, Link>,
}

#[derive(Debug, Serialize)]
struct Part {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Slots that are taken by handlers which do not yield.
    #[serde(skip_serializing_if = "Option::is_none")]
    stuck: Option<usize>,
}

impl Details {
    fn of(engine: &Engine) -> Self {
        let unready = engine.supervisor().status().into_iter().filter(|one| !one.ready);
        let mut parts: BTreeMap<String, Part> = unready
            .filter(|one| one.role == Role::Component)
            .map(|one| {
                let reason = Some(one.state.as_str().to_owned());
                (one.name, Part { status: Status::Degraded, reason, stuck: None })
            })
            .collect();
        let (stuck, too_many) = engine.stuck();
        let status = match (stuck, too_many) {
            (0, _) => Status::Up,
            (_, false) => Status::Degraded,
            (_, true) => Status::Down,
        };
        let reason = (stuck > 0).then(|| "handlers do not yield".to_owned());
        let handlers = Part { status, reason, stuck: Some(stuck) };
        parts.entry("handlers".into()).or_insert(handlers);
        let links: BTreeMap<String, Link> = of_links(engine).chain(of_consumers(engine)).collect();
        // What a consumer says of itself is more than that it is not ready.
        parts.retain(|name, _| !links.contains_key(name));
        Self { store: engine.store_health().into(), parts, links }
    }

    fn status(&self) -> Status {
        let worst = self.parts.values().map(|part| part.status).max();
        let links = self.links.values().map(|link| link.status().min(Status::Degraded)).max();
        self.store.status.max(worst.max(links).unwrap_or(Status::Up))
    }
}

#[derive(Debug, Serialize)]
struct Store {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_bytes: Option<u64>,
}

impl From<StoreHealth> for Store {
    fn from(health: StoreHealth) -> Self {
        match health {
            StoreHealth::Up { latency, condition } => Self {
                status: if condition.full { Status::Degraded } else { Status::Up },
                latency: Some(in_millis(latency)),
                reason: condition.full.then_some("full"),
                used_bytes: Some(condition.used_bytes),
            },
            StoreHealth::Down { .. } => Self {
                status: Status::Down,
                latency: None,
                reason: Some("unavailable"),
                used_bytes: None,
            },
        }
    }
}

/// Whole milliseconds, rounded up: a store that answers takes some time.
fn in_millis(latency: Duration) -> String {
    format!("{}ms", latency.as_micros().div_ceil(1_000).max(1))
}

impl Report {
    fn plain(status: Status) -> Self {
        Self { status, reason: None, details: None }
    }

    fn down(reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::plain(Status::Down) }
    }

    fn respond(&self) -> Response {
        let body = serde_json::to_vec(self).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        if self.status == Status::Down {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Whether the process is alive. Depends on nothing else.
#[utoipa::path(
    get, path = "/livez", tag = "health", operation_id = "livez",
    responses((status = 200, description = "It is", body = crate::openapi::schemas::Probe))
)]
pub(crate) async fn livez() -> Response {
    Report::plain(Status::Up).respond()
}

/// Whether the server has started.
#[utoipa::path(
    get, path = "/startupz", tag = "health", operation_id = "startupz",
    responses(
        (status = 200, description = "It has", body = crate::openapi::schemas::Probe),
        (status = 503, description = "Not yet", body = crate::openapi::schemas::Probe),
    )
)]
pub(crate) async fn startupz(State(house): State<House>) -> Response {
    match house.engine().phase() {
        Phase::Starting => Report::down("starting").respond(),
        _ => Report::plain(Status::Up).respond(),
    }
}

/// Whether tasks can be accepted and run: the store is writable, nobody said stop, and not all
/// handlers' threads are taken by handlers that do not yield.
///
/// With `scope=consumers` instead: whether every consumer of messages receives, so that its broker has confirmed the
/// subscription, or is paused.
#[utoipa::path(
    get, path = "/readyz", tag = "health", operation_id = "readyz",
    params(
        ("verbose" = Option<String>, Query, description = "Adds the details of `/health`"),
        ("scope" = Option<String>, Query, description = "`consumers`: whether they receive", example = "consumers"),
    ),
    responses(
        (status = 200, description = "They can", body = crate::openapi::schemas::Probe),
        (status = 400, description = "A query parameter is wrong",
            body = crate::openapi::schemas::Problem, content_type = "application/problem+json"),
        (status = 503, description = "They cannot; `reason` says why",
            body = crate::openapi::schemas::Probe),
    )
)]
pub(crate) async fn readyz(
    State(house): State<House>,
    request: Request,
) -> Result<Response, Problem> {
    let mut query = Query::read(request.uri().query(), &["verbose", "scope"], &[])?;
    let verbose = query.has("verbose");
    let consumers = query.one("scope", |scope| match scope {
        "consumers" => Ok(()),
        _ => Err("must be consumers".into()),
    });
    query.finish()?;
    let details = Details::of(house.engine());
    let deaf = consumers.and_then(|()| links::deaf(house.engine()));
    // What consumers receive does not go by way of the store.
    let store = details.store.reason.filter(|_| consumers.is_none());
    let mut report = match (house.engine().phase(), store) {
        (Phase::Starting, _) => Report::down("starting"),
        (Phase::Draining | Phase::Stopped, _) => Report::down("draining"),
        (Phase::Ready, Some("full")) => Report::down("the store is full"),
        (Phase::Ready, Some(_)) => Report::down("the store is unavailable"),
        (Phase::Ready, None) if house.engine().stuck().1 => Report::down("handlers are stuck"),
        (Phase::Ready, None) => deaf.map_or(Report::plain(Status::Up), Report::down),
    };
    report.details = verbose.then_some(details);
    Ok(report.respond())
}

/// How the server and its parts are.
#[utoipa::path(
    get, path = "/health", tag = "health", operation_id = "health",
    responses(
        (status = 200, description = "UP or DEGRADED", body = crate::openapi::schemas::Health),
        (status = 503, description = "DOWN", body = crate::openapi::schemas::Health),
    )
)]
pub(crate) async fn health(State(house): State<House>) -> Response {
    let details = Details::of(house.engine());
    let (own, reason) = match house.engine().phase() {
        Phase::Ready => (Status::Up, None),
        Phase::Starting => (Status::Down, Some("starting")),
        Phase::Draining => (Status::Degraded, Some("draining")),
        Phase::Stopped => (Status::Down, Some("stopped")),
    };
    let reason = reason.map(str::to_owned);
    let status = own.max(details.status());
    Report { status, reason, details: Some(details) }.respond()
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::store::Condition;

    #[test]
    fn a_full_store_is_degraded_and_a_silent_one_down_without_its_words() {
        let condition = Condition { used_bytes: 5, full: true, ..Condition::default() };
        let latency = Duration::from_micros(1_200);
        let full = Store::from(StoreHealth::Up { latency, condition });
        assert_eq!((full.status, full.latency.as_deref()), (Status::Degraded, Some("2ms")));
        let down = Store::from(StoreHealth::Down { why: "/var/lib/longshore: EIO".into() });
        let shown = serde_json::to_string(&down).unwrap();
        assert_eq!(shown, r#"{"status":"DOWN","reason":"unavailable"}"#);
    }

    #[test]
    fn the_worst_part_names_the_whole() {
        assert_eq!(Status::Up.max(Status::Degraded), Status::Degraded);
        assert_eq!(Status::Down.max(Status::Degraded), Status::Down);
    }
}
