//! What every request passes, in one layer: host and key, names, panics, metrics, error bodies and
//! the shrinking of large answers.
//!
//! One layer rather than six, because each would look at the same headers again and box the
//! same future again.

use crate::auth::{Guard, Policy};
use crate::codes;
use crate::coding::{Coding, WORTHWHILE};
use crate::meter::{self, Meter};
use crate::problem::Problem;
use crate::trace::Trace;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tower::{Layer, Service};

/// Answers above this many bytes are shrunk on a thread that may block.
const HEAVY: usize = 32 * 1_024;

/// Wraps the routes of one path template.
#[derive(Debug, Clone)]
pub(crate) struct Entrance {
    /// The template that metrics show.
    pub(crate) path: &'static str,
    /// Where requests are counted.
    pub(crate) meter: Meter,
    /// Who is let in.
    pub(crate) guard: Guard,
    /// The methods that there are, and what each takes.
    pub(crate) policies: Arc<[(Method, Policy)]>,
}

impl Entrance {
    /// Returns what a method takes; nothing if there is no such route.
    fn policy(&self, method: &Method) -> Option<Policy> {
        // Whoever may read a thing may ask how it would be answered.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.policies.iter().find(|(known, _)| known == method).map(|(_, policy)| *policy)
    }
}

impl<S> Layer<S> for Entrance {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, entrance: self.clone() }
    }
}

/// A service behind the entrance.
#[derive(Debug, Clone)]
pub(crate) struct Guarded<S> {
    inner: S,
    entrance: Entrance,
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Send + 'static,
    S::Future: Send + Unpin,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let began = Instant::now();
        let method = meter::label(request.method());
        let trace = Trace::of(request.headers());
        let coding = Coding::wanted(request.headers());
        let path = request.uri().path_and_query().cloned();
        let policy = self.entrance.policy(request.method());
        let admitted = self.entrance.guard.admit(policy, &mut request);
        let mut answer = admitted.map(|()| {
            // A panic may leave nothing half-done behind: routes own what they touch.
            AssertUnwindSafe(self.inner.call(request)).catch_unwind()
        });
        let (template, meter) = (self.entrance.path, self.entrance.meter.clone());
        Box::pin(async move {
            // Awaited where it is: moved, it would take its room twice.
            let mut response = match &mut answer {
                Err(problem) => problem.clone().into_response(),
                Ok(answer) => match answer.await {
                    Ok(Ok(response)) => response,
                    Ok(Err(never)) => match never {},
                    Err(_) => {
                        tracing::error!(trace_id = trace.id(), path = template, "a route panicked");
                        Problem::new(&codes::INTERNAL, "something broke inside the server")
                            .into_response()
                    }
                },
            };
            let status = response.status();
            // Only of our own: what stands beside us knows best when it is back. So does who counts tries.
            if response.extensions().get().is_some_and(Problem::is_about_load)
                && let Some(seconds) = response.headers_mut().get_mut(header::RETRY_AFTER)
                && let Some(patience) = meter.retry_after()
            {
                *seconds = HeaderValue::from(patience.as_secs());
            }
            if status.is_client_error() || status.is_server_error() {
                write_problem(&mut response, path.as_ref(), &trace);
            }
            if let Some(coding) = coding {
                response = shrink(response, coding).await;
            }
            meter.note(method, template, status, began.elapsed());
            trace.stamp(response.headers_mut());
            Ok(response)
        })
    }
}

/// Gives an error its body, now that path and trace id are at hand.
fn write_problem(response: &mut Response, path: Option<&PathAndQuery>, trace: &Trace) {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return };
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(trace_id = trace.id(), code = problem.code().number, "answered with 500");
    }
    let path = path.map_or("", PathAndQuery::path);
    // A router of the program's own has counted the body that is not there yet.
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = problem.body(path, trace.id()).into();
}

/// Shrinks a large answer that is text; others go out as they are.
async fn shrink(response: Response, coding: Coding) -> Response {
    let size = usize::try_from(response.body().size_hint().exact().unwrap_or(0)).unwrap_or(0);
    if size < WORTHWHILE || !is_text(&response) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // A body of known size is in memory already.
    let Ok(whole) = body.collect().await else {
        return Problem::new(&codes::INTERNAL, "the answer broke off").into_response();
    };
    let whole = whole.to_bytes();
    let small = if size > HEAVY {
        let copy = whole.clone();
        tokio::task::spawn_blocking(move || coding.shrink(&copy)).await.ok().flatten()
    } else {
        coding.shrink(&whole)
    };
    parts.headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    let Some(small) = small else { return Response::from_parts(parts, whole.into()) };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
    Response::from_parts(parts, small.into())
}

fn is_text(response: &Response) -> bool {
    let headers = response.headers();
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    !headers.contains_key(header::CONTENT_ENCODING)
        && (kind.starts_with("text/")
            || ["json", "javascript", "yaml", "openmetrics", "svg"]
                .iter()
                .any(|w| kind.contains(w)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::get;
    use tower::ServiceExt;

    async fn broken() -> Response {
        panic!("SELECT secret FROM /var/lib");
    }

    #[tokio::test]
    async fn a_panic_in_a_route_is_a_problem_without_its_words() {
        let entrance = Entrance {
            path: "/broken",
            meter: Meter::default(),
            guard: Guard::default(),
            policies: Arc::new([]),
        };
        let router = Router::new().route("/broken", get(broken).layer(entrance));
        let request = Request::get("/broken?secret=1").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 500);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let shown: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&shown["code"], &shown["instance"]), (&50001.into(), &"/broken".into()));
        assert!(!shown.to_string().to_lowercase().contains("secret"), "{shown}");
    }
}
