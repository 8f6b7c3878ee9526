//! Lanes, unique keys and schemas, as clients meet them.

use crate::house::{engine, get, post, post_with};
use longshore_http::router;

fn unique(more: &str) -> String {
    format!(r#"{{"kind":"stuck","delay":"1h","unique":{{"key":"k"{more}}}}}"#)
}

#[tokio::test]
async fn an_equal_unique_key_is_answered_with_the_first_task() {
    let router = router(&engine());
    let first = post(&router, "/v1/tasks", &unique("")).await;
    assert_eq!(first.status, 201);
    let second = post(&router, "/v1/tasks", &unique("")).await;
    assert_eq!((second.status.as_u16(), &second.json()["code"]), (200, &200.into()));
    assert_eq!(second.json()["data"]["id"], first.json()["data"]["id"]);
    assert_eq!(second.header("location"), first.header("location"));
}

#[tokio::test]
async fn an_answer_with_the_first_task_is_given_again_byte_for_byte() {
    let router = router(&engine());
    post(&router, "/v1/tasks", &unique("")).await;
    let key = [("idempotency-key", "k")];
    let found = post_with(&router, "/v1/tasks", &unique(""), &key).await;
    let again = post_with(&router, "/v1/tasks", &unique(""), &key).await;
    assert_eq!((again.status.as_u16(), &again.body), (200, &found.body));
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("location"), found.header("location"));
}

#[tokio::test]
async fn a_second_task_is_refused_if_it_asks_for_that() {
    let router = router(&engine());
    let first = post(&router, "/v1/tasks", &unique("")).await;
    let second = post(&router, "/v1/tasks", &unique(r#","on_conflict":"reject""#)).await;
    assert_eq!(second.code(), 40902);
    assert_eq!(second.header("location"), first.header("location"));
}

#[tokio::test]
async fn a_waiting_task_is_replaced_and_a_running_one_is_not() {
    let router = router(&engine());
    let replace = r#","on_conflict":"replace""#;
    let first = post(&router, "/v1/tasks", &unique("")).await;
    assert_eq!(post(&router, "/v1/tasks", &unique(replace)).await.status, 201);
    let old = get(&router, first.header("location")).await.json();
    assert_eq!(
        (&old["data"]["status"], &old["data"]["reason"]),
        (&"cancelled".into(), &"replaced".into())
    );
    let running = r#"{"kind":"stuck","unique":{"key":"r"}}"#;
    let running = post(&router, "/v1/tasks", running).await;
    while get(&router, running.header("location")).await.json()["data"]["status"] != "running" {
        tokio::task::yield_now().await;
    }
    let late = r#"{"kind":"stuck","unique":{"key":"r","on_conflict":"replace"}}"#;
    assert_eq!(post(&router, "/v1/tasks", late).await.code(), 40902);
}

#[tokio::test]
async fn the_second_task_of_a_lane_waits_for_the_first() {
    let router = router(&engine());
    let body = r#"{"kind":"stuck","order_key":"customer-7"}"#;
    let first = post(&router, "/v1/tasks", body).await;
    let second = post(&router, "/v1/tasks", body).await;
    let second = get(&router, second.header("location")).await.json();
    assert_eq!(
        (&second["data"]["status"], &second["data"]["blocked_by"]),
        (&"pending".into(), &"lane".into())
    );
    assert_eq!(second["data"]["order_key"], "customer-7");
    assert_eq!(first.status, 201);
}

#[tokio::test]
async fn what_is_wrong_with_them_is_named_where_it_is() {
    let router = router(&engine());
    for (more, field) in [
        (r#""order_key":"k","delay":"1s""#, "order_key"),
        (r#""order_key":"k","run_at":"2026-11-20T09:00:00Z""#, "order_key"),
        (r#""order_key":"""#, "order_key"),
        (r#""order_key":7"#, "order_key"),
        (r#""unique":{}"#, "unique.key"),
        (r#""unique":{"key":""}"#, "unique.key"),
        (r#""unique":{"key":"k","while":"sometimes"}"#, "unique.while"),
        (r#""unique":{"key":"k","while":"0s"}"#, "unique.while"),
        (r#""unique":{"key":"k","on_conflict":"ask"}"#, "unique.on_conflict"),
        (r#""unique":{"key":"k","until":1}"#, "unique.until"),
        (r#""unique":"k""#, "unique"),
        (r#""total_timeout":"99ms""#, "total_timeout"),
    ] {
        let answer = post(&router, "/v1/tasks", &format!(r#"{{"kind":"hello",{more}}}"#)).await;
        assert_eq!((answer.code(), answer.fields()), (40001, vec![field.to_owned()]), "{more}");
    }
}

#[tokio::test]
async fn a_payload_that_does_not_fit_its_schema_is_named_field_by_field() {
    let router = router(&engine());
    let fits = r#"{"kind":"letter","payload":{"to":"a@b.c","items":[1]}}"#;
    assert_eq!(post(&router, "/v1/tasks", fits).await.status, 201);
    let bad = r#"{"kind":"letter","priority":99,"payload":{"to":7,"items":[1,"x"]}}"#;
    let answer = post(&router, "/v1/tasks", bad).await;
    let mut fields = answer.fields();
    fields.sort();
    assert_eq!(
        (answer.code(), fields),
        (40001, ["payload.items[1]", "payload.to", "priority"].map(str::to_owned).to_vec())
    );
    let none = post(&router, "/v1/tasks", r#"{"kind":"letter"}"#).await;
    assert_eq!((none.code(), none.fields()), (40001, vec!["payload".to_owned()]));
    let batch = post(&router, "/v1/tasks:batch", &format!("[{bad},{fits}]")).await.json();
    assert_eq!(batch["data"]["items"][0]["errors"].as_array().unwrap().len(), 3);
    assert_eq!(batch["data"]["items"][1]["status"], "pending");
}
