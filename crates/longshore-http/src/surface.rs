//! All routes over one engine, as a router.

use crate::auth::NoPolicy;
use crate::house::{ConfigView, DEFAULT_MAX_BODY, House};
use crate::meter::Meter;
use crate::routes::plan::plan;
use axum::Router;
use longshore_runtime::Engine;
use tokio_util::sync::CancellationToken;

/// Returns the whole surface over `engine`, for programs that serve it beside routes of their
/// own. [`Door`](crate::Door) serves it by itself, with the limits that a port needs.
///
/// It answers to loopback hosts alone, since there are no keys yet. Make one per engine: each registers the metrics of the door.
///
/// # Panics
/// If a route has no policy: then the program must not start.
pub fn router(engine: &Engine) -> Router {
    match build(
        engine.clone(),
        DEFAULT_MAX_BODY,
        ConfigView::default(),
        CancellationToken::new(),
        None,
    ) {
        Ok(router) => router,
        Err(missing) => panic!("{missing}"),
    }
}

/// Makes the router; those who wait are answered once `closing` is cancelled. Paths that are not
/// ours are tried `beside`.
pub(crate) fn build(
    engine: Engine,
    max_body: usize,
    config: ConfigView,
    closing: CancellationToken,
    beside: Option<Router>,
) -> Result<Router, NoPolicy> {
    let map = plan()?;
    let meter = Meter::default();
    meter.register(engine.telemetry());
    Ok(map.router(&meter, House::new(engine, max_body, config, closing), beside))
}
