//! Schedules: made, read, changed, held back, run, and removed.

use crate::house::{Answer, ask, engine, get, post, post_with};
use axum::Router;
use axum::body::Body;
use http::{Method, Request};
use longshore_http::router;
use longshore_runtime::{Engine, Plan, Submission};
use serde_json::{Value, json};

const DAILY: &str = r#"{"kind":"hello","name":"tidy","cron":"0 3 * * *","timezone":"Europe/Berlin",
    "payload":{"n": 1.00},"tags":["night"]}"#;

async fn make(router: &Router, body: &str) -> Value {
    let made = post(router, "/v1/schedules", body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["data"].clone()
}

async fn call(
    router: &Router,
    method: Method,
    path: &str,
    body: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    request = request.header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask(router, request.body(Body::from(body.to_owned())).unwrap()).await
}

fn at(schedule: &Value) -> String {
    format!("/v1/schedules/{}", schedule["id"].as_str().unwrap())
}

/// An engine with the schedule `tidy` in its configuration.
async fn configured() -> (Engine, Router, String) {
    let engine = engine();
    let router = router(&engine);
    configure(&engine, "0 3 * * *").await;
    let list = get(&router, "/v1/schedules").await.json();
    let path = at(&list["data"]["items"][0]);
    (engine, router, path)
}

async fn configure(engine: &Engine, cron: &str) {
    let task = Submission { name: Some("tidy".to_owned()), ..Submission::new("hello") };
    engine.schedules().configure(&[Plan::new(cron, task)]).await.unwrap();
}

#[tokio::test]
async fn a_task_with_a_cron_makes_a_schedule() {
    let router = router(&engine());
    let id = "0198b2f0-5a1c-7c3e-9f3a-2b1d4c5e6f70";
    let body = format!(r#"{{"kind":"hello","cron":"*/5 * * * * *","id":"{id}"}}"#);
    let made = post(&router, "/v1/tasks", &body).await;
    assert_eq!(
        (made.status.as_u16(), made.header("location")),
        (201, &*format!("/v1/schedules/{id}"))
    );
    assert_eq!(made.json()["data"]["schedule_id"], id);
    let again = post(&router, "/tasks", &body).await;
    assert_eq!((again.code(), again.header("location")), (40911, &*format!("/v1/schedules/{id}")));
    let refused = post(&router, "/v1/tasks?wait=1s", &body).await;
    assert_eq!((refused.code(), refused.fields()), (40001, vec!["wait".to_owned()]));
    let batch = post(&router, "/v1/tasks:batch", &format!("[{body}]")).await;
    assert_eq!(batch.json()["data"]["items"][0]["errors"][0]["field"], "cron");
}

#[tokio::test]
async fn a_schedule_is_read_as_it_was_written() {
    let router = router(&engine());
    let made = make(&router, DAILY).await;
    let read = get(&router, &at(&made)).await;
    assert!(read.text().contains(r#""payload":{"n": 1.00}"#), "{}", read.text());
    let data = read.json()["data"].clone();
    for (name, value) in [
        ("name", json!("tidy")),
        ("origin", json!("api")),
        ("cron", json!("0 3 * * *")),
        ("timezone", json!("Europe/Berlin")),
        ("missed", json!("one")),
        ("paused", json!(false)),
        ("kind", json!("hello")),
        ("tags", json!(["night"])),
        ("queue", Value::Null),
        ("problem", Value::Null),
        ("last_slot", Value::Null),
        ("version", json!(1)),
    ] {
        assert_eq!(data[name], value, "{name}");
    }
    assert!(data["next_slot"].is_string());
    let list = get(&router, "/v1/schedules").await.json()["data"].clone();
    assert_eq!(list["items"][0]["id"], data["id"]);
    assert!(list["items"][0].get("payload").is_none() && list["next_cursor"].is_null());
    let other = "/v1/schedules/0198b2f0-5a1c-7c3e-9f3a-2b1d4c5e6f70";
    assert_eq!(get(&router, other).await.code(), 40411);
    assert_eq!(get(&router, "/v1/schedules/tidy").await.code(), 40003);
}

#[tokio::test]
async fn a_hostile_range_is_refused_at_once_by_its_field() {
    let router = router(&engine());
    let long = "1,".repeat(5_000);
    for (cron, said) in [
        ("*/0 * * * *", "minute"),
        ("0-999999999 * * * *", "minute"),
        ("0 0 30 2 *", "day of month"),
        (&*long, "at most 256 bytes"),
    ] {
        for path in ["/v1/tasks", "/v1/schedules"] {
            let answer =
                post(&router, path, &json!({"kind": "hello", "cron": cron}).to_string()).await;
            assert_eq!((answer.code(), answer.fields()), (40001, vec!["cron".to_owned()]));
            assert!(answer.text().contains(said), "{}", answer.text());
        }
    }
    let all = r#"{"kind":"nope","cron":"* * *","timezone":"Mars","missed":"two","priority":99}"#;
    let answer = post(&router, "/v1/schedules", all).await;
    assert_eq!(answer.fields(), ["missed", "cron", "kind", "priority"]);
}

#[tokio::test]
async fn a_repeated_request_makes_no_second_schedule() {
    let router = router(&engine());
    let key = [("idempotency-key", "k1")];
    for path in ["/v1/tasks", "/v1/schedules"] {
        let first = post_with(&router, path, DAILY, &key).await;
        let second = post_with(&router, path, DAILY, &key).await;
        assert_eq!((first.status.as_u16(), &first.body), (201, &second.body));
        assert_eq!(second.header("idempotency-replayed"), "true");
        let other = post_with(&router, path, r#"{"kind":"hello","cron":"@daily"}"#, &key).await;
        assert_eq!(other.code(), 42201);
    }
    let list = get(&router, "/v1/schedules").await.json();
    assert_eq!(list["data"]["items"].as_array().unwrap().len(), 2, "each route has its own keys");
}

#[tokio::test]
async fn a_change_leaves_the_rest_and_null_gives_the_default_back() {
    let router = router(&engine());
    let path = at(&make(&router, DAILY).await);
    let change = r#"{"cron":"0 4 * * *","missed":"skip","priority":9}"#;
    let changed = call(&router, Method::PATCH, &path, change, &[]).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let data = changed.json()["data"].clone();
    assert_eq!((&data["cron"], &data["missed"]), (&json!("0 4 * * *"), &json!("skip")));
    assert_eq!((&data["priority"], &data["tags"]), (&json!(9), &json!(["night"])));
    assert!(changed.text().contains(r#""payload":{"n": 1.00}"#));
    let back = call(&router, Method::PATCH, &path, r#"{"priority":null,"missed":null}"#, &[]).await;
    let data = back.json()["data"].clone();
    assert_eq!((&data["priority"], &data["missed"]), (&Value::Null, &json!("one")));
    for (bad, field) in [
        (r#"{"cron":null}"#, "cron"),
        (r#"{"cron":"x"}"#, "cron"),
        (r#"{"id":null}"#, "id"),
        (r#"{"kind":"nope"}"#, "kind"),
        (r#"{"prio":1}"#, "prio"),
    ] {
        let refused = call(&router, Method::PATCH, &path, bad, &[]).await;
        assert_eq!((refused.code(), refused.fields()), (40001, vec![field.to_owned()]), "{bad}");
    }
    assert_eq!(get(&router, &path).await.json()["data"]["version"], 3);
}

#[tokio::test]
async fn a_change_of_something_else_is_refused() {
    let router = router(&engine());
    let path = at(&make(&router, DAILY).await);
    let tag = get(&router, &path).await.header("etag").to_owned();
    let known = [("if-match", &*tag)];
    let first = call(&router, Method::PATCH, &path, r#"{"missed":"all"}"#, &known).await;
    assert_eq!(first.status, 200);
    let late = call(&router, Method::PATCH, &path, r#"{"missed":"skip"}"#, &known).await;
    assert_eq!(late.code(), 41201);
    assert_eq!(call(&router, Method::DELETE, &path, "", &known).await.code(), 41201);
    let fresh = [("if-match", first.header("etag"))];
    assert_eq!(call(&router, Method::DELETE, &path, "", &fresh).await.status, 200);
    assert_eq!(get(&router, &path).await.code(), 40411);
    assert_eq!(call(&router, Method::DELETE, &path, "", &[]).await.code(), 40411);
}

#[tokio::test]
async fn a_run_whose_unique_key_is_taken_answers_with_the_task_that_has_it() {
    let router = router(&engine());
    let body = r#"{"cron":"0 4 * * *","kind":"stuck","unique":{"key":"one"}}"#;
    let path = at(&make(&router, body).await);
    let first = post(&router, &format!("{path}/run"), "").await;
    let second = post(&router, &format!("{path}/run"), "").await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 200));
    assert_eq!(first.header("location"), second.header("location"));
}

#[tokio::test]
async fn a_paused_schedule_shows_no_slot_and_its_task_can_still_be_made() {
    let router = router(&engine());
    let path = at(&make(&router, DAILY).await);
    let paused = post(&router, &format!("{path}/pause"), "").await.json()["data"].clone();
    assert_eq!((&paused["paused"], &paused["next_slot"]), (&json!(true), &Value::Null));
    let run = post(&router, &format!("{path}/run"), "").await;
    assert_eq!(run.status, 201);
    let task = get(&router, run.header("location")).await.json()["data"].clone();
    assert_eq!(
        (&task["name"], format!("/v1/schedules/{}", task["schedule_id"].as_str().unwrap())),
        (&json!("tidy"), path.clone())
    );
    let resumed = post(&router, &format!("{path}/resume"), "").await.json()["data"].clone();
    assert!(resumed["next_slot"].is_string());
    let audit = get(&router, "/v1/audit").await.json();
    let acts: Vec<&str> = audit["data"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["act"].as_str().unwrap())
        .collect();
    assert_eq!(acts, ["schedule.resume", "schedule.run", "schedule.pause", "schedule.create"]);
}

#[tokio::test]
async fn the_next_slots_are_told_in_both_clocks() {
    let router = router(&engine());
    let path = at(&make(&router, DAILY).await);
    let next = get(&router, &format!("{path}/next?count=3")).await.json()["data"]["items"].clone();
    let items = next.as_array().unwrap();
    assert_eq!(items.len(), 3);
    assert!(items.iter().all(|item| item["local"].as_str().unwrap().contains("T03:00:00+0")));
    let usual = get(&router, &format!("{path}/next")).await.json();
    assert_eq!(usual["data"]["items"].as_array().unwrap().len(), 5);
    for bad in ["0", "101", "x"] {
        assert_eq!(get(&router, &format!("{path}/next?count={bad}")).await.code(), 40001, "{bad}");
    }
}

#[tokio::test]
async fn a_list_goes_on_where_it_ended() {
    let router = router(&engine());
    for _ in 0..5 {
        make(&router, DAILY).await;
    }
    let (mut path, mut ids) = ("/v1/schedules?limit=2".to_owned(), Vec::new());
    loop {
        let page = get(&router, &path).await.json()["data"].clone();
        ids.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/schedules?limit=2&cursor={cursor}");
    }
    ids.dedup();
    assert_eq!(ids.len(), 5);
    assert_eq!(get(&router, "/v1/schedules?cursor=abc").await.code(), 40004);
}

#[tokio::test]
async fn what_is_set_on_a_schedule_of_the_configuration_shows_and_can_be_taken_back() {
    let (engine, router, path) = configured().await;
    let set =
        call(&router, Method::PATCH, &path, r#"{"cron":"0 5 * * *","priority":8}"#, &[]).await;
    let data = set.json()["data"].clone();
    assert_eq!(
        (&data["origin"], &data["overridden"]),
        (&json!("config"), &json!(["cron", "priority"]))
    );
    configure(&engine, "0 6 * * *").await;
    assert_eq!(get(&router, &path).await.json()["data"]["cron"], "0 5 * * *", "a reload leaves it");
    let back =
        call(&router, Method::PATCH, &path, r#"{"cron":null}"#, &[]).await.json()["data"].clone();
    assert_eq!((&back["cron"], &back["overridden"]), (&json!("0 6 * * *"), &json!(["priority"])));
    assert_eq!(call(&router, Method::DELETE, &path, "", &[]).await.code(), 40912);
    let named = call(&router, Method::PATCH, &path, r#"{"name":"other"}"#, &[]).await;
    assert_eq!((named.code(), named.fields()), (40001, vec!["name".to_owned()]));
    engine.schedules().configure(&[]).await.unwrap();
    assert_eq!(get(&router, &path).await.code(), 40411);
}
