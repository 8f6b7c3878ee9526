//! What operators look up: the configuration, and who did what.

use crate::auth::Caller;
use crate::cursor;
use crate::envelope::Shape;
use crate::etag::Tag;
use crate::house::House;
use crate::problem::Problem;
use crate::request::query::Query;
use crate::routes::tasks::list::{bad_cursor, limit};
use crate::view::{Json, List};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use longshore_core::store::AuditLine;
use longshore_core::task::Seq;
use longshore_core::{TenantName, Timestamp};
use serde::Serialize;
use std::time::{Duration, Instant};

/// For so long a page is filled with the caller's own lines.
const FILLING: Duration = Duration::from_millis(250);

/// Shows the configuration as it holds now.
///
/// Each value with its origin, secrets masked. `If-None-Match` with the `ETag` is answered 304
/// while nothing has changed.
#[utoipa::path(
    get, path = "/v1/config", tag = "operations", operation_id = "getConfig",
    params(("If-None-Match" = Option<String>, Header, description = "An `ETag` that was read before")),
    responses(
        (status = 200, description = "The configuration",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::Config>),
            headers(("ETag" = String, description = "Changes whenever the configuration does"))),
        (status = 304, description = "Nothing has changed"),
        (status = 400, description = "A parameter is wrong",
            body = crate::openapi::schemas::Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn config(
    State(house): State<House>,
    request: Request,
) -> Result<Response, Problem> {
    Query::none(request.uri().query())?;
    let shape = Shape::asked(request.headers());
    let config = house.config();
    let tag = Tag::of(config.to_string().as_bytes());
    let mut response = if tag.is_known(request.headers()) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        shape.answer(StatusCode::OK, &config)
    };
    tag.stamp(response.headers_mut());
    Ok(response)
}

/// Lists what operators did, newest first.
///
/// Each line seals the one before it: `hash` is the SHA-256 over the line and the hash before.
#[utoipa::path(
    get, path = "/v1/audit", tag = "operations", operation_id = "listAudit",
    params(crate::openapi::schemas::PageParams),
    responses(
        (status = 200, description = "A page",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::AuditList>)),
        crate::openapi::schemas::Unreadable,
    )
)]
pub(crate) async fn audit(
    State(house): State<House>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let mut query = Query::read(request.uri().query(), &["cursor", "limit"], &[])?;
    let limit = limit(&mut query);
    let cursor = query.one("cursor", |text| Ok(cursor::read(text)));
    query.finish()?;
    let before = match cursor {
        Some(None) => return Err(bad_cursor()),
        Some(Some(Seq(number))) => Some(u64::try_from(number).map_err(|_| bad_cursor())?),
        None => None,
    };
    let (lines, next) = filled(&house, caller.tenant(), before, limit).await?;
    let list = List {
        items: lines.iter().map(Line::from).collect(),
        next_cursor: next
            .map(|number| cursor::write(Seq(i64::try_from(number).unwrap_or(i64::MAX)))),
    };
    Ok(Shape::asked(request.headers()).answer(StatusCode::OK, &list))
}

/// Collects lines of the caller's tenant until there are enough, none are left, or it has taken long
/// enough.
async fn filled(
    house: &House,
    tenant: TenantName,
    mut before: Option<u64>,
    limit: usize,
) -> Result<(Vec<AuditLine>, Option<u64>), Problem> {
    let began = Instant::now();
    let mut lines = Vec::new();
    loop {
        let wanted = limit - lines.len();
        let page = house.store().audit(before, wanted).await?;
        let last = page.last().map(|line| line.number).filter(|_| page.len() == wanted);
        lines.extend(page.into_iter().filter(|line| line.tenant == tenant));
        match last {
            // Lines are numbered from 1.
            None | Some(0 | 1) => return Ok((lines, None)),
            Some(last) if lines.len() >= limit || began.elapsed() > FILLING => {
                return Ok((lines, Some(last)));
            }
            Some(last) => before = Some(last),
        }
    }
}

/// One line, as it is shown.
#[derive(Debug, Serialize)]
struct Line<'a> {
    number: u64,
    at: Timestamp,
    by: &'a str,
    tenant: &'a TenantName,
    act: &'a str,
    target: Option<&'a str>,
    before: Json<'a>,
    after: Json<'a>,
    count: u64,
    hash: String,
}

impl<'a> From<&'a AuditLine> for Line<'a> {
    fn from(line: &'a AuditLine) -> Self {
        Self {
            number: line.number,
            at: line.at,
            by: &line.by,
            tenant: &line.tenant,
            act: &line.act,
            target: line.target.as_deref(),
            before: Json(line.before.as_ref()),
            after: Json(line.after.as_ref()),
            count: line.count,
            hash: line.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}
