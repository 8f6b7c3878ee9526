//! From handlers to a router: every route needs a policy, every path gets the entrance, and what
//! is left over is a problem of ours and not a bare status of the framework.

use crate::auth::{self, Guard, NoPolicy, Policy};
use crate::codes;
use crate::entrance::Entrance;
use crate::meter::Meter;
use crate::problem::Problem;
use crate::routes::home;
use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter};
use http::{HeaderMap, Method, StatusCode, Uri};
use hyper::body::Body as _;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use tower::ServiceExt;

/// What metrics show for paths that do not exist.
const UNMATCHED: &str = "unmatched";
/// What metrics show for the program's own routes.
const BESIDE: &str = "beside";
const FRONT: &str = "/";

/// The routes of the door, while they are collected.
#[derive(Debug)]
pub(crate) struct Map<S> {
    paths: BTreeMap<&'static str, MethodRouter<S>>,
    routes: Vec<(Method, &'static str, Policy)>,
}

impl<S: Clone + Send + Sync + 'static> Map<S> {
    /// Begins with none.
    pub(crate) fn new() -> Self {
        Self { paths: BTreeMap::new(), routes: Vec::new() }
    }

    /// Adds a route, unless it has no policy.
    pub(crate) fn on<H, T>(
        mut self,
        method: Method,
        path: &'static str,
        handler: H,
    ) -> Result<Self, NoPolicy>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let policy = auth::policy(&method, path)?;
        let lost = || NoPolicy { method: method.clone(), path };
        let filter = MethodFilter::try_from(method.clone()).map_err(|_| lost())?;
        let there = self.paths.remove(path).unwrap_or_default();
        self.paths.insert(path, there.on(filter, handler));
        self.routes.push((method, path, policy));
        Ok(self)
    }

    /// Returns the routes so far.
    #[cfg(test)]
    pub(crate) fn routes(&self) -> &[(Method, &'static str, Policy)] {
        &self.routes
    }

    /// Makes the router behind `guard`. Paths that are not ours are tried `beside`, the front page too;
    /// those the program guards itself.
    pub(crate) fn router(
        self,
        meter: &Meter,
        guard: &Guard,
        state: S,
        beside: Option<Router>,
    ) -> Router {
        let behind = |path| {
            let of_path = self.routes.iter().filter(|(_, of, _)| *of == path);
            let policies = of_path.map(|(method, _, policy)| (method.clone(), *policy)).collect();
            Entrance { path, meter: meter.clone(), guard: guard.clone(), policies }
        };
        let mut ours = Router::new();
        let mut templates = Vec::new();
        for (path, methods) in self.paths {
            if path == FRONT && beside.is_some() {
                continue;
            }
            templates.push(path);
            ours = ours.route(path, methods.fallback(wrong_method).layer(behind(path)));
        }
        let ours: Router = ours.with_state(state);
        let others = match beside {
            None => axum::routing::any(no_route).layer(behind(UNMATCHED)),
            Some(theirs) => axum::routing::any(move |request| elsewhere(theirs.clone(), request))
                .layer(behind(BESIDE)),
        };
        let whole = ours.clone().fallback_service(others.with_state(()));
        let (trimming, templates) = (whole.clone(), Arc::from(templates));
        ours.fallback(move |request: Request| {
            without_slash(trimming.clone(), Arc::clone(&templates), request)
        })
    }
}

/// A path of ours with a slash too many means the one without it.
async fn without_slash(whole: Router, ours: Arc<[&'static str]>, mut request: Request) -> Response {
    if let Some(uri) = trimmed(request.uri())
        && ours.iter().any(|template| fits(template, uri.path()))
    {
        *request.uri_mut() = uri;
    }
    answered(whole.oneshot(request).await)
}

fn answered(response: Result<Response, Infallible>) -> Response {
    match response {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Asks the program's own routes. What they do not know either is answered by us.
async fn elsewhere(theirs: Router, request: Request) -> Response {
    let uri = request.uri().clone();
    let headers = if uri.path() == FRONT { request.headers().clone() } else { HeaderMap::new() };
    let response = answered(theirs.oneshot(request).await);
    let unknown = response.status() == StatusCode::NOT_FOUND
        && response.body().size_hint().exact() == Some(0);
    match uri.path() {
        FRONT if unknown => home::home(headers).await,
        _ if unknown => no_route(uri).await.into_response(),
        _ => response,
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == given || wanted.starts_with('{') => {}
            _ => return false,
        }
    }
}

fn trimmed(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_suffix('/').filter(|path| !path.is_empty())?;
    let path = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.try_into().ok()?);
    Uri::from_parts(parts).ok()
}

async fn no_route(uri: Uri) -> Problem {
    Problem::new(&codes::NO_ROUTE, format!("there is nothing at {:.200}", uri.path()))
}

async fn wrong_method(method: Method) -> Problem {
    Problem::new(&codes::WRONG_METHOD, format!("{method:.20} is not allowed here; see Allow"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slash_at_the_end_is_taken_off_and_the_query_kept() {
        let of = |text: &str| trimmed(&text.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(of("/v1/tasks/?limit=1").as_deref(), Some("/v1/tasks?limit=1"));
        assert_eq!(of("http://localhost/livez/").as_deref(), Some("http://localhost/livez"));
        assert_eq!(of("/"), None);
        assert_eq!(of("/v1/tasks"), None);
    }

    #[test]
    fn templates_fit_paths_of_as_many_parts() {
        assert!(fits("/v1/tasks/{id}", "/v1/tasks/7") && fits("/docs", "/docs"));
        for other in ["/v1/tasks", "/v1/tasks/7/x", "/v2/tasks/7", "/"] {
            assert!(!fits("/v1/tasks/{id}", other), "{other}");
        }
    }

    #[test]
    fn a_route_without_a_policy_stops_the_boot() {
        let map = Map::<()>::new().on(Method::DELETE, "/v1/tasks", no_route);
        assert_eq!(map.unwrap_err().path, "/v1/tasks");
    }
}
