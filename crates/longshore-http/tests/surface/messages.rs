//! Messages: publishing them, who consumes them, and how brokers are.

use crate::house::{Answer, get, post, post_with};
use axum::Router;
use axum::body::Body;
use http::Request;
use longshore_conformance::{ModelBroker, ModelStore};
use longshore_core::broker::{Broker, DeclareMode, Group, GroupName, Pattern, Topology, header};
use longshore_core::{RetryPolicy, SystemClock};
use longshore_http::router;
use longshore_runtime::handler::nothing;
use longshore_runtime::messages::{Consumer, outbox};
use longshore_runtime::{Brokers, Engine, Options, Registry};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const ORDERS: &str = "/v1/brokers/main/topics/orders.created/messages";

struct House {
    router: Router,
    broker: ModelBroker,
    engine: Engine,
}

fn group(name: &str) -> GroupName {
    GroupName::new(name).unwrap()
}

impl House {
    /// A server with the broker `main`, where the group `audit` gets all orders and nobody takes them away.
    async fn new() -> Self {
        Self::with(Vec::new()).await
    }

    async fn with(consumers: Vec<(&str, Consumer)>) -> Self {
        let broker = ModelBroker::default();
        let audit = Group::new(group("audit")).matching(Pattern::new("orders.*").unwrap());
        broker.declare(&Topology::of(audit), DeclareMode::Declare).await.unwrap();
        let carried: Arc<dyn Broker> = Arc::new(broker.clone());
        let brokers = Brokers::from_iter([(Arc::from("main"), carried)]);
        let mut registry = Registry::default();
        registry.add(outbox::kind(&brokers).unwrap());
        let store = Arc::new(ModelStore::new(Arc::new(SystemClock)));
        let checked =
            |(name, consumer): (&str, Consumer)| (consumer.checked(name).unwrap(), nothing());
        let consumers = consumers.into_iter().map(checked).collect();
        let options = Options { brokers, consumers, ..Options::new(store, registry) };
        let engine = Engine::start(options).unwrap();
        engine.started().await.unwrap();
        let router = router(&engine);
        // The store is asked by a duty, at once after the start.
        let ready = async {
            while get(&router, "/readyz").await.status != 200 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ready).await.expect("it must get ready");
        Self { router, broker, engine }
    }

    async fn publish(&self, body: &str) -> Answer {
        post(&self.router, ORDERS, body).await
    }

    /// Returns once the consumer is so.
    async fn is(&self, name: &str, state: &str) -> Value {
        let looking = async {
            loop {
                let shown = get(&self.router, &format!("/v1/consumers/{name}")).await.json();
                if shown["data"]["state"] == state {
                    return shown["data"].clone();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), looking).await.expect("it must come")
    }
}

#[tokio::test]
async fn the_kind_of_the_outbox_is_for_the_server_alone() {
    let house = House::new().await;
    let wish = r#"{"kind":"longshore.publish","payload":{"broker":"main","topic":"orders.x","messages":[{"id":"1"}]}}"#;
    let refused = post(&house.router, "/v1/tasks", wish).await;
    assert_eq!(refused.status, 400, "{}", refused.json());
    assert_eq!(refused.json()["errors"][0]["field"], "kind");
    assert_eq!(house.broker.waiting(&group("audit")).len(), 0);
}

#[tokio::test]
async fn a_message_is_published_byte_for_byte_once_the_broker_has_confirmed() {
    let house = House::new().await;
    let body = r#"{"payload": {"n":  1.00}, "key": "c7", "id": "m1", "headers": {"region": "eu"}}"#;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = post_with(&house.router, ORDERS, body, &[("traceparent", parent)]).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["data"]),
        (200, &json!({"items": [{"id": "m1"}]}))
    );
    let kept = house.broker.waiting(&group("audit"));
    assert_eq!(kept[0].payload, r#"{"n":  1.00}"#);
    let said = |name| kept[0].headers.get(name);
    assert_eq!(
        (said(header::ID), said(header::ORDER_KEY), said("region")),
        (Some("m1"), Some("c7"), Some("eu"))
    );
    assert_eq!(said(header::CONTENT_TYPE), Some("application/json"));
    assert!(said(header::TRACEPARENT) == Some(parent) && said(header::CREATED).is_some());
}

#[tokio::test]
async fn an_array_is_answered_in_its_order() {
    let house = House::new().await;
    let answer = house.publish(r#"[{"payload": 1, "id": "a"}, {"payload_base64": "/w=="}]"#).await;
    let items = answer.json()["data"]["items"].clone();
    assert_eq!(items[0], json!({"id": "a"}));
    assert_eq!(items[1]["id"].as_str().unwrap().len(), 36, "one is made");
    let kept = house.broker.waiting(&group("audit"));
    assert_eq!((kept.len(), &kept[1].payload[..]), (2, &[0xff][..]));
}

#[tokio::test]
async fn what_is_wrong_is_refused_as_a_whole_and_nothing_is_published() {
    let house = House::new().await;
    let answer =
        house.publish(r#"[{"payload": 1}, {"payload": 1, "payloda": 7}, {"headers": {}}]"#).await;
    assert_eq!(
        (answer.code(), answer.fields()),
        (40001, vec!["[1].payloda".to_owned(), "[2].payload".to_owned()])
    );
    assert!(answer.text().contains("did you mean payload"), "{}", answer.text());
    for (path, body, code) in [
        (ORDERS, "[1", 40002),
        (ORDERS, "[]", 40001),
        ("/v1/brokers/main/topics/a%20b/messages", r#"{"payload":1}"#, 40001),
        ("/v1/brokers/main/topics/orders.created/messages?outbxo=true", r#"{"payload":1}"#, 40001),
        ("/v1/brokers/main/topics/orders.created/messages?outbox=yes", r#"{"payload":1}"#, 40001),
        ("/v1/brokers/main/topics/nobody/messages", r#"{"payload":1}"#, 42202),
        ("/v1/brokers/mian/topics/orders.created/messages", r#"{"payload":1}"#, 40421),
    ] {
        assert_eq!(post(&house.router, path, body).await.code(), code, "{path} {body}");
    }
    let unknown =
        post(&house.router, "/v1/brokers/mian/topics/a/messages", r#"{"payload":1}"#).await;
    assert!(unknown.text().contains("did you mean main?"), "{}", unknown.text());
    let large = format!(r#"{{"payload": "{}"}}"#, "x".repeat(300 << 10));
    assert_eq!(house.publish(&large).await.code(), 41301);
    let keyed =
        post_with(&house.router, ORDERS, r#"{"payload":1}"#, &[("idempotency-key", "k")]).await;
    assert_eq!(keyed.code(), 40005);
    assert!(house.broker.waiting(&group("audit")).is_empty());
}

#[tokio::test]
async fn a_broker_that_is_away_or_blocked_is_told_with_a_time_to_come_back() {
    let house = House::new().await;
    house.broker.be_away(true);
    let away = house.publish(r#"{"payload":1}"#).await;
    assert_eq!((away.status.as_u16(), away.code()), (503, 50304));
    assert!(!away.header("retry-after").is_empty());
    house.broker.be_away(false);
    house.broker.block(Some("memory of 10.0.0.7"));
    let blocked = house.publish(r#"{"payload":1}"#).await;
    assert_eq!(blocked.code(), 50304);
    assert!(!blocked.text().contains("10.0.0.7"), "what the broker says stays inside");
}

#[tokio::test]
async fn the_outbox_accepts_durably_and_publishes_when_the_broker_is_back() {
    let house = House::new().await;
    house.broker.be_away(true);
    let (path, body) =
        (format!("{ORDERS}?outbox=true"), r#"{"payload": {"n":  1.00}, "id": "m1"}"#);
    let answer = post_with(&house.router, &path, body, &[("idempotency-key", "k1")]).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let data = answer.json()["data"].clone();
    assert_eq!((&data["kind"], &data["queue"]), (&"longshore.publish".into(), &"outbox".into()));
    let location = answer.header("location").to_owned();
    assert_eq!(location, format!("/v1/tasks/{}", data["id"].as_str().unwrap()));

    let again = post_with(&house.router, &path, body, &[("idempotency-key", "k1")]).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (202, "true"));
    assert_eq!(again.json(), answer.json());
    let other = "/v1/brokers/main/topics/orders.other/messages?outbox=true";
    let other = post_with(&house.router, other, body, &[("idempotency-key", "k1")]).await;
    assert_eq!(other.code(), 42201, "the same key for another topic");

    house.broker.be_away(false);
    let task = get(&house.router, &format!("{location}?wait=20s")).await.json();
    assert_eq!(task["data"]["status"], "success", "{task}");
    let kept = house.broker.waiting(&group("audit"));
    assert_eq!((kept.len(), &kept[0].payload[..]), (1, &br#"{"n":  1.00}"#[..]));
}

#[tokio::test]
async fn consumers_are_shown_explained_and_held_back() {
    let consumer = Consumer::topic("orders.*").parallel(4);
    let house = House::with(vec![("shipping", consumer)]).await;
    let shown = house.is("shipping", "running").await;
    assert_eq!(
        (&shown["broker"], &shown["group"], &shown["dead_letter"], &shown["concurrency"]),
        (&"main".into(), &"shipping".into(), &"shipping.dead".into(), &json!({"parallel": 4}))
    );
    assert_eq!((&shown["prefetch"], &shown["paused"]), (&5.into(), &false.into()));
    assert_eq!(shown["waiting"]["consumers"], 1);
    let list = get(&house.router, "/v1/consumers").await.json();
    assert_eq!(list["data"]["items"][0]["name"], "shipping");

    let plan = get(&house.router, "/v1/consumers/shipping/explain").await.json()["data"].clone();
    assert_eq!((&plan["verdict"], &plan["refusals"]), (&"planned".into(), &json!([])));
    let abouts: Vec<&str> = plan["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["about"].as_str().unwrap())
        .collect();
    assert!(abouts.contains(&"retry") && abouts.contains(&"dead letters"), "{abouts:?}");

    let paused = post(&house.router, "/v1/consumers/shipping/pause", "").await;
    assert_eq!(paused.json()["data"]["paused"], true, "{}", paused.text());
    house.is("shipping", "paused").await;
    post(&house.router, "/v1/consumers/shipping/pause", "").await;
    post(&house.router, "/v1/consumers/shipping/resume", "").await;
    house.is("shipping", "running").await;
    let audit = get(&house.router, "/v1/audit").await.json();
    let lines = audit["data"]["items"].as_array().unwrap();
    let acts: Vec<_> = lines.iter().map(|line| (&line["act"], &line["target"])).collect();
    let target = Value::from("consumer shipping");
    assert_eq!(acts, [(&"resume".into(), &target), (&"pause".into(), &target)], "once each");

    let unknown = get(&house.router, "/v1/consumers/shiping").await;
    assert_eq!(unknown.code(), 40422);
    assert!(unknown.text().contains("did you mean shipping?"), "{}", unknown.text());
    assert_eq!(post(&house.router, "/v1/consumers", "{}").await.code(), 40010);
    let patch = Request::patch("/v1/consumers/shipping").body(Body::from("{}")).unwrap();
    assert_eq!(crate::house::ask(&house.router, patch).await.code(), 40010);
}

#[tokio::test]
async fn a_consumer_that_is_refused_says_why_and_what_to_do() {
    let two_days = Duration::from_secs(2 * 86_400);
    let consumer = Consumer::topic("orders.*").retry(RetryPolicy::fixed(two_days).cap(two_days));
    let house = House::with(vec![("shipping", consumer)]).await;
    let shown = house.is("shipping", "refused").await;
    assert!(shown["reason"].as_str().unwrap().starts_with("retry: a pause of"), "{shown}");
    let plan = get(&house.router, "/v1/consumers/shipping/explain").await.json()["data"].clone();
    assert_eq!(
        (&plan["verdict"], &plan["refusals"][0]["key"]),
        (&"refused".into(), &"retry".into())
    );

    let health = get(&house.router, "/health").await;
    assert_eq!((health.status.as_u16(), &health.json()["status"]), (200, &"DEGRADED".into()));
    assert_eq!(health.json()["details"]["consumer.shipping"]["state"], "refused");
    assert_eq!(get(&house.router, "/readyz").await.status, 200, "tasks are accepted");
    let ready = get(&house.router, "/readyz?scope=consumers").await;
    assert_eq!(
        (ready.status.as_u16(), &ready.json()["reason"]),
        (503, &"shipping: refused, see its explain".into())
    );
}

#[tokio::test]
async fn health_and_readiness_tell_of_brokers_and_consumers() {
    let house = House::with(vec![("shipping", Consumer::topic("orders.*"))]).await;
    house.is("shipping", "running").await;
    let health = get(&house.router, "/health").await.json();
    assert_eq!(health["status"], "UP", "{health}");
    let broker = &health["details"]["broker.main"];
    assert_eq!((&broker["status"], &broker["state"]), (&"UP".into(), &"up".into()));
    assert_eq!((&broker["reconnects"], &broker["unconfirmed"]), (&0.into(), &0.into()));
    assert!(broker["server"].is_string() && broker["since"].as_str().unwrap().ends_with('Z'));
    assert_eq!(health["details"]["consumer.shipping"]["status"], "UP");
    assert_eq!(get(&house.router, "/readyz?scope=consumers").await.status, 200);
    assert_eq!(get(&house.router, "/readyz?scope=everything").await.code(), 40001);

    house.broker.be_away(true);
    house.is("shipping", "waiting").await;
    let health = get(&house.router, "/health").await;
    assert_eq!((health.status.as_u16(), &health.json()["status"]), (200, &"DEGRADED".into()));
    let (broker, consumer) = ("broker.main", "consumer.shipping");
    assert_eq!(health.json()["details"][broker]["status"], "DOWN");
    assert_eq!(health.json()["details"][consumer]["status"], "DEGRADED");
    assert_eq!(get(&house.router, "/readyz").await.status, 200, "tasks are accepted all the same");
    let ready = get(&house.router, "/readyz?scope=consumers").await;
    let reason = "shipping: its broker main is lost";
    assert_eq!((ready.status.as_u16(), &ready.json()["reason"]), (503, &reason.into()));

    house.broker.be_away(false);
    house.is("shipping", "running").await;
    assert_eq!(get(&house.router, "/readyz?scope=consumers").await.status, 200);
    house.engine.stop(Duration::from_secs(5)).await;
    assert_eq!(get(&house.router, "/readyz?scope=consumers").await.status, 503);
}
