//! Queues: what is shown of them, set on them, and held back in them.

use crate::house::{Answer, ask, engine, get, post};
use axum::Router;
use axum::body::Body;
use http::Request;
use longshore_http::router;
use serde_json::{Value, json};

const DEFAULT: &str = "/v1/queues/default";

async fn patch(router: &Router, body: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::patch(DEFAULT).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask(router, request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn data(router: &Router, path: &str) -> Value {
    get(router, path).await.json()["data"].clone()
}

#[tokio::test]
async fn a_queue_shows_what_holds_and_what_is_in_it() {
    let router = router(&engine());
    post(&router, "/v1/tasks", r#"{"kind":"hello","delay":"1h"}"#).await;
    let queue = data(&router, DEFAULT).await;
    let origin =
        json!({"slots": "default", "limit": "default", "rate": "default", "backlog": "default"});
    assert_eq!(queue["origin"], origin);
    assert_eq!(
        (&queue["name"], &queue["slots"], &queue["paused"]),
        (&"default".into(), &16.into(), &false.into())
    );
    assert!(["limit", "rate", "backlog", "oldest_age"].iter().all(|name| queue[name].is_null()));
    assert_eq!((&queue["tasks"]["scheduled"], &queue["tasks"]["failed"]), (&1.into(), &0.into()));
    assert_eq!(queue["tasks"].as_object().unwrap().len(), 8);
    let list = data(&router, "/v1/queues").await;
    assert_eq!((&list["items"], &list["next_cursor"]), (&json!([queue]), &Value::Null));
}

#[tokio::test]
async fn what_is_set_goes_before_the_default_until_it_is_taken_back() {
    let router = router(&engine());
    let set =
        patch(&router, r#"{"slots":3,"limit":40,"rate":"500/s","backlog":1000000}"#, &[]).await;
    assert_eq!(set.status, 200, "{}", set.text());
    let shown = data(&router, DEFAULT).await;
    assert_eq!(set.json()["data"], shown);
    for (name, value) in [
        ("slots", json!(3)),
        ("limit", json!(40)),
        ("rate", json!("500/s")),
        ("backlog", json!(1_000_000)),
    ] {
        assert_eq!((&shown[name], &shown["origin"][name]), (&value, &"api".into()), "{name}");
    }
    patch(&router, r#"{"slots":null,"limit":null}"#, &[]).await;
    let shown = data(&router, DEFAULT).await;
    assert_eq!((&shown["slots"], &shown["origin"]["slots"]), (&16.into(), &"default".into()));
    assert_eq!((&shown["limit"], &shown["rate"]), (&Value::Null, &"500/s".into()));
}

#[tokio::test]
async fn a_change_of_something_else_is_refused() {
    let router = router(&engine());
    let tag = get(&router, DEFAULT).await.header("etag").to_owned();
    // What is in the queue does not change its settings.
    post(&router, "/v1/tasks", r#"{"kind":"hello","delay":"1h"}"#).await;
    let first = patch(&router, r#"{"slots":3}"#, &[("if-match", &tag)]).await;
    assert_eq!(first.status, 200);
    let late = patch(&router, r#"{"slots":4}"#, &[("if-match", &tag)]).await;
    assert_eq!(late.code(), 41201);
    assert_eq!(data(&router, DEFAULT).await["slots"], 3);
    let fresh = first.header("etag").to_owned();
    assert_eq!(patch(&router, r#"{"slots":4}"#, &[("if-match", &fresh)]).await.status, 200);
    assert_eq!(patch(&router, r#"{"slots":5}"#, &[("if-match", "*")]).await.status, 200);
}

#[tokio::test]
async fn settings_out_of_range_are_all_named() {
    let router = router(&engine());
    let bad = r#"{"slots":0,"limit":-1,"rate":"fast","backlog":0}"#;
    let answer = patch(&router, bad, &[]).await;
    assert_eq!(
        (answer.code(), answer.fields()),
        (40001, ["slots", "limit", "rate", "backlog"].map(str::to_owned).to_vec())
    );
    let unknown = patch(&router, r#"{"slot":1}"#, &[]).await;
    assert_eq!((unknown.code(), unknown.fields()), (40001, vec!["slot".to_owned()]));
    assert!(unknown.text().contains("did you mean slots?"));
    assert_eq!(patch(&router, "{", &[]).await.code(), 40002);
    assert_eq!(patch(&router, "", &[]).await.code(), 40002);
}

#[tokio::test]
async fn a_full_backlog_refuses_more_until_there_is_room() {
    let router = router(&engine());
    patch(&router, r#"{"backlog":2}"#, &[]).await;
    post(&router, &format!("{DEFAULT}/pause"), "").await;
    for _ in 0..2 {
        assert_eq!(post(&router, "/v1/tasks", r#"{"kind":"hello"}"#).await.status, 201);
    }
    let full = post(&router, "/v1/tasks", r#"{"kind":"hello"}"#).await;
    assert_eq!(full.code(), 42901);
    let seconds: u32 = full.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    let batch = post(&router, "/v1/tasks:batch", r#"[{"kind":"hello"}]"#).await.json();
    assert_eq!(batch["data"]["items"][0]["code"], 42901);
    post(&router, &format!("{DEFAULT}/purge"), "").await;
    assert_eq!(post(&router, "/v1/tasks", r#"{"kind":"hello"}"#).await.status, 201);
}

#[tokio::test]
async fn a_paused_queue_takes_tasks_in_and_runs_none() {
    let router = router(&engine());
    let paused = post(&router, &format!("{DEFAULT}/pause"), "").await;
    assert_eq!((paused.status.as_u16(), &paused.json()["data"]["paused"]), (200, &true.into()));
    let task = post(&router, "/v1/tasks?wait=100ms", r#"{"kind":"hello"}"#).await;
    assert_eq!((task.status.as_u16(), &task.json()["data"]["status"]), (201, &"pending".into()));
    let queue = data(&router, DEFAULT).await;
    assert_eq!((&queue["ready"], queue["oldest_age"].is_string()), (&1.into(), true));
    let path = task.header("location").to_owned();
    let resumed = post(&router, &format!("{DEFAULT}/resume"), "").await;
    assert_eq!(resumed.json()["data"]["paused"], false);
    assert_eq!(data(&router, &format!("{path}?wait=10s")).await["status"], "success");
}

#[tokio::test]
async fn kinds_and_tenants_are_paused_too() {
    let router = router(&engine());
    for (name, shown) in [
        ("kinds/hello", json!({"kind": "hello", "paused": true})),
        ("tenants/default", json!({"tenant": "default", "paused": true})),
    ] {
        let paused = post(&router, &format!("/v1/{name}/pause"), "").await;
        assert_eq!(paused.json()["data"], shown);
        let task = post(&router, "/v1/tasks?wait=100ms", r#"{"kind":"hello"}"#).await;
        assert_eq!(task.status, 201, "{name}");
        assert_eq!(post(&router, &format!("/v1/{name}/resume"), "").await.status, 200);
        let path = format!("{}?wait=10s", task.header("location"));
        assert_eq!(data(&router, &path).await["status"], "success", "{name}");
    }
}

#[tokio::test]
async fn a_purge_cancels_what_waits_and_says_how_many() {
    let router = router(&engine());
    let waiting = post(&router, "/v1/tasks", r#"{"kind":"hello","delay":"1h"}"#).await;
    let purged = post(&router, &format!("{DEFAULT}/purge"), "").await;
    assert_eq!((purged.status.as_u16(), &purged.json()["data"]), (200, &json!({"purged": 1})));
    let task = data(&router, waiting.header("location")).await;
    assert_eq!((&task["status"], &task["reason"]), (&"cancelled".into(), &"purged".into()));
}

#[tokio::test]
async fn an_autoscaler_is_told_how_much_there_is_to_do() {
    let router = router(&engine());
    let idle = data(&router, "/v1/scaling/default").await;
    assert_eq!(idle, json!({"depth": 0, "oldest_age": null, "in_flight": 0, "wanted": 0}));
    for _ in 0..18 {
        post(&router, "/v1/tasks", r#"{"kind":"stuck"}"#).await;
    }
    let mut busy = data(&router, "/v1/scaling/default").await;
    while busy["in_flight"] != 16 {
        busy = data(&router, "/v1/scaling/default").await;
    }
    assert_eq!((&busy["depth"], &busy["wanted"]), (&2.into(), &2.into()));
}

#[tokio::test]
async fn names_that_are_none_are_told_by_what_they_should_be() {
    let router = router(&engine());
    for name in ["none", "A", "%ff", "a%20b"] {
        assert_eq!(get(&router, &format!("/v1/queues/{name}")).await.code(), 40403, "{name}");
        assert_eq!(get(&router, &format!("/v1/scaling/{name}")).await.code(), 40403, "{name}");
        for verb in ["pause", "resume", "purge"] {
            let path = format!("/v1/queues/{name}/{verb}");
            assert_eq!(post(&router, &path, "").await.code(), 40403, "{path}");
        }
        for verb in ["pause", "resume"] {
            assert_eq!(post(&router, &format!("/v1/kinds/{name}/{verb}"), "").await.code(), 40404);
            assert_eq!(
                post(&router, &format!("/v1/tenants/{name}/{verb}"), "").await.code(),
                40405
            );
        }
    }
    for path in ["/v1/queues?limit=1", "/v1/queues/default?x=1", "/v1/scaling/default?x=1"] {
        assert_eq!(get(&router, path).await.code(), 40001, "{path}");
    }
    assert_eq!(post(&router, &format!("{DEFAULT}/pause"), r#"{"for":"1h"}"#).await.code(), 40001);
    assert_eq!(get(&router, &format!("{DEFAULT}/pause")).await.code(), 40501);
    assert_eq!(post(&router, DEFAULT, "{}").await.code(), 40501);
}
