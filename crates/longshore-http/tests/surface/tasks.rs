//! Tasks over the router, with a whole engine behind it.

use crate::house::{ask, engine, get, post, post_with};
use axum::body::Body;
use http::Request;
use longshore_http::router;

#[tokio::test]
async fn an_accepted_task_is_located_and_read_back() {
    let router = router(&engine());
    let sent = r#"{"kind":"echo","payload":{"n": 1.00, "big": 99999999999999999999},"tags":["a"]}"#;
    let accepted = post(&router, "/v1/tasks", sent).await;
    assert_eq!(accepted.status, 201);
    let body = accepted.json();
    assert_eq!((&body["code"], &body["message"]), (&201.into(), &"created".into()));
    let id = body["data"]["id"].as_str().unwrap();
    assert_eq!(accepted.header("location"), format!("/v1/tasks/{id}"));
    let names: Vec<_> = body["data"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected =
        ["id", "kind", "queue", "status", "run_at", "created_at", "durability"].to_vec();
    expected.sort_unstable();
    let mut names_sorted = names.clone();
    names_sorted.sort_unstable();
    assert_eq!(names_sorted, expected);

    let task = get(&router, &format!("/v1/tasks/{id}?wait=5s")).await;
    assert_eq!(task.status, 200);
    assert!(task.text().contains(r#""payload":{"n": 1.00, "big": 99999999999999999999}"#));
    let data = &task.json()["data"];
    assert_eq!(data["status"], "success");
    assert_eq!(data["result"]["kind"], "echo");
    for field in [
        "id",
        "kind",
        "name",
        "queue",
        "status",
        "blocked_by",
        "reason",
        "priority",
        "payload",
        "result",
        "error",
        "run",
        "attempt",
        "max_attempts",
        "crashes",
        "run_at",
        "created_at",
        "started_at",
        "finished_at",
        "timeout",
        "order_key",
        "tags",
        "headers",
        "tenant",
        "progress",
        "schedule_id",
        "replay_of",
        "parents",
        "group",
        "worker",
        "trace_id",
        "durability",
    ] {
        assert!(data.get(field).is_some(), "{field} is missing");
    }
    assert_eq!(data.as_object().unwrap().len(), 32);
}

#[tokio::test]
async fn a_waiting_submit_answers_with_the_whole_task_or_the_short_form() {
    let router = router(&engine());
    let ended = post(&router, "/v1/tasks?wait=5s", r#"{"kind":"hello"}"#).await;
    assert_eq!((ended.status.as_u16(), &ended.json()["data"]["status"]), (200, &"success".into()));
    assert!(ended.header("location").starts_with("/v1/tasks/"));
    let short = post(&router, "/v1/tasks?wait=50ms", r#"{"kind":"stuck"}"#).await;
    assert_eq!(short.status, 201);
    assert!(short.json()["data"].get("payload").is_none());
    let refused = post(&router, "/v1/tasks?wait=61s", r#"{"kind":"hello"}"#).await;
    assert_eq!((refused.code(), refused.fields()), (40001, vec!["wait".to_owned()]));
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_byte_for_byte() {
    let router = router(&engine());
    let key = [("idempotency-key", "\"order-1\"")];
    let body = r#"{"kind":"hello"}"#;
    let first = post_with(&router, "/v1/tasks", body, &key).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, ""));
    for path in ["/v1/tasks", "/tasks", "/v1/tasks?wait=5s"] {
        let again = post_with(&router, path, body, &[("idempotency-key", "order-1")]).await;
        assert_eq!(again.status, 201, "{path}");
        assert_eq!(again.body, first.body, "{path}");
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(again.header("idempotency-replayed"), "true");
    }
    for other in [r#"{"kind":"echo"}"#, r#"{"kind":"none"}"#, r#"{"foo":1}"#, "{"] {
        let answer = post_with(&router, "/v1/tasks", other, &key).await;
        assert_eq!(answer.code(), 42201, "{other}");
    }
}

#[tokio::test]
async fn a_refused_request_binds_no_key() {
    let router = router(&engine());
    let key = [("idempotency-key", "k")];
    assert_eq!(post_with(&router, "/v1/tasks", r#"{"kind":"none"}"#, &key).await.code(), 40001);
    assert_eq!(post_with(&router, "/v1/tasks", r#"{"kind":"hello"}"#, &key).await.status, 201);
    let bad = post_with(&router, "/v1/tasks", "{}", &[("idempotency-key", "two words")]).await;
    assert_eq!(bad.code(), 40005);
}

#[tokio::test]
async fn an_id_is_accepted_once() {
    let router = router(&engine());
    let id = "0198b2f0-5a1c-7c3e-9f3a-2b1d4c5e6f70";
    let body = format!(r#"{{"kind":"hello","id":"{id}"}}"#);
    assert_eq!(post(&router, "/v1/tasks", &body).await.json()["data"]["id"], id);
    let again = post(&router, "/v1/tasks", &body).await;
    assert_eq!(again.code(), 40901);
    assert_eq!(again.header("location"), format!("/v1/tasks/{id}"));
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_at_once() {
    let router = router(&engine());
    let answer = post(
        &router,
        "/v1/tasks",
        r#"{"taskType":"helo","priority":"4","foo":1,"name":"x","max_attempts":0}"#,
    )
    .await;
    assert_eq!(answer.code(), 40001);
    let mut fields = answer.fields();
    fields.sort();
    assert_eq!(fields, ["foo", "max_attempts", "name", "priority", "taskType"]);
    assert!(answer.text().contains("did you mean hello?"), "{}", answer.text());
    let later = post(&router, "/v1/tasks", r#"{"kind":"hello","callback":{}}"#).await;
    assert_eq!((later.code(), later.fields()), (40010, vec!["callback".to_owned()]));
}

#[tokio::test]
async fn bodies_of_the_wrong_sort_are_refused_as_such() {
    let router = router(&engine());
    let with = |kind: &str, body: String| {
        Request::post("/v1/tasks").header("content-type", kind).body(Body::from(body)).unwrap()
    };
    let json = "application/json";
    for (kind, body, code) in [
        (json, "{".to_owned(), 40002),
        (json, String::new(), 40002),
        (json, "[]".to_owned(), 40001),
        (
            json,
            format!("{{\"kind\":\"hello\",\"payload\":{}{}}}", "[".repeat(99), "]".repeat(99)),
            40002,
        ),
        (json, format!("{{\"kind\":\"hello\",\"payload\":\"{}\"}}", "x".repeat(256 << 10)), 41301),
        ("text/plain", "{\"kind\":\"hello\"}".to_owned(), 41501),
    ] {
        assert_eq!(ask(&router, with(kind, body)).await.code(), code);
    }
}

#[tokio::test]
async fn lists_are_paged_newest_first_without_payloads() {
    let router = router(&engine());
    let mut ids = Vec::new();
    for _ in 0..5 {
        let answer = post(&router, "/v1/tasks", r#"{"kind":"hello","delay":"1h"}"#).await;
        ids.insert(0, answer.json()["data"]["id"].as_str().unwrap().to_owned());
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/tasks?limit=2&status=scheduled".to_owned());
    loop {
        let page = get(&router, &path).await.json();
        for item in page["data"]["items"].as_array().unwrap() {
            assert!(item.get("payload").is_none() && item.get("result").is_none());
            seen.push(item["id"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page["data"]["next_cursor"].as_str() else { break };
        path = format!("/v1/tasks?limit=2&status=scheduled&cursor={cursor}");
    }
    assert_eq!(seen, ids);
    let none = get(&router, "/tasks?kind=echo&status=failed,expired").await.json();
    assert_eq!(none["data"], serde_json::json!({"items": [], "next_cursor": null}));
    assert_eq!(get(&router, "/v1/tasks?cursor=%3F").await.code(), 40004);
    assert_eq!(get(&router, "/v1/tasks?q=payload.a:1").await.code(), 40010);
}

#[tokio::test]
async fn a_task_that_did_not_change_is_not_sent_again() {
    let router = router(&engine());
    let accepted = post(&router, "/v1/tasks", r#"{"kind":"hello","delay":"1h"}"#).await;
    let path = accepted.header("location").to_owned();
    let tag = get(&router, &path).await.header("etag").to_owned();
    let known = Request::get(&path).header("if-none-match", &tag).body(Body::empty()).unwrap();
    let answer = ask(&router, known).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (304, 0));
    assert_eq!(answer.header("etag"), tag);
}

#[tokio::test]
async fn ids_that_are_none_and_tasks_that_are_not_there_differ() {
    let router = router(&engine());
    for bad in ["/v1/tasks/7", "/tasks/%7Bid%7D", "/v1/tasks/%ff"] {
        assert_eq!(get(&router, bad).await.code(), 40003, "{bad}");
    }
    let missing = get(&router, "/v1/tasks/0198b2f0-5a1c-7c3e-9f3a-2b1d4c5e6f70").await;
    assert_eq!(missing.code(), 40402);
    assert_eq!(missing.json()["instance"], "/v1/tasks/0198b2f0-5a1c-7c3e-9f3a-2b1d4c5e6f70");
}

#[tokio::test]
async fn the_bare_shape_is_the_resource_alone() {
    let router = router(&engine());
    let bare = [("accept", "application/vnd.longshore+json")];
    let answer = post_with(&router, "/v1/tasks", r#"{"kind":"hello"}"#, &bare).await;
    assert_eq!(answer.header("content-type"), "application/vnd.longshore+json");
    assert_eq!(answer.json()["kind"], "hello");
}

#[tokio::test]
async fn a_trace_is_kept_with_the_task_and_goes_on_in_the_answer() {
    let router = router(&engine());
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    let headers = [("traceparent", parent.as_str()), ("x-request-id", "mine")];
    let answer = post_with(&router, "/v1/tasks", r#"{"kind":"hello"}"#, &headers).await;
    assert!(answer.header("traceparent").contains(trace));
    assert_eq!(answer.header("x-request-id"), "mine");
    let task = get(&router, answer.header("location")).await;
    assert_eq!(task.json()["data"]["trace_id"], trace);
    let refused = post_with(&router, "/v1/tasks", "{}", &headers).await;
    assert_eq!(refused.json()["trace_id"], trace);
}

#[tokio::test]
async fn a_draining_engine_takes_nothing_in_and_is_not_ready() {
    let engine = engine();
    let router = router(&engine);
    engine.begin_drain();
    let refused = post(&router, "/v1/tasks", r#"{"kind":"hello"}"#).await;
    assert_eq!((refused.code(), refused.header("connection")), (50302, "close"));
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(get(&router, "/readyz").await.status, 503);
    assert_eq!(get(&router, "/livez").await.status, 200);
}
