use super::*;
use crate::signature::{Signed, verify};
use longshore_core::store::{LeaseRef, Leased};
use longshore_core::task::Seq;
use longshore_core::{
    Clock, KindName, Payload, QueueName, SystemClock, TaskId, TenantName, Timestamp, Token,
};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const PATIENT: Duration = Duration::from_secs(20);

fn task() -> Leased {
    Leased {
        lease: LeaseRef { id: TaskId::fresh(), seq: Seq(1), token: Token::new(2, 3) },
        kind: KindName::new("invoice.send").unwrap(),
        queue: QueueName::new("mail").unwrap(),
        tenant: TenantName::default(),
        payload: Payload::from_json(r#"{"total": 1.10}"#),
        headers: Vec::new(),
        traceparent: Some(TRACE.into()),
        run: 1,
        attempt: 2,
        openings: 2,
        max_attempts: 4,
        timeout: Span(PATIENT),
        total_left: None,
        created_at: Timestamp(1_767_225_600_000),
        ready_at: Timestamp(1_767_225_600_000),
        started_at: Timestamp(1_767_225_600_000),
        expires_at: None,
        handed_out: std::time::Instant::now(),
        isolated: false,
        in_lane: false,
    }
}

async fn perform(handler: &BoxHandler, task: Leased) -> Outcome {
    let allowed = task.timeout.0;
    handler.call(Call::new(Arc::new(task), allowed, CancellationToken::new(), Arc::default())).await
}

/// Pushes a plain task with so much time.
async fn pushed(url: &str, allowed: Duration) -> Outcome {
    perform(&push(PushSpec::new(url)).unwrap(), Leased { timeout: Span(allowed), ..task() }).await
}

/// Pushes to a target that answers so.
async fn answered(response: ResponseTemplate) -> Outcome {
    let target = MockServer::start().await;
    Mock::given(method("POST")).respond_with(response).expect(1).mount(&target).await;
    pushed(&target.uri(), PATIENT).await
}

fn fault(outcome: Outcome) -> Fault {
    match outcome {
        Outcome::Fault(fault) => fault,
        other => panic!("a fault, not {other:?}"),
    }
}

fn blamed(outcome: Outcome) -> (FaultClass, String) {
    let fault = fault(outcome);
    (fault.class, fault.code.unwrap())
}

/// A target that does as it is told with every connection. It tells how many there were.
async fn raw<F, Fut>(on_connection: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(on_connection(stream));
        }
    });
    (addr, connections)
}

/// Reads one request; false if the connection is closed instead.
async fn takes(stream: &mut TcpStream) -> std::io::Result<bool> {
    let mut seen = Vec::new();
    while !seen.ends_with(br#"{"total": 1.10}"#) {
        if stream.read_buf(&mut seen).await? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Answers with this head, then with `part` for ever, each after a pause.
async fn drip(
    head: &'static str,
    part: Vec<u8>,
    pause: Duration,
) -> (SocketAddr, Arc<AtomicUsize>) {
    raw(move |mut stream| {
        let part = part.clone();
        async move {
            takes(&mut stream).await?;
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(&part).await?;
                tokio::time::sleep(pause).await;
            }
        }
    })
    .await
}

async fn only_request(target: &MockServer) -> Request {
    target.received_requests().await.unwrap().pop().unwrap()
}

#[tokio::test]
async fn a_request_says_which_task_it_is_and_which_attempt() {
    let target = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(204)).mount(&target).await;
    let handler = push(PushSpec::new(target.uri())).unwrap();
    let (task, now) = (task(), SystemClock.now());
    let id = task.lease.id.to_string();
    assert_eq!(perform(&handler, task).await, Outcome::Success(None));
    let request = only_request(&target).await;
    assert_eq!(request.body, br#"{"total": 1.10}"#);
    let header = |name: &str| request.headers[name].to_str().unwrap().to_owned();
    for (name, value) in [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", id.as_str()),
        ("ce-source", "/longshore/default/mail"),
        ("ce-type", "invoice.send"),
        ("ce-time", "2026-01-01T00:00:00.000Z"),
        ("idempotency-key", id.as_str()),
        ("longshore-attempt", "2"),
        ("longshore-max-attempts", "4"),
        ("longshore-token", &Token::new(2, 3).to_string()),
        ("longshore-lease", &format!("{id}.{}", Token::new(2, 3))),
    ] {
        assert_eq!(header(name), value, "{name}");
    }
    let deadline = Timestamp::parse(&header("longshore-deadline")).unwrap();
    let ahead = deadline.since(now);
    assert!(ahead > PATIENT - Duration::from_secs(5) && ahead <= PATIENT * 2, "{ahead:?}");
    let trace = header("traceparent");
    assert_eq!((&trace[..36], &trace[52..]), (&TRACE[..36], "-01"));
    assert_ne!(trace, TRACE);
    assert!(!request.headers.contains_key("webhook-signature"));
    assert!(!request.headers.contains_key("accept-encoding"));
}

#[tokio::test]
async fn a_secret_signs_what_is_sent() {
    let target = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(204)).mount(&target).await;
    let old = Secret::parse("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let new = Secret::parse(SECRET).unwrap();
    let spec = PushSpec::new(target.uri()).secret(new.clone()).secret(old.clone());
    perform(&push(spec).unwrap(), task()).await;
    let request = only_request(&target).await;
    let header = |name: &str| request.headers[name].to_str().unwrap();
    let signed = Signed {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    assert_eq!(signed.id, header("ce-id"));
    for secret in [old, new] {
        assert_eq!(verify(&[secret], signed, &request.body, SystemClock.now()), Ok(()));
    }
}

#[tokio::test]
async fn a_task_sets_neither_our_headers_nor_those_of_the_configuration_nor_credentials() {
    let target = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(204)).mount(&target).await;
    let url = target.uri().replace("http://", "http://user:pass@");
    let handler = push(PushSpec::new(url).header("team", "fixed").header("region", "eu")).unwrap();
    let headers = [
        "team",
        "color",
        "host",
        "content-length",
        "transfer-encoding",
        "CE-Type",
        "longshore-token",
        "webhook-id",
        "authorization",
        "cookie",
        "traceparent",
    ];
    let headers = headers.map(|name| (name.to_owned(), "theirs".to_owned())).to_vec();
    assert_eq!(perform(&handler, Leased { headers, ..task() }).await, Outcome::Success(None));
    let request = only_request(&target).await;
    let theirs: Vec<_> = request
        .headers
        .iter()
        .filter(|(_, value)| *value == "theirs")
        .map(|(name, _)| name)
        .collect();
    assert_eq!(theirs, ["color"]);
    assert_eq!(
        (&request.headers["team"], &request.headers["region"]),
        (&"fixed".parse().unwrap(), &"eu".parse().unwrap())
    );
    assert_eq!(request.headers["authorization"], "Basic dXNlcjpwYXNz");
}

#[tokio::test]
async fn a_body_of_2xx_is_the_result() {
    let text = |text: &str| ResponseTemplate::new(200).set_body_raw(text, "text/plain");
    let success = |json: &str| Outcome::Success(Some(Payload::from_json(json)));
    assert_eq!(answered(text(r#"{"n": 1.10}"#)).await, success(r#"{"n": 1.10}"#));
    assert_eq!(answered(text("sent")).await, success(r#""sent""#));
    assert_eq!(answered(text("")).await, Outcome::Success(None));
    let largest = format!("\"{}\"", "x".repeat(64 * 1024 - 2));
    assert_eq!(answered(text(&largest)).await, success(&largest));
    let outcome = r#"{"status": "DROP", "message": "sold out"}"#;
    let outcome = ResponseTemplate::new(200)
        .set_body_raw(outcome, "application/vnd.longshore.outcome+json; charset=utf-8");
    assert_eq!(answered(outcome).await, Outcome::Discard("sold out".into()));
}

#[tokio::test]
async fn each_status_has_its_class_and_code() {
    use FaultClass::{BadData, Dependency, RateLimited, Transient};
    for (status, class) in [
        (301, Dependency),
        (304, Dependency),
        (400, BadData),
        (401, BadData),
        (404, BadData),
        (408, Transient),
        (410, BadData),
        (425, Transient),
        (429, RateLimited),
        (500, Transient),
        (501, Transient),
        (502, Dependency),
        (503, Dependency),
        (504, Dependency),
        (599, Transient),
    ] {
        let blame = blamed(answered(ResponseTemplate::new(status)).await);
        assert_eq!(blame, (class, format!("http.{status}")));
    }
    assert_eq!(blamed(answered(ResponseTemplate::new(202)).await), (BadData, "push.202".into()));
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back_and_why() {
    let busy = ResponseTemplate::new(429)
        .insert_header("retry-after", "17")
        .set_body_string(format!(" too many\n{}", "x".repeat(9_999)));
    let fault = fault(answered(busy).await);
    assert_eq!(fault.retry_after, Some(Duration::from_secs(17)));
    let trace = fault.trace.unwrap();
    assert!(trace.starts_with("too many\nx") && trace.len() < 2_100, "{} bytes", trace.len());
    assert!(fault.message.ends_with("answered 429 Too Many Requests"), "{}", fault.message);
}

#[tokio::test]
async fn no_retry_makes_any_failure_final() {
    for status in [500, 503, 429, 302] {
        let refused = ResponseTemplate::new(status).insert_header("longshore-no-retry", "true");
        assert_eq!(blamed(answered(refused).await).0, FaultClass::BadData, "{status}");
    }
}

#[tokio::test]
async fn results_that_cannot_be_kept_are_final() {
    let gzip_bomb: &[u8] =
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xed, 0xc1, 1, 1, 0, 0, 0, 0x80, 0x90];
    let raw = |bytes: Vec<u8>| ResponseTemplate::new(200).set_body_raw(bytes, "application/json");
    for (response, code) in [
        (raw(gzip_bomb.into()).insert_header("content-encoding", "gzip"), "push.encoding"),
        (raw(gzip_bomb.into()), "push.result_not_text"),
        (raw(vec![b'x'; 64 * 1024 + 1]), "push.result_too_large"),
        (ResponseTemplate::new(200).set_body_raw("{}", headers::OUTCOME), "push.outcome"),
    ] {
        assert_eq!(blamed(answered(response).await), (FaultClass::BadData, code.into()));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = MockServer::start().await;
    let itself = format!("{}/again?token=s3cret", target.uri());
    let loops = ResponseTemplate::new(307).insert_header("location", itself.as_str());
    Mock::given(method("POST")).respond_with(loops).expect(1).mount(&target).await;
    let fault = fault(pushed(&target.uri(), PATIENT).await);
    assert_eq!((fault.class, fault.code.as_deref()), (FaultClass::Dependency, Some("http.307")));
    assert!(fault.message.contains("/again?***: redirects are not followed"), "{}", fault.message);
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let (addr, _) = drip("HTTP/1.1 200 OK\r\n\r\n", vec![b'x'; 16 * 1024], Duration::ZERO).await;
    let blame = blamed(pushed(&format!("http://{addr}/"), PATIENT).await);
    assert_eq!(blame, (FaultClass::BadData, "push.result_too_large".into()));
}

#[tokio::test]
async fn endless_headers_are_cut_off() {
    let (addr, _) = drip("HTTP/1.1 200 OK\r\nx: ", vec![b'x'; 16 * 1024], Duration::ZERO).await;
    let blame = blamed(pushed(&format!("http://{addr}/"), PATIENT).await);
    assert_eq!(blame, (FaultClass::Transient, "push.broken".into()));
}

#[tokio::test]
async fn a_body_of_one_byte_a_second_ends_with_the_attempt() {
    let (addr, _) = drip(
        "HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n",
        vec![b'x'],
        Duration::from_secs(1),
    )
    .await;
    let began = Instant::now();
    let fault = fault(pushed(&format!("http://{addr}/"), Duration::from_millis(1_500)).await);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!((fault.class, fault.code.as_deref()), (FaultClass::Timeout, Some("push.timeout")));
    assert!(fault.message.ends_with("did not answer within 1s500ms"), "{}", fault.message);
}

#[tokio::test]
async fn a_slow_result_has_its_own_limit() {
    let (addr, _) = drip("HTTP/1.1 200 OK\r\n\r\n", vec![b'x'], Duration::from_millis(20)).await;
    let patience = Patience { result: Duration::from_millis(200), ..Patience::default() };
    let spec = PushSpec::new(format!("http://{addr}/"));
    let target = Target::new(spec, shared_client().unwrap(), patience).unwrap();
    let blame = blamed(perform(&BoxHandler::new(Push(Arc::new(target))), task()).await);
    assert_eq!(blame, (FaultClass::Timeout, "push.slow_body".into()));
}

#[tokio::test]
async fn a_slow_refusal_is_still_a_refusal() {
    let (addr, _) = drip("HTTP/1.1 503 Busy\r\n\r\n", vec![b'x'], Duration::from_millis(20)).await;
    let patience = Patience { trace: Duration::from_millis(200), ..Patience::default() };
    let spec = PushSpec::new(format!("http://{addr}/"));
    let target = Target::new(spec, shared_client().unwrap(), patience).unwrap();
    let blame = blamed(perform(&BoxHandler::new(Push(Arc::new(target))), task()).await);
    assert_eq!(blame, (FaultClass::Dependency, "http.503".into()));
}

#[tokio::test]
async fn a_target_that_says_nothing_ends_with_the_attempt() {
    let (addr, _) = raw(|mut stream| async move {
        while takes(&mut stream).await? {}
        Ok(())
    })
    .await;
    let began = Instant::now();
    let blame = blamed(pushed(&format!("http://{addr}/"), Duration::from_millis(500)).await);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(blame, (FaultClass::Timeout, "push.timeout".into()));
}

#[tokio::test]
async fn a_target_that_closes_early_is_tried_again() {
    for head in
        ["", "HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"]
    {
        let (addr, _) = raw(move |mut stream| async move {
            takes(&mut stream).await?;
            stream.write_all(head.as_bytes()).await
        })
        .await;
        let blame = blamed(pushed(&format!("http://{addr}/"), PATIENT).await);
        assert_eq!(blame, (FaultClass::Transient, "push.broken".into()), "{head:?}");
    }
}

#[tokio::test]
async fn a_target_that_is_not_there_is_a_dependency_that_is_down() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let (plain, _) =
        raw(|mut stream| async move { stream.write_all(b"HTTP/1.1 400 No\r\n\r\n").await }).await;
    for url in [
        format!("http://user:s3cret@{closed}/?token=s3cret"),
        "http://nowhere.invalid/".into(),
        format!("https://{plain}/"),
    ] {
        let fault = fault(pushed(&url, PATIENT).await);
        assert_eq!(
            (fault.class, fault.code.as_deref()),
            (FaultClass::Dependency, Some("push.connect"))
        );
        assert!(fault.message.contains("cannot be reached: "), "{}", fault.message);
        assert!(!fault.message.contains("s3cret"), "{}", fault.message);
    }
}

#[tokio::test]
async fn a_cancelled_call_hangs_up() {
    let (hung_up, mut noticed) = tokio::sync::mpsc::channel(1);
    let (asked, mut was_asked) = tokio::sync::mpsc::channel(1);
    let (addr, _) = raw(move |mut stream| {
        let (asked, hung_up) = (asked.clone(), hung_up.clone());
        async move {
            takes(&mut stream).await?;
            let _ = asked.send(()).await;
            while takes(&mut stream).await? {}
            let _ = hung_up.send(()).await;
            Ok(())
        }
    })
    .await;
    let handler = push(PushSpec::new(format!("http://{addr}/"))).unwrap();
    let stop = CancellationToken::new();
    let call = handler.call(Call::new(Arc::new(task()), PATIENT, stop.clone(), Arc::default()));
    let call = tokio::spawn(call);
    was_asked.recv().await.unwrap();
    stop.cancel();
    assert_eq!(call.await.unwrap(), Outcome::Cancelled);
    assert_eq!(tokio::time::timeout(PATIENT, noticed.recv()).await, Ok(Some(())));
}

#[tokio::test]
async fn pushes_share_a_connection() {
    let (addr, connections) = raw(|mut stream| async move {
        while takes(&mut stream).await? {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await?;
        }
        Ok(())
    })
    .await;
    for _ in 0..3 {
        let done = pushed(&format!("http://{addr}/"), PATIENT).await;
        assert_eq!(done, Outcome::Success(Some(Payload::from_json("\"ok\""))));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}
