//! Every answer that a test here is given is held against the OpenAPI document: its status must be
//! there, and its body must be what the document says of it.

use crate::house::{Answer, engine};
use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt;
use jsonschema::Validator;
use longshore_http::router;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;
use tower::ServiceExt;

static DOCUMENT: OnceCell<Value> = OnceCell::const_new();
/// By the pointer of the schema in the document.
static VALIDATORS: Mutex<Option<HashMap<String, Arc<Validator>>>> = Mutex::new(None);

/// Panics unless the document says that this can be answered. What it does not describe (pages,
/// paths that lead nowhere) is let through.
pub(crate) async fn must_be_documented(method: &Method, path: &str, answer: &Answer) {
    let document = DOCUMENT.get_or_init(read).await;
    let Some(operation) = operation(document, method, path) else { return };
    let what = format!("{method} {path}: {}", answer.status);
    let responses = format!("{operation}/responses/{}", answer.status.as_u16());
    let Some((at, response)) = resolved(document, responses) else {
        panic!("{what} is not in the document: {}", String::from_utf8_lossy(&answer.body));
    };
    let media = answer.header("content-type").split(';').next().unwrap_or_default();
    let is_packed = !answer.header("content-encoding").is_empty();
    if is_packed || !["application/json", "application/problem+json"].contains(&media) {
        return;
    }
    let content = response["content"].as_object();
    let content = content.unwrap_or_else(|| panic!("{what} has no body in the document"));
    assert!(content.contains_key(media), "{what}: {media} is not in the document");
    let schema = format!("{at}/content/{}/schema", media.replace('/', "~1"));
    let body = answer.json();
    if let Err(error) = validator(document, &schema).validate(&body) {
        panic!("{what}: {error} (at {})\n{body:#}", error.instance_path());
    }
}

async fn read() -> Value {
    let request = Request::get("/openapi.json").body(Body::empty()).unwrap();
    let response = router(&engine()).oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

/// The pointer of the operation; a path that is there letter by letter goes before one with
/// parameters.
fn operation(document: &Value, method: &Method, path: &str) -> Option<String> {
    let path = path.split('?').next()?;
    let paths = document["paths"].as_object()?;
    let fits = |template: &&String| {
        template.split('/').count() == path.split('/').count()
            && template.split('/').zip(path.split('/')).all(|(wanted, found)| {
                wanted == found || wanted.starts_with('{') && !found.is_empty()
            })
    };
    let template =
        paths.keys().filter(fits).min_by_key(|template| template.matches('{').count())?;
    let method = method.as_str().to_ascii_lowercase();
    paths[template].get(&method)?;
    Some(format!("/paths/{}/{method}", template.replace('/', "~1")))
}

/// What a pointer shows, and where that stands.
fn resolved(document: &Value, pointer: String) -> Option<(String, &Value)> {
    let found = document.pointer(&pointer)?;
    match found["$ref"].as_str() {
        Some(other) => resolved(document, other.trim_start_matches('#').to_owned()),
        None => Some((pointer, found)),
    }
}

fn validator(document: &Value, pointer: &str) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validators = validators.get_or_insert_default();
    let make = || {
        let mut schema = document.pointer(pointer).unwrap().clone();
        schema["components"] = document["components"].clone();
        Arc::new(jsonschema::draft202012::new(&schema).unwrap())
    };
    validators.entry(pointer.to_owned()).or_insert_with(make).clone()
}
