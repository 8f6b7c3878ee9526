//! Dead letters, and the filters of lists.

use crate::house::{engine, get, post};
use axum::Router;
use longshore_http::router;

const NOBODY: &str = "/v1/dead-letters/0198b2f0-5a1c-7c3e-9f3a-2b1d4c5e6f70";

async fn made(router: &Router, body: &str) -> String {
    let path = post(router, "/v1/tasks?wait=10s", body).await.header("location").to_owned();
    path.rsplit('/').next().unwrap().to_owned()
}

async fn ids(router: &Router, path: &str) -> Vec<String> {
    let list = get(router, path).await;
    assert_eq!(list.status, 200, "{}", list.text());
    let list = list.json();
    let items = list["data"]["items"].as_array().unwrap();
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn failed_tasks_are_dead_letters_and_others_are_not() {
    let router = router(&engine());
    let dead = made(&router, r#"{"kind":"doomed","tags":["a"]}"#).await;
    made(&router, r#"{"kind":"hello"}"#).await;
    for query in [
        "",
        "?status=failed",
        "?error=bad_data",
        "?error=smtp.550",
        "?kind=doomed&queue=default&tag=a&tenant=default",
        "?created=gt:2000-01-01T00:00:00Z&limit=1",
    ] {
        assert_eq!(ids(&router, &format!("/v1/dead-letters{query}")).await, [&*dead], "{query}");
    }
    for query in ["?status=success", "?error=timeout", "?kind=hello", "?tag=b", "?tenant=acme"] {
        assert!(ids(&router, &format!("/v1/dead-letters{query}")).await.is_empty(), "{query}");
    }
}

#[tokio::test]
async fn a_dead_letter_runs_again_or_is_thrown_away() {
    let router = router(&engine());
    let dead = made(&router, r#"{"kind":"doomed"}"#).await;
    let again = post(&router, &format!("/v1/dead-letters/{dead}/retry"), "").await;
    assert_eq!((again.status.as_u16(), &again.json()["data"]["run"]), (200, &2.into()));
    let ended = get(&router, &format!("/v1/tasks/{dead}?wait=10s")).await.json();
    assert_eq!(ended["data"]["status"], "failed");
    let gone = post(&router, &format!("/v1/dead-letters/{dead}/discard"), "").await.json();
    assert_eq!(
        (&gone["data"]["status"], &gone["data"]["reason"]),
        (&"cancelled".into(), &"discarded".into())
    );
    assert_eq!(post(&router, &format!("/v1/dead-letters/{dead}/retry"), "").await.code(), 40903);
    assert_eq!(post(&router, &format!("/v1/dead-letters/{dead}/discard"), "").await.code(), 40903);
}

#[tokio::test]
async fn what_is_no_dead_letter_is_left_alone() {
    let router = router(&engine());
    let waiting = post(&router, "/v1/tasks", r#"{"kind":"hello","delay":"1h"}"#).await;
    let waiting = waiting.header("location").replace("tasks", "dead-letters");
    for verb in ["retry", "discard"] {
        assert_eq!(post(&router, &format!("{waiting}/{verb}"), "").await.code(), 40903);
        assert_eq!(post(&router, &format!("{NOBODY}/{verb}"), "").await.code(), 40402);
        assert_eq!(post(&router, &format!("/v1/dead-letters/7/{verb}"), "").await.code(), 40003);
        assert_eq!(get(&router, &format!("{NOBODY}/{verb}")).await.code(), 40501);
    }
}

#[tokio::test]
async fn many_at_once_are_not_available_yet() {
    let router = router(&engine());
    assert_eq!(get(&router, "/v1/dead-letters/groups").await.code(), 40010);
    for verb in ["retry", "discard"] {
        let body = r#"{"filter":{},"reason":"x"}"#;
        assert_eq!(post(&router, &format!("/v1/dead-letters/{verb}"), body).await.code(), 40010);
    }
    assert_eq!(get(&router, "/v1/dead-letters?q=payload.a:1").await.code(), 40010);
    assert_eq!(get(&router, "/v1/dead-letters?errors=timeout").await.code(), 40001);
    assert_eq!(get(&router, "/v1/dead-letters?cursor=x").await.code(), 40004);
}

#[tokio::test]
async fn lists_are_filtered_by_tag_time_tenant_and_several_statuses() {
    let router = router(&engine());
    let red = made(&router, r#"{"kind":"hello","tags":["red","big"]}"#).await;
    let blue = made(&router, r#"{"kind":"doomed","tags":["blue"]}"#).await;
    let both = [blue.clone(), red.clone()];
    assert_eq!(ids(&router, "/v1/tasks?tag=red").await, [&*red]);
    assert_eq!(ids(&router, "/v1/tasks?status=success,failed").await, both);
    assert_eq!(ids(&router, "/v1/tasks?status=failed&status=running").await, [&*blue]);
    assert_eq!(ids(&router, "/v1/tasks?tenant=default").await, both);
    assert!(ids(&router, "/v1/tasks?tenant=acme").await.is_empty());
    let task = get(&router, &format!("/v1/tasks/{red}")).await.json();
    let at = task["data"]["created_at"].as_str().unwrap();
    assert!(
        ids(&router, &format!("/v1/tasks?created=gte:{at}&created=lte:{at}")).await.contains(&red)
    );
    assert!(!ids(&router, &format!("/v1/tasks?created=gt:{at}")).await.contains(&red));
    assert!(!ids(&router, &format!("/v1/tasks?created=lt:{at}")).await.contains(&red));
    assert!(ids(&router, &format!("/v1/tasks?created=gt:{at},lt:{at}")).await.is_empty());
}
