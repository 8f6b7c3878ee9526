//! Keys: every route, asked with every role alone, for its own tenant and for another one.

use crate::house::engine_with_broker;
use http::Method;
use longshore_core::store::Worker;
use longshore_core::{Clock, SystemClock, TenantName};
use longshore_http::auth::{Grant, Key, KeyText, Keyring, POLICIES, Policy, Role};
use longshore_http::{Door, DoorOptions};
use longshore_runtime::Engine;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// Is in the payload of the task that others must not see.
const MARK: &str = "for-acme-alone";

/// A worker that can be drained.
const WORKER: &str = "w7";

fn worker(engine: &Engine) -> Worker {
    Worker {
        id: WORKER.into(),
        host: String::new(),
        pid: 0,
        version: String::new(),
        started_at: SystemClock.now(),
        kinds: engine.registry().kinds().map(|kind| kind.name.clone()).collect(),
        queues: Vec::new(),
        tasks: Vec::new(),
        draining: false,
    }
}

/// A door that asks for keys, over real HTTP.
struct Served {
    addr: SocketAddr,
    ring: Keyring,
    keys: Vec<Key>,
    _open: tokio_util::sync::DropGuard,
}

/// What a request was answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn code(&self) -> u64 {
        self.json()["code"].as_u64().unwrap()
    }
}

impl Served {
    async fn start() -> Self {
        let ring = Keyring::new([]);
        let options = DoorOptions {
            listen: ([127, 0, 0, 1], 0).into(),
            keys: Some(ring.clone()),
            ..DoorOptions::default()
        };
        let engine = engine_with_broker().await;
        let seen = worker(&engine);
        engine.store().announce(seen, Vec::new(), Duration::from_secs(60)).await.unwrap();
        let door = Door::bind(engine, options).await.unwrap();
        let (addr, shutdown) = (door.local_addr(), CancellationToken::new());
        tokio::spawn(door.serve(shutdown.clone()));
        Self { addr, ring, keys: Vec::new(), _open: shutdown.drop_guard() }
    }

    fn key(&mut self, tenant: &str, roles: &[Role], queues: &str) -> KeyText {
        let grant = Grant {
            name: None,
            tenant: TenantName::new(tenant).unwrap(),
            roles: roles.to_vec(),
            queues: vec![queues.parse().unwrap()],
        };
        let (key, text) = Key::new("test", grant, SystemClock.now(), None).unwrap();
        self.keys.push(key);
        self.ring.replace(self.keys.clone());
        text
    }

    async fn ask(&self, key: Option<&KeyText>, method: &Method, path: &str, body: &str) -> Answer {
        self.ask_as(key.map(KeyText::expose), method, path, body).await
    }

    async fn ask_as(&self, key: Option<&str>, method: &Method, path: &str, body: &str) -> Answer {
        let shown = key.map(|key| format!("authorization: Bearer {key}\r\n")).unwrap_or_default();
        self.send(&shown, method, path, body).await
    }

    /// Sends a request with these headers, each with its line's end.
    async fn send(&self, headers: &str, method: &Method, path: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: tasks.example\r\nconnection: close\r\n{headers}\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    /// Submits a task and returns its id.
    async fn submit(&self, key: &KeyText, body: &str) -> String {
        let answer = self.ask(Some(key), &Method::POST, "/v1/tasks", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["data"]["id"].as_str().unwrap().to_owned()
    }

    /// Makes what a route is about, and returns its id.
    async fn made_for(&self, key: &KeyText, template: &str) -> String {
        let when = if template.starts_with("/v1/schedules") { "cron" } else { "delay" };
        let then = if when == "cron" { "@yearly" } else { "1h" };
        self.submit(key, &format!(r#"{{"kind":"hello","{when}":"{then}","payload":"{MARK}"}}"#))
            .await
    }
}

fn filled(template: &str, id: &str) -> String {
    template
        .replace("{id}", id)
        .replace("{queue}", "default")
        .replace("{kind}", "hello")
        .replace("{tenant}", "acme")
        .replace("{page}", "http")
        .replace("{code}", "LS-40001")
        .replace("{file}", "index.html")
        .replace("{worker}", WORKER)
        .replace("{broker}", "main")
        .replace("{topic}", "orders.created")
        .replace("{name}", "shipping")
        .replace("{lease}", &"A".repeat(43))
}

fn body(method: &Method, template: &str) -> &'static str {
    match (method.as_str(), template) {
        ("POST", "/v1/tasks" | "/tasks") => r#"{"kind":"hello"}"#,
        ("POST", "/v1/brokers/{broker}/topics/{topic}/messages") => r#"{"payload":1}"#,
        ("POST", "/v1/leases") => r#"{"kinds":["nobody.has"],"worker":"w"}"#,
        ("POST", "/v1/tasks:batch" | "/tasks:batch") => r#"[{"kind":"hello"}]"#,
        ("POST", "/v1/schedules") => r#"{"kind":"hello","cron":"@yearly"}"#,
        ("PATCH", "/v1/schedules/{id}") => r#"{"missed":"all"}"#,
        ("PATCH", _) => r#"{"backlog":1000000}"#,
        _ => "",
    }
}

/// Who asks, seen from the tenant `acme` and its queue `default`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Own,
    OtherTenant,
    OtherQueue,
}

/// Judges an answer by the policy alone.
fn judge(policy: Policy, role: Role, who: Who, method: &Method, template: &str, answer: &Answer) {
    let at = format!("{method} {template} {role} {who:?}: {answer:?}");
    assert!(answer.status < 500, "{at}");
    let Some(needed) = policy.role() else {
        return assert!(!matches!(answer.status, 401 | 403), "{at}");
    };
    if needed != role {
        return assert_eq!(answer.code(), 40302, "{at}");
    }
    let names_task = template.contains("{id}");
    match who {
        Who::Own => {
            assert!(!matches!(answer.status, 401 | 403 | 404), "{at}");
        }
        Who::OtherTenant => {
            assert!(!answer.body.contains(MARK), "{at}");
            let hidden = names_task || template.contains("{tenant}");
            assert_eq!(answer.status == 404, hidden, "{at}");
        }
        Who::OtherQueue => {
            assert!(!answer.body.contains(MARK), "{at}");
            let names_queue =
                ["/tasks", "/leases", "/schedules"].iter().any(|end| template.ends_with(end));
            if policy.is_whole() || (names_queue && *method == Method::POST) {
                assert_eq!(answer.code(), 40303, "{at}");
            } else if template.ends_with(":batch") {
                assert_eq!(answer.json()["data"]["items"][0]["code"], 40303, "{at}");
            } else {
                let hidden = names_task || template.contains("{queue}");
                assert_eq!(answer.status == 404, hidden, "{at}");
            }
        }
    }
}

#[tokio::test]
async fn every_route_lets_in_whom_its_policy_names_and_nobody_else() {
    let mut served = Served::start().await;
    let submitter = served.key("acme", &[Role::Enqueue], "*");
    let mut asked = 0;
    for role in Role::ALL {
        let callers = [
            (Who::Own, served.key("acme", &[role], "*")),
            (Who::OtherTenant, served.key("other", &[role], "*")),
            (Who::OtherQueue, served.key("acme", &[role], "mail*")),
        ];
        for (method, template, policy) in POLICIES {
            for (who, key) in &callers {
                // What the one before has ended or purged is of no use.
                let id = served.made_for(&submitter, template).await;
                let (path, body) = (filled(template, &id), body(method, template));
                let answer = served.ask(Some(key), method, &path, body).await;
                judge(*policy, role, *who, method, template, &answer);
                asked += 1;
            }
        }
    }
    assert_eq!(asked, POLICIES.len() * Role::ALL.len() * 3);
}

#[tokio::test]
async fn without_a_key_only_public_routes_answer() {
    let mut served = Served::start().await;
    let submitter = served.key("acme", &[Role::Enqueue], "*");
    let id = served.submit(&submitter, r#"{"kind":"hello"}"#).await;
    for (method, template, policy) in POLICIES {
        let (path, body) = (filled(template, &id), body(method, template));
        let answer = served.ask(None, method, &path, body).await;
        if *policy == Policy::Public {
            assert!(!matches!(answer.status, 401 | 403 | 500..), "{method} {path}: {answer:?}");
        } else {
            assert_eq!(answer.code(), 40101, "{method} {path}");
            assert!(answer.head.contains("www-authenticate: bearer realm="), "{}", answer.head);
        }
    }
    let head = served.ask(None, &Method::HEAD, "/v1/tasks", "").await;
    assert_eq!(head.status, 401);
    let slash = served.ask(None, &Method::GET, "/v1/tasks/", "").await;
    assert_eq!(slash.code(), 40101);
}

#[tokio::test]
async fn with_keys_the_host_is_free_and_the_tenant_comes_from_the_key() {
    let mut served = Served::start().await;
    let both = served.key("acme", &[Role::Enqueue, Role::Read], "*");
    let id = served.submit(&both, r#"{"kind":"hello"}"#).await;
    let task = served.ask(Some(&both), &Method::GET, &format!("/v1/tasks/{id}"), "").await;
    assert_eq!(task.json()["data"]["tenant"], "acme");
    let named = r#"{"kind":"hello","tenant":"other"}"#;
    let answer = served.ask(Some(&both), &Method::POST, "/v1/tasks", named).await;
    assert_eq!(answer.code(), 40001);
}

#[tokio::test]
async fn a_key_for_some_queues_sees_those_alone() {
    let mut served = Served::start().await;
    let all = served.key("acme", &[Role::Enqueue, Role::Read], "*");
    let some = served.key("acme", &[Role::Enqueue, Role::Read, Role::Operate], "def*");
    let none = served.key("acme", &[Role::Enqueue, Role::Read, Role::Operate], "mail");
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(served.submit(&all, r#"{"kind":"hello","delay":"1h"}"#).await);
    }
    let get = Method::GET;
    for (key, seen) in [(&some, 3), (&none, 0)] {
        for path in ["/v1/tasks", "/v1/tasks?queue=default"] {
            let list = served.ask(Some(key), &get, path, "").await.json();
            assert_eq!(list["data"]["items"].as_array().unwrap().len(), seen, "{path}: {list}");
        }
        let queues = served.ask(Some(key), &get, "/v1/queues", "").await.json();
        assert_eq!(queues["data"]["items"].as_array().unwrap().len(), seen.min(1), "{queues}");
        let path = format!("/v1/tasks/{}?wait=60s", ids[0]);
        if seen == 0 {
            // At once: the time must not tell that it is there.
            assert_eq!(served.ask(Some(key), &get, &path, "").await.status, 404);
        }
    }
    // Pages of what is left over are as long as asked for, and go on where they stopped.
    let first = served.ask(Some(&some), &get, "/v1/tasks?limit=2", "").await.json();
    let cursor = first["data"]["next_cursor"].as_str().unwrap();
    let path = format!("/v1/tasks?limit=2&cursor={cursor}");
    let second = served.ask(Some(&some), &get, &path, "").await.json();
    let of = |page: &Value| page["data"]["items"].as_array().unwrap().len();
    assert_eq!((of(&first), of(&second)), (2, 1), "{first} {second}");
    assert_eq!(second["data"]["items"][0]["id"], ids[0].as_str());
}

#[tokio::test]
async fn waiting_takes_read_and_another_payload_takes_enqueue() {
    let mut served = Served::start().await;
    let enqueue = served.key("acme", &[Role::Enqueue], "*");
    let operate = served.key("acme", &[Role::Operate], "*");
    let post = Method::POST;
    let wait = served.ask(Some(&enqueue), &post, "/v1/tasks?wait=1s", r#"{"kind":"hello"}"#).await;
    assert_eq!(wait.code(), 40302);
    let id = served.submit(&enqueue, r#"{"kind":"hello"}"#).await;
    let replay = format!("/v1/tasks/{id}/replay");
    let other = served.ask(Some(&operate), &post, &replay, r#"{"payload":1}"#).await;
    assert_eq!(other.code(), 40302);
    assert_eq!(served.ask(Some(&operate), &post, &replay, "").await.status, 201);
}

#[tokio::test]
async fn an_equal_unique_key_does_not_lead_to_a_queue_that_is_not_covered() {
    let mut served = Served::start().await;
    let all = served.key("acme", &[Role::Enqueue], "*");
    let mail = served.key("acme", &[Role::Enqueue], "mail");
    let admin = served.key("acme", &[Role::Admin], "*");
    let slots = served.ask(Some(&admin), &Method::PATCH, "/v1/queues/default", "{}").await;
    assert_eq!(slots.status, 200);
    let unique = r#"{"kind":"hello","delay":"1h","unique":{"key":"one"}}"#;
    let id = served.submit(&all, unique).await;
    let batch = format!("[{unique}]");
    let answer = served.ask(Some(&mail), &Method::POST, "/v1/tasks:batch", &batch).await;
    assert!(!answer.body.contains(&id), "{answer:?}");
    assert_eq!(answer.json()["data"]["items"][0]["code"], 40303);
}

#[tokio::test]
async fn an_idempotency_key_does_not_lead_to_a_queue_that_is_not_covered() {
    let mut served = Served::start().await;
    let all = served.key("acme", &[Role::Enqueue], "*");
    let mail = served.key("acme", &[Role::Enqueue], "mail");
    let first = r#"{"kind":"hello","delay":"1h"}"#;
    let post = async |key: &KeyText, body: &str| {
        let shown = key.expose();
        let headers = format!("authorization: Bearer {shown}\r\nidempotency-key: once\r\n");
        served.send(&headers, &Method::POST, "/v1/tasks", body).await
    };
    let made = post(&all, first).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json()["data"]["id"].as_str().unwrap().to_owned();
    // Neither the task of that key is shown, nor that the key was given with something else.
    for body in [first, r#"{"kind":"hello"}"#] {
        let refused = post(&mail, body).await;
        assert_eq!((refused.status, refused.code()), (403, 40303), "{refused:?}");
        assert!(!refused.body.contains(&id), "{refused:?}");
    }
    assert_eq!(post(&all, first).await.json()["data"]["id"], id.as_str());
    assert_eq!(post(&all, r#"{"kind":"hello"}"#).await.status, 422);
}

#[tokio::test]
async fn audit_lines_are_signed_with_the_key_and_shown_to_its_tenant() {
    let mut served = Served::start().await;
    let admin = served.key("acme", &[Role::Admin], "*");
    let other = served.key("other", &[Role::Admin], "*");
    let paused = served.ask(Some(&admin), &Method::POST, "/v1/queues/default/pause", "").await;
    assert_eq!(paused.status, 200);
    let lines = served.ask(Some(&admin), &Method::GET, "/v1/audit", "").await.json();
    let line = &lines["data"]["items"][0];
    let id = admin.expose().split('_').nth(2).unwrap();
    assert_eq!((&line["by"], &line["tenant"]), (&format!("key:{id}").into(), &"acme".into()));
    let lines = served.ask(Some(&other), &Method::GET, "/v1/audit", "").await.json();
    assert_eq!(lines["data"]["items"], serde_json::json!([]));
}

#[tokio::test]
async fn too_many_wrong_keys_have_to_wait_and_a_revoked_one_is_wrong_at_once() {
    let mut served = Served::start().await;
    let key = served.key("acme", &[Role::Read], "*");
    let ask = async |key: &str| served.ask_as(Some(key), &Method::GET, "/v1/tasks", "").await;
    assert_eq!(ask(key.expose()).await.status, 200);
    served.ring.replace([]);
    for _ in 0..10 {
        assert_eq!(ask(key.expose()).await.code(), 40102);
    }
    let waits = ask(key.expose()).await;
    assert_eq!(waits.code(), 42902);
    let after = waits.head.split_once("retry-after: ").unwrap().1.lines().next().unwrap();
    assert!((1..=60).contains(&after.parse::<u64>().unwrap()), "{}", waits.head);
}

#[tokio::test]
async fn what_a_worker_holds_is_ended_by_a_key_of_its_tenant_and_queue_alone() {
    let mut served = Served::start().await;
    let enqueue = served.key("acme", &[Role::Enqueue], "*");
    let own = served.key("acme", &[Role::Work], "def*");
    let others = [
        served.key("other", &[Role::Work], "*"),
        served.key("acme", &[Role::Work], "mail"),
        served.key("acme", &[Role::Work], "*"),
    ];
    let [foreign, mail, colleague] = &others;
    let post = Method::POST;
    let ask = r#"{"kinds":["pulled"],"worker":"w"}"#;
    let taken = async |key| served.ask(Some(key), &post, "/v1/leases", ask).await.json();
    assert_eq!(taken(&own).await["data"]["tasks"], serde_json::json!([]));
    served.submit(&enqueue, &format!(r#"{{"kind":"pulled","payload":"{MARK}"}}"#)).await;
    assert_eq!(taken(foreign).await["data"]["tasks"], serde_json::json!([]));
    assert_eq!(taken(mail).await["code"], 40303);
    let task = taken(&own).await["data"]["tasks"][0].clone();
    assert_eq!(task["payload"], MARK);
    let lease = task["lease"].as_str().unwrap();
    for act in ["complete", "fail", "extend", "release"] {
        for key in [foreign, mail] {
            let answer =
                served.ask(Some(key), &post, &format!("/v1/leases/{lease}/{act}"), "").await;
            assert_eq!(answer.status, 409, "{act}: {answer:?}");
        }
    }
    // Whoever has the lease's name and may work for the tenant may end it.
    let path = format!("/v1/leases/{lease}/complete");
    assert_eq!(served.ask(Some(colleague), &post, &path, "").await.status, 200);
}
