//! The client, against a service in this process, and against answers as the documents have them.
#![cfg(feature = "client")]

use longshore::Service;
use longshore::client::{
    Class, Client, ClientError, ListFilter, QueueSettings, Submit, Submitted, Task,
};
use longshore::core::task::{OnConflict, Unique, UniqueWhile};
use longshore::core::{Span, State, TaskId, Timestamp};
use longshore::handler::{self, HandlerError};
use serde_json::json;
use serde_json::value::RawValue;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::{any, body_json, method, path, query_param};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

const PATIENT: Duration = Duration::from_secs(20);

async fn greet(
    handler::Payload(name): handler::Payload<Option<String>>,
) -> Result<String, HandlerError> {
    let name = name.ok_or_else(|| HandlerError::bad_data("no name"))?;
    Ok(format!("hello {name}"))
}

async fn start() -> (Service, tempfile::TempDir, Client) {
    let dir = tempfile::tempdir().expect("a folder");
    let service = longshore::builder()
        .store(format!("embedded:{}", dir.path().display()))
        .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
        .handler("greet", greet)
        .start()
        .await
        .expect("it starts");
    let client = Client::connect(&format!("http://{}", service.addr())).expect("an address");
    (service, dir, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_submitted_waited_for_and_listed() {
    let (service, _dir, client) = start().await;
    let submit = Submit::new("greet")
        .payload("you")
        .unwrap()
        .name("a greeting")
        .queue("default")
        .priority(7)
        .max_attempts(2)
        .timeout(Duration::from_secs(9))
        .expires_in(Duration::from_secs(3_600))
        .tag("tour")
        .header("team", "blue");
    let submitted = client.submit(&submit).await.unwrap();
    assert!(submitted.new && submitted.status == State::Pending, "{submitted:?}");
    let task = client.tasks().wait(submitted.id, PATIENT).await.unwrap();
    assert!(task.has_ended() && task.status == State::Success, "{task:?}");
    assert_eq!(task.result.unwrap().get(), "\"hello you\"");
    assert_eq!(task.payload.unwrap().get(), "\"you\"");
    assert_eq!((task.priority, task.max_attempts, task.tags), (7, 2, vec!["tour".to_owned()]));
    assert_eq!(task.headers["team"], "blue");
    let page = client.tasks().list(&ListFilter::new().status(State::Success).kind("greet")).await;
    assert_eq!(page.unwrap().items[0].id, submitted.id);
    assert!(client.health().await.unwrap().is_up());
    service.stop(PATIENT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_page_by_page_to_its_end() {
    let (service, _dir, client) = start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let later = Submit::new("greet").delay(Duration::from_secs(3_600));
        ids.push(client.submit(&later).await.unwrap().id);
    }
    let (mut seen, mut filter) = (Vec::new(), ListFilter::new().limit(2));
    loop {
        let page = client.tasks().list(&filter).await.unwrap();
        seen.extend(page.items.iter().map(|task| task.id));
        let Some(next) = page.next_cursor else { break };
        filter = filter.after(next);
    }
    seen.reverse();
    assert_eq!(seen, ids);
    service.stop(PATIENT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_makes_one_task() {
    let (service, _dir, client) = start().await;
    let submit = Submit::new("greet").idempotency_key("order-7");
    let first = client.submit(&submit).await.unwrap();
    let second = client.submit(&submit).await.unwrap();
    assert_eq!((first.id, first.new, second.new), (second.id, true, false));
    let other = client.submit(&submit.priority(9)).await.unwrap_err();
    assert_eq!(other.class(), Class::Conflict);
    service.stop(PATIENT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_refuses_is_told_with_its_fields() {
    let (service, _dir, client) = start().await;
    let error = client.submit(&Submit::new("gret").priority(77)).await.unwrap_err();
    assert_eq!(error.class(), Class::Invalid);
    let ClientError::Api { status: 400, code: 40_001, errors, trace_id, .. } = error else {
        panic!("{error:?}");
    };
    let fields: Vec<&str> = errors.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["kind", "priority"]);
    assert!(errors[0].message.contains("greet") && trace_id.is_some());
    let missing = client.tasks().get(TaskId::fresh()).await.unwrap_err();
    assert_eq!(missing.class(), Class::NotFound);
    service.stop(PATIENT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_with_its_time_and_shows_the_task_as_it_stands() {
    let (service, _dir, client) = start().await;
    let later = Submit::new("greet").delay(Duration::from_secs(3_600));
    let id = client.submit(&later).await.unwrap().id;
    let began = Instant::now();
    let task = client.tasks().wait(id, Duration::from_millis(600)).await.unwrap();
    assert!(!task.has_ended());
    assert!((Duration::from_millis(300)..PATIENT).contains(&began.elapsed()));
    service.stop(PATIENT).await;
}

/// A task as a newer service may show it.
fn shown(id: TaskId, status: &str) -> serde_json::Value {
    json!({"id": id, "kind": "greet", "name": null, "queue": "default", "status": status,
        "blocked_by": null, "reason": null, "priority": 4, "payload": {"n": 1}, "result": null,
        "error": {"class": "dependency", "code": "http.503", "message": "no", "trace": null,
            "at": "2026-11-20T09:00:00.000Z"},
        "run": 1, "attempt": 1, "max_attempts": 4, "crashes": 0,
        "run_at": "2026-11-20T09:00:00.000Z", "created_at": "2026-11-20T09:00:00.000Z",
        "started_at": null, "finished_at": null, "timeout": "5m", "order_key": null, "tags": [],
        "headers": {}, "tenant": "default", "progress": null, "schedule_id": null,
        "replay_of": null, "parents": [], "group": null, "worker": null, "trace_id": null,
        "durability": "disk", "flavour": "of a later version"})
}

fn accepted(id: TaskId) -> serde_json::Value {
    json!({"id": id, "kind": "greet", "queue": "default", "status": "pending",
        "run_at": "2026-11-20T09:00:00.000Z", "created_at": "2026-11-20T09:00:00.000Z",
        "durability": "disk"})
}

async fn mocked() -> (MockServer, Client) {
    let server = MockServer::start().await;
    let client = Client::connect(&server.uri()).expect("an address");
    (server, client)
}

/// Answers one call, which must come.
async fn on(server: &MockServer, verb: &str, at: &str, answer: serde_json::Value) {
    let answer = ResponseTemplate::new(200).set_body_json(answer);
    Mock::given(method(verb)).and(path(at)).respond_with(answer).expect(1).mount(server).await;
}

#[tokio::test]
async fn acts_on_tasks_go_where_the_documents_say() {
    let (server, client) = mocked().await;
    let id = TaskId::fresh();
    for act in ["cancel", "retry"] {
        on(&server, "POST", &format!("/v1/tasks/{id}/{act}"), shown(id, "cancelled")).await;
    }
    for act in ["retry", "discard"] {
        on(&server, "POST", &format!("/v1/dead-letters/{id}/{act}"), shown(id, "pending")).await;
    }
    let attempts = json!({"items": [{"run": 1, "attempt": 1, "token": "1099511627777",
        "worker": "w1", "started_at": "2026-11-20T09:00:00.000Z",
        "ended_at": "2026-11-20T09:00:01.000Z", "outcome": "retry",
        "error": {"class": "timeout", "message": "slow", "at": "2026-11-20T09:00:01.000Z"},
        "next_at": "2026-11-20T09:00:02.000Z", "more": 1}], "next_cursor": null});
    on(&server, "GET", &format!("/v1/tasks/{id}/attempts"), attempts).await;
    let tasks = client.tasks();
    assert_eq!(tasks.cancel(id).await.unwrap().status, State::Cancelled);
    tasks.retry(id).await.unwrap();
    client.dead_letters().retry(id).await.unwrap();
    assert_eq!(client.dead_letters().discard(id).await.unwrap().status, State::Pending);
    let attempts = tasks.attempts(id).await.unwrap();
    assert_eq!((attempts.len(), attempts[0].token.as_str()), (1, "1099511627777"));
}

#[tokio::test]
async fn a_replay_may_have_another_payload() {
    let (server, client) = mocked().await;
    let (old, new) = (TaskId::fresh(), TaskId::fresh());
    let answer = ResponseTemplate::new(201).set_body_json(accepted(new));
    Mock::given(method("POST"))
        .and(path(format!("/v1/tasks/{old}/replay")))
        .and(body_json(json!({"payload": {"n": 2}})))
        .respond_with(answer)
        .expect(1)
        .mount(&server)
        .await;
    let payload = RawValue::from_string(r#"{"n": 2}"#.into()).unwrap();
    let submitted = client.tasks().replay(old, Some(&payload)).await.unwrap();
    assert_eq!((submitted.id, submitted.new), (new, true));
}

#[tokio::test]
async fn filters_become_a_query() {
    let (server, client) = mocked().await;
    Mock::given(method("GET"))
        .and(path("/v1/dead-letters"))
        .and(query_param("status", "failed,expired"))
        .and(query_param("queue", "mail"))
        .and(query_param("tag", "a b&c"))
        .and(query_param("error", "http.503"))
        .and(query_param("created", "gt:2026-11-20T09:00:00.000Z"))
        .and(query_param("cursor", "x"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"items": []})))
        .expect(1)
        .mount(&server)
        .await;
    let filter = ListFilter::new()
        .status(State::Failed)
        .status(State::Expired)
        .queue("mail")
        .tag("a b&c")
        .error("http.503")
        .created_after(Timestamp::parse("2026-11-20T09:00:00Z").unwrap())
        .after("x");
    let page = client.dead_letters().list(&filter).await.unwrap();
    assert!(page.items.is_empty() && page.next_cursor.is_none());
}

#[tokio::test]
async fn queues_are_paused_purged_and_changed() {
    let (server, client) = mocked().await;
    let queue = json!({"name": "mail", "slots": 8, "limit": 64, "rate": "500/s", "backlog": null,
        "paused": true, "tasks": {"pending": 3}, "ready": 2, "running": 1, "oldest_age": "1m5s",
        "origin": {"slots": "override", "limit": "config"}});
    on(&server, "GET", "/v1/queues", json!({"items": [queue]})).await;
    on(&server, "GET", "/v1/queues/mail", queue.clone()).await;
    on(&server, "POST", "/v1/queues/mail/pause", queue.clone()).await;
    on(&server, "POST", "/v1/queues/mail/resume", queue.clone()).await;
    on(&server, "POST", "/v1/queues/mail/purge", json!({"purged": 3})).await;
    Mock::given(method("PATCH"))
        .and(path("/v1/queues/mail"))
        .and(body_json(json!({"slots": 8, "limit": null, "rate": "500/s"})))
        .respond_with(ResponseTemplate::new(200).set_body_json(&queue))
        .expect(1)
        .mount(&server)
        .await;
    let queues = client.queues();
    assert_eq!(queues.list().await.unwrap().len(), 1);
    let mail = queues.get("mail").await.unwrap();
    assert!(mail.paused && mail.slots == Some(8) && mail.tasks["pending"] == 3);
    assert_eq!(
        (mail.ready, mail.running, mail.oldest_age),
        (2, 1, Some(Span(Duration::from_secs(65))))
    );
    queues.pause("mail").await.unwrap();
    queues.resume("mail").await.unwrap();
    assert_eq!(queues.purge("mail").await.unwrap(), 3);
    let settings = QueueSettings::new().slots(8).limit(None).rate("500/s");
    queues.configure("mail", &settings).await.unwrap();
}

#[tokio::test]
async fn every_field_of_a_submit_is_written_as_documented() {
    let (server, client) = mocked().await;
    let id = TaskId::fresh();
    let unique = Unique {
        key: "u".into(),
        hold: UniqueWhile::Window(Duration::from_secs(3_600)),
        on_conflict: OnConflict::Reject,
    };
    let submit = Submit::new("greet")
        .id(id)
        .payload_text("1.10")
        .unwrap()
        .run_at(Timestamp::parse("2026-11-20T09:00:00Z").unwrap())
        .total_timeout(Duration::from_secs(90))
        .order_key("lane")
        .unique(unique);
    let answer = ResponseTemplate::new(201).set_body_json(accepted(id));
    Mock::given(any()).respond_with(answer).expect(1).mount(&server).await;
    let client = client.key("ls_test_1_secret");
    client.submit(&submit).await.unwrap();
    let request = server.received_requests().await.unwrap().pop().unwrap();
    assert_eq!(
        String::from_utf8(request.body).unwrap(),
        format!(
            r#"{{"kind":"greet","payload":1.10,"id":"{id}","run_at":"2026-11-20T09:00:00.000Z","total_timeout":"1m30s","order_key":"lane","unique":{{"key":"u","while":"1h","on_conflict":"reject"}}}}"#
        )
    );
    assert_eq!(request.headers["authorization"], "Bearer ls_test_1_secret");
}

#[tokio::test]
async fn a_batch_tells_what_became_of_each() {
    let (server, client) = mocked().await;
    let id = TaskId::fresh();
    let answer = json!({"items": [{"id": id, "status": "pending"}, {"code": 40001,
        "message": "kind: is required", "errors": [{"field": "kind", "message": "is required"}]}]});
    on(&server, "POST", "/v1/tasks:batch", answer).await;
    let tasks = vec![Submit::new("greet").idempotency_key("mine"), Submit::new("")];
    let items = client.submit_all(tasks).await.unwrap();
    assert_eq!(items[0].as_ref().unwrap().id, id);
    let refused = items[1].as_ref().unwrap_err();
    assert_eq!((refused.code, refused.errors[0].field.as_str()), (40_001, "kind"));
    let request = server.received_requests().await.unwrap().pop().unwrap();
    let sent: Vec<serde_json::Value> = serde_json::from_slice(&request.body).unwrap();
    assert_eq!((&sent[0]["kind"], &sent[0]["idempotency_key"]), (&json!("greet"), &json!("mine")));
    assert_eq!(sent[1]["idempotency_key"].as_str().unwrap().len(), 36);
}

/// The key and the body of each request.
type Seen = Vec<(String, Vec<u8>)>;

/// Refuses so many times, then accepts; remembers the keys and bodies it saw.
struct Shaky {
    refusals: AtomicU32,
    status: u16,
    id: TaskId,
    seen: Arc<Mutex<Seen>>,
}

impl Respond for Shaky {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let key = request.headers["idempotency-key"].to_str().expect("ASCII").to_owned();
        self.seen.lock().expect("whole").push((key, request.body.clone()));
        let left =
            self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        match left {
            Ok(_) => ResponseTemplate::new(self.status).insert_header("retry-after", "0"),
            Err(_) => ResponseTemplate::new(201).set_body_json(accepted(self.id)),
        }
    }
}

async fn shaky(refusals: u32, status: u16) -> (Result<Submitted, ClientError>, Seen) {
    let (server, client) = mocked().await;
    let seen = Arc::default();
    let refusals = AtomicU32::new(refusals);
    let shaky = Shaky { refusals, status, id: TaskId::fresh(), seen: Arc::clone(&seen) };
    Mock::given(any()).respond_with(shaky).mount(&server).await;
    let answered = client.submit(&Submit::new("greet")).await;
    let seen = seen.lock().expect("whole").clone();
    (answered, seen)
}

#[tokio::test]
async fn a_busy_service_is_asked_again_with_the_same_key_and_bytes() {
    let (answered, seen) = shaky(3, 503).await;
    assert!(answered.unwrap().new);
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|one| *one == seen[0]) && seen[0].0.len() == 36, "{seen:?}");
}

#[tokio::test]
async fn a_service_that_stays_busy_is_given_up() {
    let (answered, seen) = shaky(99, 503).await;
    assert_eq!((answered.unwrap_err().class(), seen.len()), (Class::Busy, 5));
}

#[tokio::test]
async fn a_gateway_that_gives_up_leaves_the_outcome_unknown() {
    let (answered, seen) = shaky(99, 504).await;
    let error = answered.unwrap_err();
    assert!(matches!(&error, ClientError::Unknown { key, .. } if *key == seen[0].0), "{error}");
}

#[tokio::test]
async fn what_is_wrong_is_not_sent_again() {
    let (answered, seen) = shaky(99, 400).await;
    assert_eq!((answered.unwrap_err().class(), seen.len()), (Class::Invalid, 1));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_unknown_outcome() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        // One request is taken and not answered; then nobody listens any more.
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
    });
    let client = Client::connect(&format!("http://{addr}")).unwrap();
    let error = client.submit(&Submit::new("greet").idempotency_key("k")).await.unwrap_err();
    assert_eq!(error.class(), Class::Unknown);
    assert!(error.to_string().contains("idempotency key k"), "{error}");
}

#[tokio::test]
async fn nobody_there_means_that_nothing_was_done() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::connect(&format!("http://{addr}")).unwrap();
    let error = client.submit(&Submit::new("greet")).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_service_that_says_nothing_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::connect(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let client = client.timeout(Duration::from_millis(100));
    let error = client.tasks().get(TaskId::fresh()).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn a_wait_outlives_a_service_that_is_away_for_a_moment() {
    let id = TaskId::fresh();
    let (server, client) = mocked().await;
    let busy = ResponseTemplate::new(503).insert_header("retry-after", "0");
    Mock::given(any()).respond_with(busy).up_to_n_times(1).mount(&server).await;
    let running = ResponseTemplate::new(200).set_body_json(shown(id, "running"));
    Mock::given(any()).respond_with(running).up_to_n_times(1).mount(&server).await;
    let ended = ResponseTemplate::new(200).set_body_json(shown(id, "failed"));
    Mock::given(any()).respond_with(ended).mount(&server).await;
    let task: Task = client.tasks().wait(id, PATIENT).await.unwrap();
    assert_eq!(task.status, State::Failed);
    assert_eq!(task.error.unwrap().code.as_deref(), Some("http.503"));
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn somebody_elses_answer_is_told_as_such() {
    let (server, client) = mocked().await;
    let page = ResponseTemplate::new(200).set_body_string("<html>It works!</html>");
    Mock::given(any()).respond_with(page).mount(&server).await;
    let error = client.tasks().get(TaskId::fresh()).await.unwrap_err();
    assert!(matches!(error, ClientError::Protocol { status: 200, .. }), "{error}");
    let (server, client) = mocked().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(301)).mount(&server).await;
    let error = client.health().await.unwrap_err();
    assert!(error.to_string().contains("redirect"), "{error}");
}

#[tokio::test]
async fn a_service_that_is_down_still_says_how_it_is() {
    let (server, client) = mocked().await;
    let down = json!({"status": "DOWN", "details": {"store": {"status": "DOWN",
        "reason": "unavailable"}, "broker.main": {"status": "UP", "latency": "2ms"}}});
    let answer = ResponseTemplate::new(503).set_body_json(down);
    Mock::given(path("/health")).respond_with(answer).mount(&server).await;
    let health = client.health().await.unwrap();
    assert!(!health.is_up() && health.details["store"].reason.as_deref() == Some("unavailable"));
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::connect(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let some = vec![b' '; 1 << 20];
        while stream.write_all(&some).await.is_ok() {}
    });
    let error = client.timeout(PATIENT).tasks().get(TaskId::fresh()).await.unwrap_err();
    assert!(error.to_string().contains("larger than 64 MiB"), "{error}");
}

#[test]
fn an_address_must_be_usable_and_a_base_path_is_kept() {
    for (address, part) in [
        ("127.0.0.1:8080", "URL"),
        ("localhost:8080", "http://"),
        ("ftp://host", "http://"),
        ("http://u:p@host", "key"),
        ("http://host/?a=b", "query"),
    ] {
        let error = Client::connect(address).unwrap_err();
        assert_eq!(error.class(), Class::Invalid);
        assert!(error.to_string().contains(part), "{error}");
    }
    let client = Client::connect("https://host/tasks/").unwrap().key("s3cret");
    assert_eq!(client.url(), "https://host/tasks/");
    assert!(!format!("{client:?}").contains("s3cret"));
}
