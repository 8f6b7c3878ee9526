//! A whole engine over the model store, and a way to ask its router.

use crate::documented::must_be_documented;
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use longshore_conformance::{ModelBroker, ModelStore};
use longshore_core::broker::{Broker, DeclareMode, Group, GroupName, Pattern, Topology};
use longshore_core::{Fault, KindName, Outcome, Payload, SystemClock};
use longshore_runtime::handler::{BoxHandler, Call, Cx, Handler, States, boxed, nothing};
use longshore_runtime::messages::Consumer;
use longshore_runtime::schema::Schema;
use longshore_runtime::{Brokers, Engine, Kind, Options, Registry};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tower::ServiceExt;

/// Answers with something.
struct Echo;

impl Handler for Echo {
    fn call(&self, _: Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        let result = Payload::from_json(r#"{"kind":"echo"}"#);
        Box::pin(async move { Outcome::Success(Some(result)) })
    }
}

/// Never ends.
struct Stuck;

impl Handler for Stuck {
    fn call(&self, _: Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        Box::pin(std::future::pending())
    }
}

/// Ends when it is told to.
async fn polite(cx: Cx) -> Outcome {
    cx.stopped().await;
    Outcome::Cancelled
}

/// Fails for good, with a code.
struct Doomed;

impl Handler for Doomed {
    fn call(&self, _: Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        let fault = Fault { code: Some("smtp.550".into()), ..Fault::bad_data("no such mailbox") };
        Box::pin(async move { Outcome::Fault(fault) })
    }
}

/// Starts an engine with the broker `main`, and `shipping`, which consumes `orders.*`.
pub(crate) async fn engine_with_broker() -> Engine {
    let broker = ModelBroker::default();
    let consumer = Consumer::topic("orders.*").checked("shipping").unwrap();
    let group = Group::new(GroupName::new("shipping").unwrap());
    let group = group.matching(Pattern::new("orders.*").unwrap());
    broker.declare(&Topology::of(group), DeclareMode::Declare).await.unwrap();
    let carried: Arc<dyn Broker> = Arc::new(broker);
    let options = options();
    let brokers = Brokers::from_iter([(Arc::from("main"), carried)]);
    let consumers = vec![(consumer, nothing())];
    Engine::start(Options { brokers, consumers, ..options }).unwrap()
}

/// Starts an engine with the kinds `hello`, `echo`, `stuck`, `polite`, `doomed`, and `letter` with a
/// schema.
pub(crate) fn engine() -> Engine {
    Engine::start(options()).unwrap()
}

fn options() -> Options {
    let mut registry = Registry::default();
    for (name, handler) in [
        ("hello", nothing()),
        ("echo", BoxHandler::new(Echo)),
        ("stuck", BoxHandler::new(Stuck)),
        ("polite", boxed(polite, &States::default()).unwrap()),
        ("doomed", BoxHandler::new(Doomed)),
    ] {
        registry.add(Kind::new(KindName::new(name).unwrap(), handler));
    }
    let schema = r#"{"type":"object","required":["to"],"properties":{"to":{"type":"string"},
        "items":{"type":"array","items":{"type":"integer"}}}}"#;
    let mut letter = Kind::new(KindName::new("letter").unwrap(), nothing());
    letter.schema = Some(Schema::compile(schema).unwrap());
    registry.add(letter);
    let store = Arc::new(ModelStore::new(Arc::new(SystemClock)));
    Options::new(store, registry)
}

/// What a request was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of an error, after looking at its shape.
    pub(crate) fn code(&self) -> u64 {
        let body = self.json();
        assert_eq!(self.header("content-type"), "application/problem+json", "{body}");
        assert_eq!(body["status"], self.status.as_u16(), "{body}");
        assert!(body["data"].is_null() && body["message"] == body["detail"], "{body}");
        assert_eq!(body["type"], format!("/docs/errors/LS-{}", body["code"]));
        assert_eq!(body["trace_id"].as_str().unwrap().len(), 32);
        body["code"].as_u64().unwrap()
    }

    /// The fields that an error names.
    pub(crate) fn fields(&self) -> Vec<String> {
        let body = self.json();
        let errors = body["errors"].as_array().unwrap();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) async fn ask(router: &Router, request: Request<Body>) -> Answer {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    let answer = Answer { status: parts.status, headers: parts.headers, body };
    must_be_documented(&method, &path, &answer).await;
    answer
}

pub(crate) async fn get(router: &Router, path: &str) -> Answer {
    ask(router, Request::get(path).body(Body::empty()).unwrap()).await
}

pub(crate) async fn post(router: &Router, path: &str, body: &str) -> Answer {
    post_with(router, path, body, &[]).await
}

pub(crate) async fn post_with(
    router: &Router,
    path: &str,
    body: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let mut request = Request::builder().method(Method::POST).uri(path);
    request = request.header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask(router, request.body(Body::from(body.to_owned())).unwrap()).await
}
