//! Many tasks in one request.

use crate::house::{Answer, ask, engine, get, post, post_with};
use axum::Router;
use axum::body::{Body, Bytes};
use http::Request;
use longshore_http::router;
use serde_json::{Value, json};
use std::io::Write;

const PATH: &str = "/v1/tasks:batch";

async fn items(router: &Router, body: &Value) -> Vec<Value> {
    let answer = post(router, PATH, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["data"]["items"].as_array().unwrap().clone()
}

async fn stored(router: &Router) -> usize {
    let list = get(router, "/v1/tasks?limit=1000").await.json();
    list["data"]["items"].as_array().unwrap().len()
}

async fn sent(router: &Router, body: impl Into<Body>, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::post(PATH).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask(router, request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn every_item_is_answered_at_its_place() {
    let router = router(&engine());
    let id = "0198b2f0-5a1c-7c3e-9f3a-2b1d4c5e6f70";
    let answers = items(
        &router,
        &json!([
            {"kind": "hello", "id": id, "delay": "1h"},
            {"kind": "helo"},
            7,
            {"kind": "hello", "id": id},
            {"kind": "hello", "callback": {}},
            {"kind": "echo", "payload": {"n": 1}},
        ]),
    )
    .await;
    assert_eq!(answers[0], json!({"id": id, "status": "scheduled"}));
    assert_eq!(
        (&answers[1]["code"], &answers[1]["errors"][0]["field"]),
        (&40001.into(), &"kind".into())
    );
    assert_eq!((&answers[2]["code"], &answers[2]["errors"]), (&40001.into(), &json!([])));
    assert_eq!(answers[3]["code"], 40901);
    assert_eq!(
        (&answers[4]["code"], &answers[4]["errors"][0]["field"]),
        (&40010.into(), &"callback".into())
    );
    let path = format!("/v1/tasks/{}", answers[5]["id"].as_str().unwrap());
    assert_eq!(get(&router, &path).await.json()["data"]["payload"], json!({"n": 1}));
    assert_eq!(stored(&router).await, 2);
}

#[tokio::test]
async fn an_empty_array_is_answered_with_no_items() {
    let router = router(&engine());
    for path in [PATH, "/tasks:batch"] {
        let answer = post(&router, path, " [ ] ").await;
        assert_eq!(answer.json(), json!({"code": 200, "message": "ok", "data": {"items": []}}));
    }
}

#[tokio::test]
async fn what_is_no_array_stores_nothing() {
    let router = router(&engine());
    for (body, code) in [
        ("{}", 40001),
        ("null", 40001),
        ("", 40002),
        (r#"[{"kind":"hello"}"#, 40002),
        (r#"[{"kind":"hello"},]"#, 40002),
        (r#"[{"kind":"hello"},{"kind":}]"#, 40002),
        (r#"[{"kind":"hello"} {"kind":"hello"}]"#, 40002),
        (r#"[{"kind":"hello"}] x"#, 40002),
    ] {
        assert_eq!(post(&router, PATH, body).await.code(), code, "{body}");
    }
    let no_text = sent(&router, b"[{\"kind\":\"\xff\"}]".to_vec(), &[]).await;
    assert_eq!(no_text.code(), 40002);
    assert_eq!(stored(&router).await, 0);
}

#[tokio::test]
async fn headers_and_parameters_that_have_no_meaning_here_are_refused() {
    let router = router(&engine());
    let key = post_with(&router, PATH, "[]", &[("idempotency-key", "k")]).await;
    assert_eq!(key.code(), 40005);
    let wait = post(&router, &format!("{PATH}?wait=1s"), "[]").await;
    assert_eq!((wait.code(), wait.fields()), (40001, vec!["wait".to_owned()]));
    let text = Request::post(PATH).header("content-type", "text/plain").body(Body::from("[]"));
    assert_eq!(ask(&router, text.unwrap()).await.code(), 41501);
    assert_eq!(get(&router, PATH).await.code(), 40501);
}

#[tokio::test]
async fn an_item_is_answered_again_by_its_own_key() {
    let router = router(&engine());
    let one = json!({"kind": "hello", "idempotency_key": "order-1"});
    let first = items(&router, &json!([one, {"kind": "hello"}])).await;
    let other = json!({"kind": "echo", "idempotency_key": "order-1"});
    let wrong = json!({"kind": "none", "idempotency_key": "order-1"});
    let again = items(&router, &json!([one, one, other, wrong])).await;
    assert_eq!((&again[0], &again[1]), (&first[0], &first[0]));
    assert_eq!((&again[2]["code"], &again[3]["code"]), (&42201.into(), &42201.into()));
    assert_eq!(stored(&router).await, 2);
    let bad = items(&router, &json!([{"kind": "hello", "idempotency_key": "two words"}])).await;
    assert_eq!(bad[0]["errors"][0]["field"], "idempotency_key");
    let alone = post(&router, "/v1/tasks", &one.to_string()).await;
    assert_eq!((alone.code(), alone.fields()), (40001, vec!["idempotency_key".to_owned()]));
}

#[tokio::test]
async fn a_large_or_deep_item_harms_no_other() {
    let router = router(&engine());
    let large = json!({"kind": "hello", "payload": "x".repeat(256 << 10)}).to_string();
    let fits = json!({"kind": "hello", "payload": "x".repeat((256 << 10) - 29)}).to_string();
    assert_eq!(fits.len(), 256 << 10);
    let deep = format!(r#"{{"kind":"hello","payload":{}{}}}"#, "[".repeat(64), "]".repeat(64));
    let answer = post(&router, PATH, &format!("[{large},{fits},{deep}]")).await.json();
    let answers = &answer["data"]["items"];
    assert_eq!(answers[0]["code"], 41301);
    assert_eq!(answers[1]["status"], "pending");
    assert_eq!(answers[2]["code"], 40002);
}

#[tokio::test]
async fn ten_thousand_items_are_taken_and_one_more_is_not() {
    let router = router(&engine());
    let of = |count: usize| format!("[{}]", vec![r#"{"kind":"helo"}"#; count].join(","));
    let answer = post(&router, PATH, &of(10_000)).await;
    assert_eq!(answer.json()["data"]["items"].as_array().unwrap().len(), 10_000);
    assert_eq!(post(&router, PATH, &of(10_001)).await.code(), 40001);
}

#[tokio::test]
async fn limits_count_after_decompression() {
    let router = router(&engine());
    let gzip = |body: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let coded = [("content-encoding", "gzip")];
    let small = sent(&router, gzip(br#"[{"kind":"hello"}]"#), &coded).await;
    assert_eq!(small.json()["data"]["items"][0]["status"], "pending");
    let bomb = format!("[{}]", " ".repeat(4 << 20));
    assert_eq!(sent(&router, gzip(bomb.as_bytes()), &coded).await.code(), 41301);
    let beyond = format!("[{}]", " ".repeat(16 << 20));
    assert_eq!(sent(&router, gzip(beyond.as_bytes()), &coded).await.code(), 41301);
    assert_eq!(sent(&router, beyond, &[]).await.code(), 41301);
    assert_eq!(sent(&router, "[]", &coded).await.code(), 40006);
}

#[tokio::test]
async fn items_are_read_as_their_bytes_arrive() {
    let router = router(&engine());
    let body = json!([{"kind": "hello", "payload": {"a": "],["}}, {"kind": "echo"}]).to_string();
    let pieces: Vec<_> = body
        .into_bytes()
        .chunks(3)
        .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
        .collect();
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let answer = sent(&router, body, &[]).await.json();
    assert_eq!(answer["data"]["items"].as_array().unwrap().len(), 2);
    assert_eq!(stored(&router).await, 2);
}

#[tokio::test]
async fn a_draining_engine_takes_no_batch_in() {
    let engine = engine();
    let router = router(&engine);
    engine.begin_drain();
    assert_eq!(post(&router, PATH, r#"[{"kind":"hello"}]"#).await.code(), 50302);
}
