//! The example as it stands: its own route, and Longshore's beside it.

use crate::service;
use longshore::Client;
use longshore::client::Task;
use longshore::core::{State, TaskId};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;

/// Signs up with that address, and returns what became of the task.
async fn sign_up(to: &str) -> Task {
    let folder = tempfile::tempdir().expect("a folder");
    let service = service()
        .store(format!("embedded:{}", folder.path().display()))
        .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
        .start()
        .await
        .expect("it starts");
    let url = format!("http://{}", service.addr());
    let http = longshore::runtime::outgoing::builder().expect("TLS").build().expect("a client");
    let answer = http.post(format!("{url}/sign-up")).json(&json!({"to": to})).send().await;
    let answer = answer.expect("an answer").error_for_status().expect("a success");
    let path = answer.text().await.expect("the task's path");
    let id: TaskId = path.trim_start_matches("/v1/tasks/").parse().expect("an id");
    let client = Client::connect(&url).expect("an address");
    let task = client.tasks().wait(id, Duration::from_secs(20)).await.expect("it is there");
    service.stop(Duration::from_secs(5)).await;
    task
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_route_submits_is_run_by_the_handler() {
    let task = sign_up("ada@example.org").await;
    let result = task.result.expect("a result");
    assert_eq!(result.get(), "\"sent to ada@example.org at attempt 1\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_without_an_address_is_a_dead_letter_after_one_attempt() {
    let task = sign_up("nobody").await;
    assert_eq!((task.status, task.attempt), (State::Failed, 1));
    assert_eq!(task.error.expect("an error").message, "no address");
}
