//! `GET /v1/tasks/{id}`: one task, and the wait for its end.

use crate::codes;
use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::query::Query;
use crate::request::value;
use crate::view::Whole;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use longshore_core::{Task, TaskId};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Reads a task.
///
/// With `wait` the answer comes when the run has ended, or when the time is up. `If-None-Match`
/// with the task's `ETag` is answered 304 while nothing has changed.
#[utoipa::path(
    get, path = "/v1/tasks/{id}", tag = "tasks", operation_id = "getTask",
    params(
        ("id" = String, Path, format = "uuid", description = "The task's id"),
        crate::openapi::schemas::WaitParam,
        ("If-None-Match" = Option<String>, Header, description = "An `ETag` that was read before"),
    ),
    responses(
        (status = 200, description = "The task",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::Task>),
            headers(("ETag" = String, description = "Changes whenever the task does"))),
        (status = 304, description = "Nothing has changed"),
        crate::openapi::schemas::NotFound,
    )
)]
pub(crate) async fn read(
    State(house): State<House>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let id = id.ok().and_then(|Path(id)| value::id_of(&id)).ok_or_else(|| {
        Problem::new(
            &codes::BAD_ID,
            "the id must be a UUID, such as 0198b2f0-5a1c-7c3e-9f3a-2b1d4c5e6f70",
        )
    })?;
    let mut query = Query::read(request.uri().query(), &["wait"], &[])?;
    let wait = query.wait();
    query.finish()?;
    let task = match wait {
        Some(at_most) => waited(&house, id, at_most).await?,
        None => house.store().get(house.tenant(), id).await?,
    };
    let task = task.ok_or_else(|| Problem::no_task(id))?;
    Ok(shown(request.headers(), &task))
}

async fn waited(house: &House, id: TaskId, at_most: Duration) -> Result<Option<Task>, Problem> {
    let hub = house.engine().hub();
    let ended = hub.wait(house.store(), house.tenant(), id, at_most);
    match house.closing().run_until_cancelled(ended).await {
        Some(task) => Ok(task?),
        // The door closes: how it stands now is the answer.
        None => Ok(house.store().get(house.tenant(), id).await?),
    }
}

fn shown(headers: &HeaderMap, task: &Task) -> Response {
    let shape = Shape::asked(headers);
    let body = shape.write(StatusCode::OK, &Whole::new(task));
    let tag = tag_of(&body);
    let mut response = if is_known(headers, &tag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        shape.respond(StatusCode::OK, body)
    };
    let out = response.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(tag) {
        out.insert(header::ETAG, tag);
    }
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    out.insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// Weak, because the same task may go out shrunk.
fn tag_of(body: &[u8]) -> String {
    let hash = Sha256::digest(body);
    let mut tag = String::from("W/\"");
    for byte in &hash[..8] {
        tag.push_str(&format!("{byte:02x}"));
    }
    tag.push('"');
    tag
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let own = opaque(tag);
    headers
        .get_all(header::IF_NONE_MATCH)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim() == "*" || opaque(known) == own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_in_any_list_weak_or_strong() {
        let tag = tag_of(b"{}");
        let given = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(value).unwrap());
            is_known(&headers, &tag)
        };
        assert!(given(&tag) && given("*") && given(&format!("\"x\", {tag}")));
        assert!(given(tag.trim_start_matches("W/")));
        assert!(!given("\"x\"") && !is_known(&HeaderMap::new(), &tag));
        assert_ne!(tag, tag_of(b"{ }"));
    }
}
