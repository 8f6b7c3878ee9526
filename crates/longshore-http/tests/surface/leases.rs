//! Workers in any language: leases, their ends, and who the workers are.

use crate::house::{Answer, ask, engine, get, post};
use axum::Router;
use axum::body::Body;
use http::Request;
use longshore_http::router;
use serde_json::{Value, json};

/// Leases at most so many tasks of kind `pulled`.
async fn lease(router: &Router, max: u32) -> Vec<Value> {
    let asked = json!({"kinds": ["pulled"], "max": max, "worker": "w1"});
    let answer = post(router, "/v1/leases", &asked.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["data"]["tasks"].as_array().unwrap().clone()
}

/// A house in which `pulled` is known, with so many tasks of it.
async fn house(tasks: usize) -> Router {
    let router = router(&engine());
    assert_eq!(lease(&router, 1).await, [] as [Value; 0], "a worker makes its kind known");
    for number in 0..tasks {
        let task = json!({"kind": "pulled", "payload": {"n": number}});
        assert_eq!(post(&router, "/v1/tasks", &task.to_string()).await.status, 201);
    }
    router
}

async fn told(router: &Router, task: &Value, call: &str, body: &Value) -> Answer {
    let path = format!("/v1/leases/{}/{call}", task["lease"].as_str().unwrap());
    post(router, &path, &body.to_string()).await
}

async fn read(router: &Router, task: &Value) -> Value {
    let path = format!("/v1/tasks/{}", task["id"].as_str().unwrap());
    get(router, &path).await.json()["data"].clone()
}

#[tokio::test]
async fn a_worker_leases_a_task_and_tells_its_end() {
    let router = house(1).await;
    let task = lease(&router, 10).await.remove(0);
    assert_eq!(
        (&task["kind"], &task["payload"]["n"], &task["attempt"]),
        (&json!("pulled"), &json!(0), &json!(1))
    );
    assert!(task["expires_at"].as_str() > task["deadline"].as_str(), "{task}");
    let running = read(&router, &task).await;
    assert_eq!((&running["status"], &running["worker"]), (&json!("running"), &json!("w1")));
    let answer =
        told(&router, &task, "complete", &json!({"result": {"big": 12345678901234567890_u64}}))
            .await;
    assert_eq!(answer.json()["data"]["status"], "success");
    let ended = read(&router, &task).await;
    assert_eq!(
        (&ended["status"], &ended["result"]["big"]),
        (&json!("success"), &json!(12345678901234567890_u64))
    );
    assert_eq!(told(&router, &task, "complete", &json!({})).await.code(), 40904, "once");
}

#[tokio::test]
async fn a_failure_is_tried_again_and_bad_data_is_not() {
    let router = house(2).await;
    let tasks = lease(&router, 2).await;
    let error = json!({"error": {"class": "dependency", "message": "no answer", "code": "db.1"}, "retry_in": "1h"});
    let answer = told(&router, &tasks[0], "fail", &error).await.json();
    assert_eq!(answer["data"]["status"], "retrying");
    assert!(answer["data"]["run_at"].is_string());
    let retrying = read(&router, &tasks[0]).await;
    assert_eq!((&retrying["attempt"], &retrying["error"]["code"]), (&json!(2), &json!("db.1")));
    let bad = json!({"error": {"class": "bad_data", "message": "no address"}});
    assert_eq!(told(&router, &tasks[1], "fail", &bad).await.json()["data"]["status"], "failed");
    assert_eq!(read(&router, &tasks[1]).await["reason"], "bad_data");
}

#[tokio::test]
async fn workers_that_pull_keep_the_rate_of_a_queue_together() {
    let router = house(20).await;
    let set = Request::patch("/v1/queues/default").header("content-type", "application/json");
    let set = ask(&router, set.body(Body::from(r#"{"rate":"30/h"}"#)).unwrap()).await;
    assert_eq!(set.status, 200, "{}", set.text());
    assert_eq!(lease(&router, 2).await.len(), 2);
    let other = json!({"kinds": ["pulled"], "max": 10, "worker": "w2"}).to_string();
    let other = post(&router, "/v1/leases", &other).await.json();
    assert_eq!(other["data"]["tasks"].as_array().unwrap().len(), 1, "a tenth of an hour's");
    assert_eq!(lease(&router, 10).await, [] as [Value; 0]);
}

#[tokio::test]
async fn what_is_released_is_ready_again_and_costs_nothing() {
    let router = house(1).await;
    let first = lease(&router, 1).await.remove(0);
    assert_eq!(
        told(&router, &first, "release", &json!({})).await.json()["data"]["status"],
        "pending"
    );
    let second = lease(&router, 1).await.remove(0);
    assert_eq!((&second["id"], &second["attempt"]), (&first["id"], &json!(1)));
    assert_eq!(
        told(&router, &first, "complete", &json!({})).await.code(),
        40904,
        "the old lease is over"
    );
}

#[tokio::test]
async fn who_holds_on_hears_of_a_cancel() {
    let router = house(1).await;
    let task = lease(&router, 1).await.remove(0);
    let held = told(&router, &task, "extend", &json!({"progress": 50, "lease": "1h"})).await.json();
    assert_eq!(held["data"]["cancel"], false);
    assert!(held["data"]["expires_at"].as_str() > task["expires_at"].as_str());
    assert_eq!(read(&router, &task).await["progress"], 50);
    let cancel = format!("/v1/tasks/{}/cancel", task["id"].as_str().unwrap());
    ask(&router, Request::post(cancel).body(Body::empty()).unwrap()).await;
    assert_eq!(told(&router, &task, "extend", &json!({})).await.json()["data"]["cancel"], true);
    told(&router, &task, "fail", &json!({"error": "stopped"})).await;
    assert_eq!(read(&router, &task).await["status"], "cancelled");
}

#[tokio::test]
async fn a_request_waits_for_the_first_task() {
    let router = house(0).await;
    let asked = r#"{"kinds":["pulled"],"max":5,"wait":"30s","worker":"w1"}"#;
    let submit = async {
        tokio::task::yield_now().await;
        post(&router, "/v1/tasks", r#"{"kind":"pulled"}"#).await
    };
    let (answer, _) = tokio::join!(post(&router, "/v1/leases", asked), submit);
    assert_eq!(answer.json()["data"]["tasks"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn an_answer_that_nobody_takes_gives_its_tasks_back() {
    use tower::ServiceExt;
    let router = house(1).await;
    let asked = r#"{"kinds":["pulled"],"worker":"w1"}"#;
    let request = Request::post("/v1/leases").header("content-type", "application/json");
    let request = request.body(Body::from(asked)).unwrap();
    drop(router.clone().oneshot(request).await.unwrap());
    let task = loop {
        if let Some(task) = lease(&router, 1).await.pop() {
            break task;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((&task["attempt"], &read(&router, &task).await["crashes"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn wrong_requests_name_their_fields() {
    let router = house(0).await;
    for (body, field) in [
        (r#"{"worker":"w"}"#, "kinds"),
        (r#"{"kinds":[],"worker":"w"}"#, "kinds"),
        (r#"{"kinds":["pulled"]}"#, "worker"),
        (r#"{"kinds":["NO"],"worker":"w"}"#, "kinds"),
        (r#"{"kinds":["pulled"],"worker":""}"#, "worker"),
        (r#"{"kinds":["pulled"],"worker":"w","max":0}"#, "max"),
        (r#"{"kinds":["pulled"],"worker":"w","max":1001}"#, "max"),
        (r#"{"kinds":["pulled"],"worker":"w","wait":"2m"}"#, "wait"),
        (r#"{"kinds":["pulled"],"worker":"w","lease":"1s"}"#, "lease"),
        (r#"{"kinds":["pulled"],"worker":"w","queues":"default"}"#, "queues"),
        (r#"{"kinds":["pulled"],"worker":"w","kind":"pulled"}"#, "kind"),
    ] {
        let answer = post(&router, "/v1/leases", body).await;
        assert_eq!((answer.code(), answer.fields()), (40001, vec![field.to_owned()]), "{body}");
    }
    post(&router, "/v1/tasks", r#"{"kind":"pulled"}"#).await;
    let task = lease(&router, 1).await.remove(0);
    for (body, field) in [
        (json!({"error": {"class": "crash"}}), "error.class"),
        (json!({"error": {"why": "x"}}), "error.why"),
        (json!({"error": 7}), "error"),
        (json!({"retry_in": "2d"}), "retry_in"),
    ] {
        let answer = told(&router, &task, "fail", &body).await;
        assert_eq!((answer.code(), answer.fields()), (40001, vec![field.to_owned()]), "{body}");
    }
    let no_lease = json!({"lease": "nothing"});
    assert_eq!(told(&router, &no_lease, "complete", &json!({})).await.code(), 40904);
}

#[tokio::test]
async fn workers_are_shown_and_can_be_drained() {
    let router = house(0).await;
    let workers = get(&router, "/v1/workers").await.json()["data"]["items"].clone();
    let worker =
        workers.as_array().unwrap().iter().find(|worker| worker["worker"] == "w1").unwrap().clone();
    assert_eq!((&worker["kinds"], &worker["status"]), (&json!(["pulled"]), &json!("active")));
    let drain = |name: &str| post_empty(&router, format!("/v1/workers/{name}/drain"));
    assert_eq!(drain("w1").await.json()["data"]["draining"], true);
    assert_eq!(drain("nobody").await.code(), 40412);
    let audit = get(&router, "/v1/audit").await.json();
    assert_eq!(audit["data"]["items"][0]["act"], "drain");
}

async fn post_empty(router: &Router, path: String) -> Answer {
    ask(router, Request::post(path).body(Body::empty()).unwrap()).await
}
