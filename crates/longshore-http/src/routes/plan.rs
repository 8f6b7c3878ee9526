//! Every route there is.

use super::map::Map;
use super::{docs, health, home, metrics, openapi, tasks};
use crate::auth::NoPolicy;
use crate::house::House;
use http::Method;

/// Collects the routes, unless one of them has no policy.
pub(crate) fn plan() -> Result<Map<House>, NoPolicy> {
    let (get, post) = (Method::GET, Method::POST);
    Map::new()
        .on(post.clone(), "/v1/tasks", tasks::create)?
        .on(get.clone(), "/v1/tasks", tasks::list)?
        .on(get.clone(), "/v1/tasks/{id}", tasks::read)?
        // The same without the prefix, for people who type.
        .on(post, "/tasks", tasks::create)?
        .on(get.clone(), "/tasks", tasks::list)?
        .on(get.clone(), "/tasks/{id}", tasks::read)?
        .on(get.clone(), "/livez", health::livez)?
        .on(get.clone(), "/readyz", health::readyz)?
        .on(get.clone(), "/startupz", health::startupz)?
        .on(get.clone(), "/health", health::health)?
        .on(get.clone(), "/metrics", metrics::metrics)?
        .on(get.clone(), "/openapi.json", openapi::json)?
        .on(get.clone(), "/openapi.yaml", openapi::yaml)?
        .on(get.clone(), "/docs", docs::index)?
        .on(get.clone(), "/docs/style.css", docs::style)?
        .on(get.clone(), "/docs/{page}", docs::page)?
        .on(get.clone(), "/docs/errors", docs::errors)?
        .on(get.clone(), "/docs/errors/{code}", docs::error)?
        .on(get.clone(), "/docs/api", openapi::interactive)?
        .on(get.clone(), "/docs/api/{file}", openapi::asset)?
        .on(get, "/", home::home)
}
