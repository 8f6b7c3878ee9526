//! A service as somebody builds it: a handler beside routes of their own, stopped and started again.

use axum::Router;
use axum::routing::MethodRouter;
use longshore::config::Sources;
use longshore::core::{Payload, State, TenantName};
use longshore::handler::{self, HandlerError};
use longshore::http::Problem;
use longshore::{Engine, Error, Service, Submission};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn greet(
    handler::Payload(name): handler::Payload<String>,
    handler::State(word): handler::State<&'static str>,
) -> Result<String, HandlerError> {
    Ok(format!("{word} {name}"))
}

async fn start(dir: &Path) -> Result<Service, Error> {
    let routes = axum::Router::new().route("/mine", axum::routing::get(|| async { "my own" }));
    longshore::builder()
        .store(format!("embedded:{}", dir.display()))
        .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
        .state("hello")
        .handler("greet", greet)
        .routes(routes)
        .start()
        .await
}

async fn get(addr: SocketAddr, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(addr).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_runs_beside_routes_and_its_result_outlives_the_service() {
    let dir = tempfile::tempdir().expect("a folder");
    let service = start(dir.path()).await.expect("it starts");
    let wish = Submission::new("greet").payload("you").expect("JSON");
    let engine = service.engine().clone();
    let id = engine.intake().submit(wish).await.expect("accepted").id;
    let wait = Duration::from_secs(20);
    let task = engine.tasks().wait(TenantName::default(), id, wait).await;
    assert_eq!(
        task.expect("it serves").expect("there").result,
        Some(Payload::from_json("\"hello you\""))
    );
    assert!(get(service.addr(), "/mine").await.ends_with("my own"));
    service.stop(Duration::from_secs(5)).await;

    let service = start(dir.path()).await.expect("it starts again");
    let answer = get(service.addr(), &format!("/v1/tasks/{id}")).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("hello you"), "{answer}");
    let task = service.engine().store().get(TenantName::default(), id).await;
    assert_eq!(task.expect("it serves").expect("there").state, State::Success);
    service.stop(Duration::from_secs(5)).await;
}

/// A route that submits a task of that kind.
fn submit_of(engine: Engine, kind: &'static str) -> MethodRouter {
    axum::routing::get(move || async move {
        let accepted = engine.intake().submit(Submission::new(kind)).await?;
        Ok::<_, Problem>(accepted.id.to_string())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_submits_answers_refusals_as_the_service_does() {
    let dir = tempfile::tempdir().expect("a folder");
    let service = longshore::builder()
        .store(format!("embedded:{}", dir.path().display()))
        .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
        .handler("greet", greet)
        .state("hello")
        .routes_with(|engine| Router::new().route("/right", submit_of(engine, "greet")))
        .routes_with(|engine| Router::new().route("/wrong", submit_of(engine, "greeet")))
        .start()
        .await
        .expect("it starts");
    let accepted = get(service.addr(), "/right").await;
    assert!(accepted.starts_with("HTTP/1.1 200"), "{accepted}");
    let refused = get(service.addr(), "/wrong").await;
    assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
    assert!(refused.contains("\"code\":40001") && refused.contains("greet"), "{refused}");
    service.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_program_that_cannot_watch_over_commands_is_not_given_any() {
    let kind = [("LONGSHORE__KINDS__COUNT__COMMAND", "[\"/bin/sh\"]")];
    let refused = longshore::builder().config(Sources::nowhere().env(kind)).start().await;
    let told = refused.expect_err("it never calls run_if_asked").to_string();
    assert!(told.contains("kinds.count.command") && told.contains("run_if_asked"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_service_on_the_same_folder_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let service = start(dir.path()).await.expect("it starts");
    let refused = start(dir.path()).await.expect_err("one process owns a folder");
    assert!(refused.to_string().contains("in use by process"), "{refused}");
    service.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_service_is_said_before_it_starts() {
    let bad_name = longshore::builder().handler("Not A Name", || async {}).start().await;
    assert!(matches!(bad_name, Err(Error::Name { .. })));
    let no_state = longshore::builder().handler("greet", greet).start().await;
    let told = no_state.expect_err("nobody provided it").to_string();
    assert!(told.contains("greet") && told.contains("str"), "{told}");
    for url in ["nowhere", "embedded:", "mysql:x"] {
        let refused = longshore::builder().store(url).start().await.expect_err("no store");
        assert!(refused.to_string().contains(url), "{refused}");
        assert_eq!(format!("{refused:?}"), refused.to_string(), "as `main` shows it");
    }
}
