//! Pause, resume and purge: `POST /v1/queues/{queue}/…`, `/v1/kinds/{kind}/…`,
//! `/v1/tenants/{tenant}/…`.

use super::read::shown;
use super::{name, no_queue};
use crate::auth::Caller;
use crate::codes;
use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::call::Call;
use crate::request::path::Part;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use longshore_core::queue::Scope;
use longshore_core::{KindName, QueueName, TenantName};
use serde::Serialize;

/// Holds back the tasks of a queue.
///
/// Tasks are still taken in, and what runs goes on. It stays so over restarts.
#[utoipa::path(
    post, path = "/v1/queues/{queue}/pause", tag = "queues", operation_id = "pauseQueue",
    params(crate::openapi::schemas::QueueParam),
    responses(
        (status = 200, description = "The queue as it stands now",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::Queue>)),
        crate::openapi::schemas::NoSuchName,
    )
)]
pub(crate) async fn pause(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    hold_queue(&house, &caller, part, request, true).await
}

/// Ends the pause of a queue.
#[utoipa::path(
    post, path = "/v1/queues/{queue}/resume", tag = "queues", operation_id = "resumeQueue",
    params(crate::openapi::schemas::QueueParam),
    responses(
        (status = 200, description = "The queue as it stands now",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::Queue>)),
        crate::openapi::schemas::NoSuchName,
    )
)]
pub(crate) async fn resume(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    hold_queue(&house, &caller, part, request, false).await
}

/// Cancels all tasks that wait in a queue, with the reason `purged`. What runs goes on.
#[utoipa::path(
    post, path = "/v1/queues/{queue}/purge", tag = "queues", operation_id = "purgeQueue",
    params(crate::openapi::schemas::QueueParam),
    responses(
        (status = 200, description = "How many were cancelled",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::Purged>)),
        crate::openapi::schemas::NoSuchName,
    )
)]
pub(crate) async fn purge(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    let (headers, name) = asked(&house, &caller, part, request).await?;
    let purged = house.engine().queues().purge(caller.by(), caller.tenant(), name).await?;
    Ok(Shape::asked(&headers).answer(StatusCode::OK, &Purged { purged }))
}

/// Holds back the tasks of a kind, in whichever queue.
///
/// Tasks are still taken in, and what runs goes on. It stays so over restarts.
#[utoipa::path(
    post, path = "/v1/kinds/{kind}/pause", tag = "queues", operation_id = "pauseKind",
    params(crate::openapi::schemas::KindParam),
    responses(
        (status = 200, description = "It is paused",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::KindHeld>)),
        crate::openapi::schemas::NoSuchName,
    )
)]
pub(crate) async fn pause_kind(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    hold_kind(&house, &caller, part, request, true).await
}

/// Ends the pause of a kind.
#[utoipa::path(
    post, path = "/v1/kinds/{kind}/resume", tag = "queues", operation_id = "resumeKind",
    params(crate::openapi::schemas::KindParam),
    responses(
        (status = 200, description = "It is not paused",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::KindHeld>)),
        crate::openapi::schemas::NoSuchName,
    )
)]
pub(crate) async fn resume_kind(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    hold_kind(&house, &caller, part, request, false).await
}

/// Holds back the tasks of a tenant, in whichever queue.
///
/// Tasks are still taken in, and what runs goes on. It stays so over restarts.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/pause", tag = "queues", operation_id = "pauseTenant",
    params(crate::openapi::schemas::TenantParam),
    responses(
        (status = 200, description = "It is paused",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::TenantHeld>)),
        crate::openapi::schemas::NoSuchName,
    )
)]
pub(crate) async fn pause_tenant(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    hold_tenant(&house, &caller, part, request, true).await
}

/// Ends the pause of a tenant.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/resume", tag = "queues", operation_id = "resumeTenant",
    params(crate::openapi::schemas::TenantParam),
    responses(
        (status = 200, description = "It is not paused",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::TenantHeld>)),
        crate::openapi::schemas::NoSuchName,
    )
)]
pub(crate) async fn resume_tenant(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    hold_tenant(&house, &caller, part, request, false).await
}

#[derive(Serialize)]
struct Purged {
    purged: u64,
}

#[derive(Serialize)]
struct KindHeld {
    kind: KindName,
    paused: bool,
}

#[derive(Serialize)]
struct TenantHeld {
    tenant: TenantName,
    paused: bool,
}

async fn hold_queue(
    house: &House,
    caller: &Caller,
    part: Part,
    request: Request,
    pause: bool,
) -> Result<Response, Problem> {
    let (headers, name) = asked(house, caller, part, request).await?;
    hold(house, caller, Scope::Queue(name.clone()), pause).await?;
    let queue = house.engine().queues().get(&caller.tenant(), &name).await?;
    Ok(shown(&headers, &queue.ok_or_else(|| no_queue(name.as_str()))?))
}

async fn hold_kind(
    house: &House,
    caller: &Caller,
    part: Part,
    request: Request,
    paused: bool,
) -> Result<Response, Problem> {
    let no_kind = || Problem::new(&codes::NO_KIND, "there is no kind of that name");
    let kind = part.ok().and_then(|Path(name)| KindName::new(&name).ok()).ok_or_else(no_kind)?;
    let headers = Call::plain(request, house).await?;
    if !house.engine().queues().knows_kind(&caller.tenant(), &kind).await? {
        return Err(no_kind());
    }
    hold(house, caller, Scope::Kind(kind.clone()), paused).await?;
    Ok(Shape::asked(&headers).answer(StatusCode::OK, &KindHeld { kind, paused }))
}

async fn hold_tenant(
    house: &House,
    caller: &Caller,
    part: Part,
    request: Request,
    paused: bool,
) -> Result<Response, Problem> {
    let tenant = caller.tenant();
    if !part.is_ok_and(|Path(name)| name == tenant.as_str()) {
        return Err(Problem::new(&codes::NO_TENANT, "there is no tenant of that name"));
    }
    let headers = Call::plain(request, house).await?;
    hold(house, caller, Scope::Tenant(tenant.clone()), paused).await?;
    Ok(Shape::asked(&headers).answer(StatusCode::OK, &TenantHeld { tenant, paused }))
}

async fn hold(house: &House, caller: &Caller, scope: Scope, pause: bool) -> Result<(), Problem> {
    let queues = house.engine().queues();
    let (by, tenant) = (caller.by(), caller.tenant());
    if pause {
        queues.pause(by, tenant, scope).await?;
    } else {
        queues.resume(by, tenant, scope).await?;
    }
    Ok(())
}

/// Reads a call without fields, and the name of the queue that it is about.
async fn asked(
    house: &House,
    caller: &Caller,
    part: Part,
    request: Request,
) -> Result<(HeaderMap, QueueName), Problem> {
    let name = name(caller, part)?;
    let headers = Call::plain(request, house).await?;
    match house.engine().queues().get(&caller.tenant(), &name).await? {
        Some(_) => Ok((headers, name)),
        None => Err(no_queue(name.as_str())),
    }
}
