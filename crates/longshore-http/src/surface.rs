//! All routes over one engine, as a router.

use crate::auth::{Guard, NoPolicy};
use crate::house::{ConfigView, DEFAULT_MAX_BODY, House};
use crate::meter::Meter;
use crate::routes::plan::plan;
use axum::Router;
use longshore_runtime::Engine;
use tokio_util::sync::CancellationToken;

/// Returns the whole surface over `engine`, for programs that serve it beside routes of their
/// own. [`Door`](crate::Door) serves it by itself, with the limits that a port needs.
///
/// It asks for no keys, and so answers to loopback hosts alone; a [`Door`](crate::Door) can ask for them.
/// Make one per engine: each registers the metrics of the door.
///
/// # Panics
/// If a route has no policy: then the program must not start.
pub fn router(engine: &Engine) -> Router {
    match build(
        House::new(
            engine.clone(),
            DEFAULT_MAX_BODY,
            ConfigView::default(),
            CancellationToken::new(),
        ),
        &Guard::default(),
        None,
    ) {
        Ok(router) => router,
        Err(missing) => panic!("{missing}"),
    }
}

/// Makes the router over a house, behind `guard`. Paths that are not ours are tried `beside`.
pub(crate) fn build(
    house: House,
    guard: &Guard,
    beside: Option<Router>,
) -> Result<Router, NoPolicy> {
    let map = plan()?;
    let meter = Meter::default();
    meter.register(house.engine().telemetry());
    Ok(map.router(&meter, guard, house, beside))
}
