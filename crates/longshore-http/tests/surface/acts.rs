//! Cancel, retry, replay, and the attempts of a task.

use crate::house::{Answer, ask, engine, get, post, post_with};
use axum::Router;
use axum::body::Body;
use http::Request;
use longshore_http::router;
use serde_json::Value;

const NOBODY: &str = "/v1/tasks/0198b2f0-5a1c-7c3e-9f3a-2b1d4c5e6f70";

/// Submits a task and returns its path.
async fn made(router: &Router, body: &str) -> String {
    post(router, "/v1/tasks", body).await.header("location").to_owned()
}

/// Makes a call without a body and without a type.
async fn call(router: &Router, path: &str) -> Answer {
    ask(router, Request::post(path).body(Body::empty()).unwrap()).await
}

async fn data(router: &Router, path: &str) -> Value {
    get(router, path).await.json()["data"].clone()
}

async fn until(router: &Router, path: &str, status: &str) -> Value {
    loop {
        let task = data(router, path).await;
        if task["status"] == status {
            return task;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_waiting_task_is_cancelled_at_once_and_only_once() {
    let router = router(&engine());
    let path = made(&router, r#"{"kind":"hello","delay":"1h"}"#).await;
    let answer = call(&router, &format!("{path}/cancel")).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["data"]["status"]),
        (200, &"cancelled".into())
    );
    assert_eq!(call(&router, &format!("{path}/cancel")).await.code(), 40903);
}

#[tokio::test]
async fn who_waits_for_a_task_hears_that_it_was_cancelled() {
    let router = router(&engine());
    let path = made(&router, r#"{"kind":"hello","delay":"1h"}"#).await;
    let (waiting, cancel) = (format!("{path}?wait=30s"), format!("{path}/cancel"));
    let (task, _) = tokio::join!(get(&router, &waiting), call(&router, &cancel));
    assert_eq!(task.json()["data"]["status"], "cancelled");
}

#[tokio::test]
async fn a_running_task_is_told_and_ends_cancelled() {
    let router = router(&engine());
    let path = made(&router, r#"{"kind":"polite"}"#).await;
    until(&router, &path, "running").await;
    let answer = call(&router, &format!("{path}/cancel")).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["data"]["status"]),
        (200, &"running".into())
    );
    until(&router, &path, "cancelled").await;
}

#[tokio::test]
async fn an_ended_task_goes_again_as_another_run() {
    let router = router(&engine());
    let path = made(&router, r#"{"kind":"hello","delay":"1h"}"#).await;
    call(&router, &format!("{path}/cancel")).await;
    let answer = call(&router, &format!("{path}/retry")).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["data"]["run"]), (200, &2.into()));
    let ended = until(&router, &path, "success").await;
    assert_eq!(ended["run"], 2);
    assert_eq!(call(&router, &format!("{path}/retry")).await.code(), 40903);
}

#[tokio::test]
async fn a_replay_is_a_new_task_like_the_old_one() {
    let router = router(&engine());
    let sent = r#"{"kind":"echo","payload":{"n": 1.00},"name":"first","priority":7,"tags":["a"],
                   "max_attempts":2,"order_key":"k","headers":{"team":"x"}}"#;
    let path = made(&router, sent).await;
    let old = until(&router, &path, "success").await;
    let answer = call(&router, &format!("{path}/replay")).await;
    assert_eq!(answer.status, 201);
    let new = data(&router, answer.header("location")).await;
    assert_ne!(new["id"], old["id"]);
    assert_eq!(new["replay_of"], old["id"]);
    for field in
        ["kind", "payload", "name", "priority", "tags", "max_attempts", "order_key", "headers"]
    {
        assert_eq!(new[field], old[field], "{field}");
    }
    assert_eq!(data(&router, &path).await["status"], "success");
    let other = post(&router, &format!("{path}/replay"), r#"{"payload":[2.50]}"#).await;
    assert!(get(&router, other.header("location")).await.text().contains(r#""payload":[2.50]"#));
}

#[tokio::test]
async fn a_replay_has_an_idempotency_key_of_its_own() {
    let router = router(&engine());
    let path = made(&router, r#"{"kind":"hello","delay":"1h"}"#).await;
    let other = made(&router, r#"{"kind":"hello","delay":"1h"}"#).await;
    let key = [("idempotency-key", "k")];
    let first = post_with(&router, &format!("{path}/replay"), "", &key).await;
    let again = post_with(&router, &format!("{path}/replay"), "", &key).await;
    assert_eq!((again.status.as_u16(), &again.body), (201, &first.body));
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(post_with(&router, &format!("{other}/replay"), "", &key).await.code(), 42201);
}

#[tokio::test]
async fn attempts_are_listed_oldest_first() {
    let router = router(&engine());
    let path = made(&router, r#"{"kind":"hello"}"#).await;
    until(&router, &path, "success").await;
    let list = data(&router, &format!("{path}/attempts")).await;
    let first = &list["items"][0];
    assert_eq!((list["items"].as_array().unwrap().len(), &list["next_cursor"]), (1, &Value::Null));
    assert_eq!(
        (&first["run"], &first["attempt"], &first["outcome"]),
        (&1.into(), &1.into(), &"success".into())
    );
    assert!(first["token"].is_string() && first["ended_at"].is_string(), "{first}");
    let names = [
        "run",
        "attempt",
        "token",
        "worker",
        "started_at",
        "ended_at",
        "outcome",
        "error",
        "next_at",
    ];
    assert!(names.iter().all(|name| first.get(name).is_some()));

    let stuck = made(&router, r#"{"kind":"stuck"}"#).await;
    until(&router, &stuck, "running").await;
    let list = data(&router, &format!("{stuck}/attempts")).await;
    assert_eq!(
        (&list["items"][0]["ended_at"], &list["items"][0]["outcome"]),
        (&Value::Null, &Value::Null)
    );
    let waiting = made(&router, r#"{"kind":"hello","delay":"1h"}"#).await;
    assert_eq!(data(&router, &format!("{waiting}/attempts")).await["items"], serde_json::json!([]));
}

#[tokio::test]
async fn a_call_takes_an_empty_body_whatever_its_type_and_no_other() {
    let router = router(&engine());
    let path = made(&router, r#"{"kind":"hello","delay":"1h"}"#).await;
    let with = |path: String, kind: &'static str, body: &'static str| {
        Request::post(path).header("content-type", kind).body(Body::from(body)).unwrap()
    };
    for (kind, body, code) in [
        ("application/json", r#"{"reason":"x"}"#, 40001),
        ("application/json", "[]", 40001),
        ("application/json", "{", 40002),
        ("text/plain", "please", 41501),
    ] {
        for verb in ["cancel", "retry", "replay"] {
            let answer = ask(&router, with(format!("{path}/{verb}"), kind, body)).await;
            assert_eq!(answer.code(), code, "{verb} {body}");
        }
    }
    for verb in ["cancel", "retry"] {
        let answer = ask(&router, with(format!("{path}/{verb}"), "text/plain", "")).await;
        assert_eq!(answer.status, 200, "{verb}");
    }
    let path = made(&router, r#"{"kind":"hello","delay":"1h"}"#).await;
    assert_eq!(post(&router, &format!("{path}/cancel"), "{}").await.status, 200);
}

#[tokio::test]
async fn tasks_that_are_not_there_cannot_be_acted_on() {
    let router = router(&engine());
    for verb in ["cancel", "retry", "replay"] {
        assert_eq!(call(&router, &format!("{NOBODY}/{verb}")).await.code(), 40402, "{verb}");
        assert_eq!(call(&router, &format!("/v1/tasks/7/{verb}")).await.code(), 40003, "{verb}");
        let asked = call(&router, &format!("{NOBODY}/{verb}?force=1")).await;
        assert_eq!((asked.code(), asked.fields()), (40001, vec!["force".to_owned()]));
        assert_eq!(get(&router, &format!("{NOBODY}/{verb}")).await.code(), 40501);
        assert_eq!(call(&router, &format!("/tasks/7/{verb}/")).await.code(), 40003, "{verb}");
    }
    assert_eq!(get(&router, &format!("{NOBODY}/attempts")).await.code(), 40402);
    assert_eq!(get(&router, "/tasks/7/attempts").await.code(), 40003);
    assert_eq!(get(&router, &format!("{NOBODY}/attempts?limit=1")).await.code(), 40001);
}
