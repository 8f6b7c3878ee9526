//! A service as somebody builds it: a handler beside routes of their own, stopped and started again.

use longshore::Error;
use longshore::core::{Payload, State, TenantName};
use longshore::handler::{self, HandlerError};
use longshore::{Service, Submission};
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
    let wish =
        Submission { payload: Some(Payload::from_json("\"you\"")), ..Submission::new("greet") };
    let engine = service.engine().clone();
    let id = engine.intake().submit(wish).await.expect("accepted").id;
    let wait = Duration::from_secs(20);
    let task = engine.hub().wait(&**engine.store(), TenantName::default(), id, wait).await;
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
    }
}
