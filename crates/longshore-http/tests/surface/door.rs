//! The accept loop over real sockets.

use crate::house::engine;
use longshore_http::{BindError, Door, DoorOptions, DrainReport};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const GET: &[u8] = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";

struct Served {
    addr: SocketAddr,
    shutdown: CancellationToken,
    report: JoinHandle<DrainReport>,
}

async fn served(change: impl FnOnce(&mut DoorOptions)) -> Served {
    let mut options = DoorOptions { listen: ([127, 0, 0, 1], 0).into(), ..DoorOptions::default() };
    change(&mut options);
    let door = Door::bind(engine(), options).await.unwrap();
    let (addr, shutdown) = (door.local_addr(), CancellationToken::new());
    let report = tokio::spawn(door.serve(shutdown.clone()));
    Served { addr, shutdown, report }
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    async fn close(self) -> DrainReport {
        self.shutdown.cancel();
        self.report.await.unwrap()
    }
}

/// Reads until there is the end of a body, or of the connection.
async fn read(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let mut chunk = [0; 4_096];
    while !all.ends_with(b"}") {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(n) => all.extend_from_slice(&chunk[..n]),
        }
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn only_loopback_is_bound() {
    let options = DoorOptions { listen: ([0, 0, 0, 0], 0).into(), ..DoorOptions::default() };
    let refused = Door::bind(engine(), options).await.unwrap_err();
    assert!(matches!(refused, BindError::Refused(_)), "{refused}");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let served = served(|_| ()).await;
    let options = DoorOptions { listen: served.addr, ..DoorOptions::default() };
    let taken = Door::bind(engine(), options).await.unwrap_err().to_string();
    assert!(taken.contains(&served.addr.to_string()), "{taken}");
}

#[tokio::test]
async fn a_connection_serves_several_requests_and_an_idle_one_is_closed_at_once() {
    let served = served(|_| ()).await;
    let mut stream = served.connect().await;
    for _ in 0..3 {
        stream.write_all(GET).await.unwrap();
        assert!(read(&mut stream).await.starts_with("HTTP/1.1 200"));
    }
    let report = served.close().await;
    assert_eq!((report.accepted, report.finished, report.cut), (1, 1, 0));
    assert!(report.took < Duration::from_secs(5));
    assert_eq!(read(&mut stream).await, "");
}

#[tokio::test]
async fn heads_that_never_come_are_not_waited_for() {
    let served = served(|options| options.header_timeout = Duration::from_millis(100)).await;
    for beginning in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n", b"GET /livez HTTP/1.1\r\nhost:"] {
        let mut stream = served.connect().await;
        stream.write_all(beginning).await.unwrap();
        let began = Instant::now();
        read(&mut stream).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{beginning:?}");
    }
}

#[tokio::test]
async fn those_who_wait_are_answered_when_the_door_closes() {
    let served = served(|_| ()).await;
    let mut stream = served.connect().await;
    let body = r#"{"kind":"stuck"}"#;
    let request = format!(
        "POST /v1/tasks?wait=60s HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    // The drain may begin before or after the request was read; give it its head start.
    let mut probe = served.connect().await;
    probe.write_all(GET).await.unwrap();
    read(&mut probe).await;
    let began = Instant::now();
    let report = served.close().await;
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(report.cut, 0);
    let answer = read(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

#[tokio::test]
async fn what_does_not_finish_is_cut_at_the_deadline() {
    let served = served(|options| options.drain = Duration::from_millis(100)).await;
    let mut stream = served.connect().await;
    let unfinished = b"POST /v1/tasks HTTP/1.1\r\nhost: localhost\r\n\
                       content-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(unfinished).await.unwrap();
    let mut probe = served.connect().await;
    probe.write_all(GET).await.unwrap();
    read(&mut probe).await;
    let report = served.close().await;
    assert_eq!(report.cut, 1, "{report:?}");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let served = served(|options| options.max_connections = 1).await;
    let mut first = served.connect().await;
    first.write_all(GET).await.unwrap();
    read(&mut first).await;
    let mut second = served.connect().await;
    second.write_all(GET).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(50), read(&mut second)).await;
    assert!(early.is_err());
    drop(first);
    assert!(read(&mut second).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_oversized_body_is_answered_and_not_reset() {
    let served = served(|_| ()).await;
    let mut stream = served.connect().await;
    let size = 2 << 20;
    let head = format!(
        "POST /v1/tasks HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {size}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; size]).await.unwrap();
    assert!(read(&mut stream).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn routes_of_the_program_stand_beside_ours() {
    let routes = axum::Router::new()
        .route("/", axum::routing::get(|| async { "{theirs}" }))
        .route("/slash/", axum::routing::get(|| async { "{slash}" }))
        .route("/livez", axum::routing::get(|| async { "{never}" }));
    let options = DoorOptions { listen: ([127, 0, 0, 1], 0).into(), ..DoorOptions::default() };
    let door = Door::bind_with(engine(), options, routes).await.unwrap();
    let addr = door.local_addr();
    let serving = tokio::spawn(door.serve(CancellationToken::new()));
    let mut stream = TcpStream::connect(addr).await.unwrap();
    for (path, status, body) in [
        ("/", 200, "{theirs}"),
        ("/slash/", 200, "{slash}"),
        ("/livez", 200, "UP"),
        ("/v1/tasks/?limit=1", 200, "items"),
        ("/nowhere", 404, "40401"),
        ("/nowhere/", 404, "40401"),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
        assert!(answer.contains(body), "{path}: {answer}");
    }
    // Nobody is left with a connection to a door that is gone.
    serving.abort();
    assert_eq!(read(&mut stream).await, "");
}

#[tokio::test]
async fn http_2_is_spoken_on_the_same_port() {
    let served = served(|_| ()).await;
    let stream = hyper_util::rt::TokioIo::new(served.connect().await);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get(format!("http://{}/livez", served.addr));
    let response = sender.send_request(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(response.unwrap().status(), 200);
    let request = http::Request::get("http://evil.example/livez");
    let response = sender.send_request(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(response.unwrap().status(), 403);
    drop(sender);
    assert_eq!(served.close().await.cut, 0);
}
