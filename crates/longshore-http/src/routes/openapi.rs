//! The API's description for programs, and the page to try it on.

use crate::codes;
use crate::openapi;
use crate::problem::Problem;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue};
use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use utoipa_swagger_ui::Config;

/// Swagger UI sets styles from its scripts and draws icons from data; everything else is ours.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    Arc::new(Config::from("/openapi.json").try_it_out_enabled(true).validator_url("none"))
});

/// The OpenAPI document, as JSON.
#[utoipa::path(
    get, path = "/openapi.json", tag = "docs", operation_id = "openapiJson",
    responses((status = 200, description = "This document", body = Object))
)]
pub(crate) async fn json() -> Response {
    ([(CONTENT_TYPE, "application/json")], openapi::json()).into_response()
}

/// The OpenAPI document, as YAML.
#[utoipa::path(
    get, path = "/openapi.yaml", tag = "docs", operation_id = "openapiYaml",
    responses((status = 200, description = "This document", body = Object,
        content_type = "application/yaml"))
)]
pub(crate) async fn yaml() -> Response {
    ([(CONTENT_TYPE, "application/yaml")], openapi::yaml()).into_response()
}

/// The page to try the API on.
pub(crate) async fn interactive() -> Result<Response, Problem> {
    let (document, kind) = file("index.html")?;
    // Its links are relative to a path that ends in a slash; this one does not.
    let document = String::from_utf8_lossy(&document)
        .replace("\"./", "\"/docs/api/")
        .replace("\"index.css\"", "\"/docs/api/index.css\"")
        .replace("<title>Swagger UI", "<title>API · Longshore");
    let policy = HeaderValue::from_static(POLICY);
    Ok(with_type(kind, Some((CONTENT_SECURITY_POLICY, policy)), document.into_bytes()))
}

/// The scripts and styles of that page.
pub(crate) async fn asset(name: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let Path(name) = name.map_err(|_| missing())?;
    let (bytes, kind) = file(&name)?;
    let lasting = HeaderValue::from_static("max-age=3600");
    Ok(with_type(kind, Some((CACHE_CONTROL, lasting)), bytes.into_owned()))
}

fn file(name: &str) -> Result<(Cow<'static, [u8]>, String), Problem> {
    match utoipa_swagger_ui::serve(name, CONFIG.clone()) {
        Ok(Some(file)) => Ok((file.bytes, file.content_type)),
        Ok(None) => Err(missing()),
        Err(error) => {
            tracing::error!(%error, "a page of the docs could not be made");
            Err(Problem::new(&codes::INTERNAL, "the page could not be made"))
        }
    }
}

fn with_type(kind: String, extra: Option<(HeaderName, HeaderValue)>, bytes: Vec<u8>) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::try_from(kind) {
        headers.insert(CONTENT_TYPE, kind);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.extend(extra.map(|(name, value)| (Some(name), value)));
    response
}

fn missing() -> Problem {
    Problem::new(&codes::NO_ROUTE, "there is no such page; the API's is /docs/api")
}
