//! Every route there is.

use super::map::Map;
use super::{
    consumers, dead_letters, docs, health, home, leases, link, messages, metrics, openapi,
    operations, queues, schedules, tasks, workers,
};
use crate::auth::NoPolicy;
use crate::house::House;
use http::Method;

/// Collects the routes, unless one of them has no policy.
pub(crate) fn plan() -> Result<Map<House>, NoPolicy> {
    let (get, post) = (Method::GET, Method::POST);
    Map::new()
        .on(post.clone(), "/v1/tasks", tasks::create)?
        .on(get.clone(), "/v1/tasks", tasks::list)?
        .on(post.clone(), "/v1/tasks:batch", tasks::batch)?
        .on(get.clone(), "/v1/tasks/{id}", tasks::read)?
        .on(post.clone(), "/v1/tasks/{id}/cancel", tasks::cancel)?
        .on(post.clone(), "/v1/tasks/{id}/retry", tasks::retry)?
        .on(post.clone(), "/v1/tasks/{id}/replay", tasks::replay)?
        .on(get.clone(), "/v1/tasks/{id}/attempts", tasks::attempts)?
        .on(post.clone(), "/v1/leases", leases::take::take)?
        .on(post.clone(), "/v1/leases/{lease}/complete", leases::end::complete)?
        .on(post.clone(), "/v1/leases/{lease}/fail", leases::end::fail)?
        .on(post.clone(), "/v1/leases/{lease}/extend", leases::end::extend)?
        .on(post.clone(), "/v1/leases/{lease}/release", leases::end::release)?
        .on(post.clone(), "/v1/link/claim", link::claim)?
        .on(post.clone(), "/v1/link/extend", link::extend)?
        .on(post.clone(), "/v1/link/record", link::record)?
        .on(post.clone(), "/v1/link/announce", link::announce)?
        .on(post.clone(), "/v1/link/leave", link::leave)?
        .on(get.clone(), "/v1/workers", workers::list)?
        .on(post.clone(), "/v1/workers/{worker}/drain", workers::drain)?
        .on(get.clone(), "/v1/config", operations::config)?
        .on(get.clone(), "/v1/audit", operations::audit)?
        .on(get.clone(), "/v1/queues", queues::read::list)?
        .on(get.clone(), "/v1/queues/{queue}", queues::read::read)?
        .on(Method::PATCH, "/v1/queues/{queue}", queues::patch::patch)?
        .on(post.clone(), "/v1/queues/{queue}/pause", queues::hold::pause)?
        .on(post.clone(), "/v1/queues/{queue}/resume", queues::hold::resume)?
        .on(post.clone(), "/v1/queues/{queue}/purge", queues::hold::purge)?
        .on(post.clone(), "/v1/kinds/{kind}/pause", queues::hold::pause_kind)?
        .on(post.clone(), "/v1/kinds/{kind}/resume", queues::hold::resume_kind)?
        .on(post.clone(), "/v1/tenants/{tenant}/pause", queues::hold::pause_tenant)?
        .on(post.clone(), "/v1/tenants/{tenant}/resume", queues::hold::resume_tenant)?
        .on(get.clone(), "/v1/scaling/{queue}", queues::read::scaling)?
        .on(get.clone(), "/v1/schedules", schedules::read::list)?
        .on(post.clone(), "/v1/schedules", schedules::create::create)?
        .on(get.clone(), "/v1/schedules/{id}", schedules::read::read)?
        .on(Method::PATCH, "/v1/schedules/{id}", schedules::change::change)?
        .on(Method::DELETE, "/v1/schedules/{id}", schedules::act::delete)?
        .on(post.clone(), "/v1/schedules/{id}/run", schedules::act::run)?
        .on(post.clone(), "/v1/schedules/{id}/pause", schedules::act::pause)?
        .on(post.clone(), "/v1/schedules/{id}/resume", schedules::act::resume)?
        .on(get.clone(), "/v1/schedules/{id}/next", schedules::read::next)?
        .on(post.clone(), "/v1/brokers/{broker}/topics/{topic}/messages", messages::publish)?
        .on(get.clone(), "/v1/consumers", consumers::list)?
        .on(post.clone(), "/v1/consumers", consumers::later)?
        .on(get.clone(), "/v1/consumers/{name}", consumers::read)?
        .on(Method::PATCH, "/v1/consumers/{name}", consumers::later)?
        .on(Method::DELETE, "/v1/consumers/{name}", consumers::later)?
        .on(get.clone(), "/v1/consumers/{name}/explain", consumers::explain)?
        .on(post.clone(), "/v1/consumers/{name}/pause", consumers::pause)?
        .on(post.clone(), "/v1/consumers/{name}/resume", consumers::resume)?
        .on(get.clone(), "/v1/dead-letters", dead_letters::list)?
        .on(get.clone(), "/v1/dead-letters/groups", dead_letters::later)?
        .on(post.clone(), "/v1/dead-letters/retry", dead_letters::later)?
        .on(post.clone(), "/v1/dead-letters/discard", dead_letters::later)?
        .on(post.clone(), "/v1/dead-letters/{id}/retry", dead_letters::retry)?
        .on(post.clone(), "/v1/dead-letters/{id}/discard", dead_letters::discard)?
        // The same without the prefix, for people who type.
        .on(post.clone(), "/tasks", tasks::create)?
        .on(post.clone(), "/tasks:batch", tasks::batch)?
        .on(get.clone(), "/tasks", tasks::list)?
        .on(get.clone(), "/tasks/{id}", tasks::read)?
        .on(post.clone(), "/tasks/{id}/cancel", tasks::cancel)?
        .on(post.clone(), "/tasks/{id}/retry", tasks::retry)?
        .on(post.clone(), "/tasks/{id}/replay", tasks::replay)?
        .on(get.clone(), "/tasks/{id}/attempts", tasks::attempts)?
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
