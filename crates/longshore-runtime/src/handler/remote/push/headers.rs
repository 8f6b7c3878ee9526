//! The headers of a push: the task's, then the configuration's, then ours; later ones win.

use crate::handler::{Cx, Message};
use crate::signature::{self, Secret};
use longshore_core::{Clock, SystemClock, Timestamp};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::fmt::Write as _;
use std::time::Instant;

/// The media type of an answer that says itself what it means.
pub(super) const OUTCOME: &str = "application/vnd.longshore.outcome+json";

/// Names that we set, or that frame a request.
const OURS: [&str; 18] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-connection",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Beginnings of names that we set.
const OUR_FAMILIES: [&str; 3] = ["ce-", "webhook-", "longshore-"];

/// Credentials: the configuration gives them, never who submits a task.
const CREDENTIALS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "cookie2"];

/// Returns whether nobody but us sets this header.
pub(super) fn is_ours(name: &HeaderName) -> bool {
    let name = name.as_str();
    OURS.contains(&name) || OUR_FAMILIES.iter().any(|family| name.starts_with(family))
}

/// Makes the headers of one attempt.
pub(super) fn of_attempt(cx: &Cx, body: &[u8], fixed: &HeaderMap, secrets: &[Secret]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(24);
    for (name, value) in cx.headers() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
            && !is_ours(&name)
            && !CREDENTIALS.contains(&name.as_str())
        {
            headers.append(name, value);
        }
    }
    for name in fixed.keys() {
        headers.remove(name);
    }
    for (name, value) in fixed {
        headers.append(name, value.clone());
    }
    let now = SystemClock.now();
    for (name, value) in ours(cx, now) {
        put(&mut headers, name, &value);
    }
    match cx.message() {
        Some(message) => of_message(message, &mut headers),
        None => of_task(cx, &mut headers),
    }
    if !secrets.is_empty() {
        let (id, at) = (cx.id().to_string(), now.0 / 1_000);
        put(&mut headers, signature::SIGNATURE, &signature::sign(secrets, &id, at, body));
        put(&mut headers, signature::ID, &id);
        put(&mut headers, signature::TIMESTAMP, &at.to_string());
    }
    headers
}

/// What a task has and a message has not.
fn of_task(cx: &Cx, headers: &mut HeaderMap) {
    put(headers, "longshore-token", &cx.token().to_string());
    put(headers, "longshore-lease", &format!("{}.{}", cx.id(), cx.token()));
}

/// What a message has and a task has not.
fn of_message(message: &Message, headers: &mut HeaderMap) {
    put(headers, "content-type", message.content_type());
    let group = message.group().map_or("", |group| group.as_str());
    put(headers, "ce-source", &format!("/longshore/{}/{group}", message.broker()));
    put(headers, "longshore-consumer", message.consumer());
    if let Some(topic) = message.topic() {
        put(headers, "ce-type", topic.as_str());
        put(headers, "longshore-topic", topic.as_str());
    }
    if !message.parameters().is_null() {
        put(headers, "longshore-parameters", &ascii(message.parameters()));
    }
}

/// JSON of letters that a header can carry.
fn ascii(value: &serde_json::Value) -> String {
    let mut text = String::new();
    for unit in value.to_string().chars() {
        if unit.is_ascii() {
            text.push(unit);
            continue;
        }
        for half in unit.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\u{half:04x}");
        }
    }
    text
}

fn ours(cx: &Cx, now: Timestamp) -> [(&'static str, String); 12] {
    let id = cx.id().to_string();
    let left = cx.deadline().saturating_duration_since(Instant::now());
    [
        ("accept", format!("{OUTCOME}, application/json, text/plain;q=0.9, */*;q=0.1")),
        ("content-type", "application/json".into()),
        ("ce-specversion", "1.0".into()),
        ("ce-source", format!("/longshore/{}/{}", cx.tenant(), cx.queue())),
        ("ce-type", cx.kind().to_string()),
        ("ce-time", cx.created_at().to_string()),
        ("traceparent", traceparent(cx.0.task.traceparent.as_deref())),
        ("longshore-attempt", cx.attempt().to_string()),
        ("longshore-max-attempts", cx.max_attempts().to_string()),
        ("longshore-deadline", now.after(left).to_string()),
        ("ce-id", id.clone()),
        ("idempotency-key", id),
    ]
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // Names of tenants, queues and kinds are of letters that every header can carry.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Goes on with the submitter's trace under a span of this attempt, or begins one that is not
/// sampled.
fn traceparent(theirs: Option<&str>) -> String {
    let mut text = String::with_capacity(55);
    let span = fastrand::u64(1..);
    // Writing to a string cannot fail.
    let _ = match theirs.and_then(|parent| Some((parent.get(3..35)?, parent.get(53..55)?))) {
        Some((trace, flags)) => write!(text, "00-{trace}-{span:016x}-{flags}"),
        None => {
            let (high, low) = (fastrand::u64(1..), fastrand::u64(..));
            write!(text, "00-{high:016x}{low:016x}-{span:016x}-00")
        }
    };
    text
}
