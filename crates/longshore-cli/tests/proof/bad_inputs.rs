//! What must be refused, and how: every row of the HTTP surface's rules, asked of the real binary.

use crate::client::{Answer, Client};
use crate::load::send;
use crate::server::{Launch, data, folder};
use libtest_mimic::Failed;
use serde_json::{Value, json};

const ID: &str = "0197a3a8-0000-7000-8000-000000000001";
const JSON: (&str, &str) = ("content-type", "application/json");

/// A request that must be refused.
struct Bad {
    method: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    status: u16,
    /// The five digits, where the rules name them.
    code: Option<u32>,
    /// The field that `errors` must name.
    field: Option<&'static str>,
    /// A word that must help.
    says: &'static str,
}

impl Bad {
    fn new(method: &'static str, path: &'static str, status: u16) -> Self {
        let (headers, body) = (Vec::new(), Vec::new());
        Self { method, path, headers, body, status, code: None, field: None, says: "" }
    }

    fn post(body: impl Into<Vec<u8>>, status: u16) -> Self {
        let bad = Self { body: body.into(), ..Self::new("POST", "/v1/tasks", status) };
        bad.header(JSON.0, JSON.1)
    }

    /// A task that is right but for one field.
    fn field(field: &'static str, value: Value) -> Self {
        let mut task = json!({"kind": "hello"});
        task[field] = value;
        Self { field: Some(field), ..Self::post(task.to_string(), 400) }
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    fn code(self, code: u32) -> Self {
        Self { code: Some(code), ..self }
    }

    fn says(self, says: &'static str) -> Self {
        Self { says, ..self }
    }

    fn without_field(self) -> Self {
        Self { field: None, ..self }
    }

    fn ask(&self, client: &mut Client) -> std::io::Result<Answer> {
        let headers: Vec<_> = self.headers.iter().map(|(name, it)| (*name, it.as_str())).collect();
        client.send(self.method, self.path, &headers, &self.body)
    }
}

fn wrong_fields() -> Vec<Bad> {
    let pairs = |count: usize| Value::from_iter((0..count).map(|n| (format!("h{n}"), "x")));
    vec![
        Bad::field("name", json!("x")),
        Bad::field("name", json!("x".repeat(33))),
        Bad::field("priority", json!(10)),
        Bad::field("priority", json!(-1)),
        Bad::field("priority", json!("high")),
        Bad::field("max_attempts", json!(0)),
        Bad::field("max_attempts", json!(101)),
        Bad::field("timeout", json!("50ms")),
        Bad::field("timeout", json!("25h")),
        Bad::field("timeout", json!("soon")),
        Bad::field("total_timeout", json!("50ms")),
        Bad::field("delay", json!("-1s")),
        Bad::field("order_key", json!("k".repeat(129))),
        Bad::field("unique", json!("a")),
        Bad::field("unique", json!({"while": "active"})).without_field().says("key"),
        Bad::field("unique", json!({"key": "a", "while": "soon"})).without_field().says("while"),
        Bad::post(r#"{"kind": "hello", "order_key": "a", "delay": "1s"}"#, 400).says("order_key"),
        Bad::post(r#"{"kind": "hello", "payload": "\ud83d"}"#, 400).says("surrogate"),
        Bad::field("idempotency_key", json!("k")).says("Idempotency-Key"),
        Bad::field("run_at", json!("yesterday")),
        Bad::field("queue", json!("nosuch")),
        Bad::field("queue", json!("No Such")),
        Bad::field("tags", Value::from(vec!["t"; 17])),
        Bad::field("headers", json!({"ls-x": "1"})).without_field().says("ls-"),
        Bad::field("headers", json!({"nats-x": "1"})).without_field().says("nats-"),
        Bad::field("headers", pairs(33)),
        Bad::field("id", json!("42")),
        Bad::field("kind", json!("helo")).says("hello"),
        Bad::field("kind", json!("Hello World")),
        Bad::field("kind", json!("-hello")),
        Bad::field("kind", json!("x".repeat(129))),
        Bad::field("kind", json!("")),
        Bad::field("kind", json!(null)),
        Bad::field("kind", json!(7)),
        Bad::field("priorty", json!(3)).says("priority"),
        Bad::field("maxAttempts", json!(3)).says("max_attempts"),
        Bad::post(r#"{"payload": 1}"#, 400).says("kind"),
        Bad::field("cron", json!("*/0 * * * *")).says("minute"),
        Bad::field("cron", json!("0-999999999 * * * *")).says("minute"),
        Bad::field("cron", json!("0 0 30 2 *")).says("never"),
        Bad::field("cron", json!("9,".repeat(5_000))).says("256"),
        Bad::field("timezone", json!("Europe/Berlin")).without_field().says("cron"),
        Bad::post(r#"{"kind": "hello", "run_at": "2030-01-01T00:00:00Z", "delay": "1s"}"#, 400)
            .says("delay"),
    ]
}

fn not_available() -> Vec<Bad> {
    let fields = [
        ("callback", json!({"url": "http://127.0.0.1:9/"})),
        ("after", json!([ID])),
        ("group", json!(ID)),
        ("on_parent_failure", json!("run")),
    ];
    fields.into_iter().map(|(field, value)| Bad::field(field, value).code(40010)).collect()
}

fn wrong_bodies() -> Vec<Bad> {
    let nested = format!(r#"{{"kind": "hello", "payload": {}{}}}"#, "[".repeat(65), "]".repeat(65));
    let endless = format!(r#"{{"kind": "hello", "payload": {}"#, "[".repeat(100_000));
    let big = json!({"kind": "hello", "payload": "x".repeat(256 * 1024)}).to_string();
    let right = json!({"kind": "hello"}).to_string();
    vec![
        Bad::post("", 400),
        Bad::post("[]", 400),
        Bad::post("null", 400),
        Bad::post("\"hello\"", 400),
        Bad::post("{\"kind\": \"hello\",\n \"payload\": }", 400).says("line 2"),
        Bad::post("{\"kind\": \"hello\"} x", 400),
        Bad::post(b"{\"kind\": \"hello\", \"payload\": \"\xff\"}".to_vec(), 400),
        Bad::post(nested, 400),
        Bad::post(endless, 400),
        Bad::post(big, 413),
        Bad::post(right.clone(), 415).header("content-type", "text/plain"),
        Bad { headers: Vec::new(), ..Bad::post(right.clone(), 415) },
        Bad::post(right, 400).header("idempotency-key", "k".repeat(129)),
    ]
}

fn wrong_ways() -> Vec<Bad> {
    vec![
        Bad::new("GET", "/v1/nosuch", 404),
        Bad::new("GET", "/v2/tasks", 404),
        Bad::new("PUT", "/v1/tasks", 405),
        Bad::new("DELETE", "/v1/tasks/0197a3a8-0000-7000-8000-000000000001", 405),
        Bad::new("GET", "/v1/tasks/42", 400),
        Bad::new("GET", "/v1/tasks/0197a3a8-0000-7000-8000-000000000001", 404),
        Bad::new("GET", "/tasks/0197a3a8-0000-7000-8000-000000000001", 404),
        Bad::new("GET", "/v1/tasks?status=nosuch", 400).says("status"),
        Bad::new("GET", "/v1/tasks?limit=0", 400).says("limit"),
        Bad::new("GET", "/v1/tasks?limit=1001", 400).says("limit"),
        Bad::new("GET", "/v1/tasks?limit=many", 400).says("limit"),
        Bad::new("GET", "/v1/tasks?cursor=%21nosuch", 400).says("cursor"),
        Bad::new("GET", "/docs/errors/LS-99999", 404),
        Bad::new("POST", "/v1/tasks/42/cancel", 400),
        Bad::new("POST", "/v1/tasks/0197a3a8-0000-7000-8000-000000000001/cancel", 404),
        Bad::new("POST", "/v1/tasks/0197a3a8-0000-7000-8000-000000000001/retry", 404),
        Bad::new("GET", "/v1/tasks/0197a3a8-0000-7000-8000-000000000001/attempts", 404),
        Bad::new("POST", "/v1/dead-letters/0197a3a8-0000-7000-8000-000000000001/retry", 404),
        Bad::new("POST", "/v1/queues/nosuch/pause", 404),
        Bad::new("GET", "/v1/dead-letters?limit=0", 400).says("limit"),
    ]
}

pub(crate) fn is_refused_and_says_why() -> Result<(), Failed> {
    let folder = folder()?;
    let server = Launch::plain(data(&folder)).start()?;
    let mut client = server.client();
    let mut wrong = Vec::new();
    let mut asked = 0;
    let rows = [wrong_fields(), not_available(), wrong_bodies(), wrong_ways()];
    for bad in rows.into_iter().flatten() {
        asked += 1;
        let body: String = String::from_utf8_lossy(&bad.body).chars().take(100).collect();
        match bad.ask(&mut client) {
            Ok(answer) => {
                let faults = faults(&bad, &answer, &mut client)?;
                wrong.extend(
                    faults
                        .into_iter()
                        .map(|fault| format!("{} {} {body}\n    {fault}", bad.method, bad.path)),
                );
            }
            Err(error) => wrong.push(format!("{} {} {body}\n    {error}", bad.method, bad.path)),
        }
    }
    let left = client.get("/v1/tasks")?.data();
    if left["items"] != json!([]) {
        wrong.push(format!("something was accepted: {left}"));
    }
    server.stop()?;
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("{} of {asked} requests are answered wrongly:\n{}", wrong.len(), wrong.join("\n"))
        .into())
}

/// What is wrong with an answer: it must be a problem (RFC 9457) and the envelope at once.
fn faults(bad: &Bad, answer: &Answer, client: &mut Client) -> Result<Vec<String>, Failed> {
    let mut faults = Vec::new();
    let text = answer.text();
    if answer.status != bad.status {
        faults.push(format!("{} instead of {}: {text}", answer.status, bad.status));
        return Ok(faults);
    }
    let body = answer.json();
    let code = body["code"].to_string();
    if answer.header("content-type") != Some("application/problem+json") {
        faults.push(format!("is of type {:?}", answer.header("content-type")));
    }
    if code.len() != 5 || !code.starts_with(&bad.status.to_string()) {
        faults.push(format!("code {code} of a {}", bad.status));
    }
    if bad.code.is_some_and(|expected| expected.to_string() != code) {
        faults.push(format!("code {code} instead of {:?}", bad.code));
    }
    if body["status"] != bad.status || body.get("data") != Some(&Value::Null) {
        faults.push(format!("no status, or no data of null: {text}"));
    }
    for key in ["title", "detail", "instance", "message", "trace_id"] {
        if body[key].as_str().is_none_or(str::is_empty) {
            faults.push(format!("no {key}: {text}"));
        }
    }
    if let Some(field) = bad.field {
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        let named = |error: &Value| error["field"] == field && error["message"].is_string();
        if !errors.iter().any(named) {
            faults.push(format!("does not name the field {field}: {text}"));
        }
    }
    if !text.contains(bad.says) {
        faults.push(format!("does not say {:?}: {text}", bad.says));
    }
    if bad.status == 405 && answer.header("allow").is_none() {
        faults.push("a 405 without Allow".into());
    }
    let page = body["type"].as_str().unwrap_or_default().to_owned();
    if page != format!("/docs/errors/LS-{code}") {
        faults.push(format!("type is {page:?}"));
    } else if client.get(&page)?.status != 200 {
        faults.push(format!("{page} is not served"));
    }
    Ok(faults)
}

pub(crate) fn a_key_binds_one_answer() -> Result<(), Failed> {
    let folder = folder()?;
    let server = Launch::plain(data(&folder)).start()?;
    let mut client = server.client();
    let body = json!({"kind": "hello", "payload": {"n": 1}});
    let first = send(&mut client, "once", &body)?;
    let again = send(&mut client, "once", &body)?;
    if first.status != 201 || again.status != 201 || first.body != again.body {
        return Err(format!("{}\nthen\n{}", first.text(), again.text()).into());
    }
    let replayed = again.header("idempotency-replayed");
    if replayed != Some("true") || first.header("idempotency-replayed").is_some() {
        return Err(format!("Idempotency-Replayed: {replayed:?}").into());
    }
    if first.header("location") != again.header("location") {
        return Err("another location".into());
    }
    let other = send(&mut client, "once", &json!({"kind": "hello", "payload": {"n": 2}}))?;
    if other.status != 422 {
        return Err(format!("another body is answered {}", other.text()).into());
    }
    // Both doors are one; quotes do not count; and the key outlives the process.
    server.kill()?;
    let server = Launch::plain(data(&folder)).start()?;
    let headers = [JSON, ("idempotency-key", "\"once\"")];
    let text = body.to_string();
    let last = server.client().send("POST", "/tasks", &headers, text.as_bytes())?;
    if last.status != 201 || last.body != first.body {
        return Err(format!("after a kill: {}", last.text()).into());
    }
    let items = server.client().get("/v1/tasks")?.data()["items"].take();
    if items.as_array().is_none_or(|items| items.len() != 1) {
        return Err(format!("not one task: {items}").into());
    }
    server.stop()?;
    Ok(())
}

pub(crate) fn an_id_is_taken_once() -> Result<(), Failed> {
    let folder = folder()?;
    let server = Launch::plain(data(&folder)).start()?;
    let mut client = server.client();
    let body = json!({"kind": "hello", "id": ID});
    let first = client.post("/v1/tasks", &body)?;
    let location = format!("/v1/tasks/{ID}");
    if first.status != 201 || first.header("location") != Some(location.as_str()) {
        return Err(format!("answered {}", first.text()).into());
    }
    let second = client.post("/v1/tasks", &body)?;
    if second.status != 409 || second.header("location") != Some(location.as_str()) {
        return Err(format!("{:?}: {}", second.header("location"), second.text()).into());
    }
    server.stop()?;
    Ok(())
}
