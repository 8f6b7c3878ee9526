//! Every key of the table has its place in the configuration.

use crate::yaml;
use longshore::config::{Config, schema};
use serde_json::Value;
use std::collections::BTreeSet;

/// Each key with two values; `%` stands for them in the document.
const KEYS: &[(&str, &str, [&str; 2])] = &[
    ("server.listen", "server: { listen: % }", ["127.0.0.1:1", "127.0.0.1:2"]),
    ("server.drain", "server: { drain: % }", ["1s", "1.5"]),
    ("server.max_body", "server: { max_body: % }", ["1KiB", "2000"]),
    ("server.insecure_bind", "server: { insecure_bind: % }", ["false", "true"]),
    ("server.tls.cert", "server: { tls: { cert: %, key: k } }", ["one", "two"]),
    ("server.tls.key", "server: { tls: { cert: c, key: % } }", ["one", "two"]),
    ("auth.keys", "auth: { keys: % }", ["file:one", "file:two"]),
    ("store", "store: %", ["embedded:a", "embedded:b"]),
    (
        "brokers.*.url",
        "brokers: { m: { url: % } }",
        ["\"amqp://a\"", "[\"amqp://a\", \"amqps://b\"]"],
    ),
    ("brokers.*.declare", "brokers: { m: { url: \"amqp://a\", declare: % } }", ["verify", "off"]),
    (
        "brokers.*.reconnect.first",
        "brokers: { m: { url: \"amqp://a\", reconnect: { first: % } } }",
        ["100ms", "2s"],
    ),
    (
        "brokers.*.reconnect.cap",
        "brokers: { m: { url: \"amqp://a\", reconnect: { cap: % } } }",
        ["5s", "2m"],
    ),
    (
        "brokers.*.reconnect.max_tries",
        "brokers: { m: { url: \"amqp://a\", reconnect: { max_tries: % } } }",
        ["1", "2"],
    ),
    (
        "brokers.*.reconnect.unavailable_after",
        "brokers: { m: { url: \"amqp://a\", reconnect: { unavailable_after: % } } }",
        ["1", "2"],
    ),
    (
        "brokers.*.rabbitmq.*",
        "brokers: { m: { url: \"amqp://a\", rabbitmq: { heartbeat: % } } }",
        ["5s", "10"],
    ),
    ("queues.*.slots", "queues: { q: { slots: % } }", ["1", "2"]),
    ("queues.*.limit", "queues: { q: { limit: % } }", ["1", "2"]),
    ("queues.*.rate", "queues: { q: { rate: % } }", ["1/s", "1/m"]),
    ("queues.*.backlog", "queues: { q: { backlog: % } }", ["1", "2"]),
    (
        "queues.*.carrier",
        "brokers: { a: { url: \"amqp://h\" }, b: { url: \"amqp://h\" } }\nqueues: { q: { carrier: % } }",
        ["a", "b"],
    ),
    (
        "kinds.*.queue",
        "queues: { q: }\nkinds: { k: { command: [wc], queue: % } }",
        ["default", "q"],
    ),
    ("kinds.*.command", "kinds: { k: { command: % } }", ["[wc]", "[wc, -l]"]),
    ("kinds.*.push", "kinds: { k: { push: % } }", ["http://a/", "http://b/"]),
    ("kinds.*.timeout", "kinds: { k: { command: [wc], timeout: % } }", ["1s", "2s"]),
    ("kinds.*.total_timeout", "kinds: { k: { command: [wc], total_timeout: % } }", ["1s", "2s"]),
    ("kinds.*.grace", "kinds: { k: { command: [wc], grace: % } }", ["1s", "2s"]),
    (
        "kinds.*.schema",
        "kinds: { k: { command: [wc], schema: % } }",
        ["schemas/invoice.json", "./schemas/../schemas/invoice.json"],
    ),
    ("kinds.*.env", "kinds: { k: { command: [wc], env: % } }", ["[HOME]", "[HOME, LANG]"]),
    ("kinds.*.cwd", "kinds: { k: { command: [wc], cwd: % } }", [".", "schemas"]),
    (
        "kinds.*.limits.memory",
        "kinds: { k: { command: [wc], limits: { memory: % } } }",
        ["1MiB", "2MiB"],
    ),
    (
        "kinds.*.limits.processes",
        "kinds: { k: { command: [wc], limits: { processes: % } } }",
        ["1", "2"],
    ),
    (
        "kinds.*.limits.output",
        "kinds: { k: { command: [wc], limits: { output: % } } }",
        ["1KiB", "2KiB"],
    ),
    ("kinds.*.secret", "kinds: { k: { push: \"http://h/\", secret: % } }", ["a", "[a, b]"]),
    ("kinds.*.headers.*", "kinds: { k: { push: \"http://h/\", headers: { x-a: % } } }", ["a", "b"]),
    (
        "kinds.*.retry.strategy",
        "kinds: { k: { command: [wc], retry: { strategy: % } } }",
        ["immediate", "exponential"],
    ),
    (
        "kinds.*.retry.max_attempts",
        "kinds: { k: { command: [wc], retry: { max_attempts: % } } }",
        ["1", "2"],
    ),
    (
        "kinds.*.retry.base",
        "kinds: { k: { command: [wc], retry: { strategy: fixed, base: % } } }",
        ["2s", "3s"],
    ),
    ("kinds.*.retry.factor", "kinds: { k: { command: [wc], retry: { factor: % } } }", ["1", "1.5"]),
    ("kinds.*.retry.cap", "kinds: { k: { command: [wc], retry: { cap: % } } }", ["1m", "2m"]),
    ("kinds.*.retry.jitter", "kinds: { k: { command: [wc], retry: { jitter: % } } }", ["0", "1"]),
    (
        "kinds.*.retry.min",
        "kinds: { k: { command: [wc], retry: { strategy: random, min: % } } }",
        ["1s", "2s"],
    ),
    (
        "kinds.*.retry.max",
        "kinds: { k: { command: [wc], retry: { strategy: random, max: % } } }",
        ["1s", "2s"],
    ),
    (
        "kinds.*.retry.delays",
        "kinds: { k: { command: [wc], retry: { strategy: list, delays: % } } }",
        ["[1s]", "[1s, 2h]"],
    ),
    (
        "kinds.*.on_error[].match.exit",
        "kinds: { k: { command: [wc], on_error: [{ match: { exit: % }, then: dead }] } }",
        ["1", "[1, 2]"],
    ),
    (
        "kinds.*.on_error[].match.class",
        "kinds: { k: { command: [wc], on_error: [{ match: { class: % }, then: dead }] } }",
        ["panic", "[panic, timeout]"],
    ),
    (
        "kinds.*.on_error[].match.status",
        "kinds: { k: { push: \"http://h/\", on_error: [{ match: { status: % }, then: dead }] } }",
        ["500", "5xx"],
    ),
    (
        "kinds.*.on_error[].match.code",
        "kinds: { k: { command: [wc], on_error: [{ match: { code: % }, then: dead }] } }",
        ["a", "[a, b]"],
    ),
    (
        "kinds.*.on_error[].then",
        "kinds: { k: { command: [wc], on_error: [{ match: { code: a }, then: % }] } }",
        ["retry", "discard"],
    ),
    (
        "kinds.*.on_error[].after",
        "kinds: { k: { command: [wc], on_error: [{ match: { code: a }, then: snooze, after: % }] } }",
        ["1s", "2s"],
    ),
    ("kinds.*.pull", "kinds: { k: { pull: % } }", ["true", "true"]),
    (
        "schedules.*.cron",
        "kinds: { k: { command: [wc] } }\nschedules: { tidy: { kind: k, cron: % } }",
        ["\"0 3 * * *\"", "\"0 4 * * *\""],
    ),
    (
        "schedules.*.timezone",
        "kinds: { k: { command: [wc] } }\nschedules: { tidy: { cron: \"@daily\", kind: k, timezone: % } }",
        ["UTC", "Europe/Berlin"],
    ),
    (
        "schedules.*.missed",
        "kinds: { k: { command: [wc] } }\nschedules: { tidy: { cron: \"@daily\", kind: k, missed: % } }",
        ["skip", "all"],
    ),
    (
        "schedules.*.payload",
        "kinds: { k: { command: [wc] } }\nschedules: { tidy: { cron: \"@daily\", kind: k, payload: % } }",
        ["{ a: [1, \"x\", null] }", "7"],
    ),
    (
        "schedules.*.priority",
        "kinds: { k: { command: [wc] } }\nschedules: { tidy: { cron: \"@daily\", kind: k, priority: % } }",
        ["1", "2"],
    ),
    (
        "schedules.*.max_attempts",
        "kinds: { k: { command: [wc] } }\nschedules: { tidy: { cron: \"@daily\", kind: k, max_attempts: % } }",
        ["1", "2"],
    ),
    (
        "schedules.*.timeout",
        "kinds: { k: { command: [wc] } }\nschedules: { tidy: { cron: \"@daily\", kind: k, timeout: % } }",
        ["1s", "2s"],
    ),
    (
        "schedules.*.total_timeout",
        "kinds: { k: { command: [wc] } }\nschedules: { tidy: { cron: \"@daily\", kind: k, total_timeout: % } }",
        ["1s", "2s"],
    ),
    (
        "schedules.*.expires_in",
        "kinds: { k: { command: [wc] } }\nschedules: { tidy: { cron: \"@daily\", kind: k, expires_in: % } }",
        ["1s", "2s"],
    ),
    (
        "schedules.*.order_key",
        "kinds: { k: { command: [wc] } }\nschedules: { tidy: { cron: \"@daily\", kind: k, order_key: % } }",
        ["a", "b"],
    ),
    (
        "schedules.*.tags",
        "kinds: { k: { command: [wc] } }\nschedules: { tidy: { cron: \"@daily\", kind: k, tags: % } }",
        ["[a]", "[a, b]"],
    ),
    (
        "schedules.*.kind",
        "kinds: { k: { command: [wc] }, l: { command: [wc] } }\nschedules: { tidy: { cron: \"@daily\", kind: % } }",
        ["k", "l"],
    ),
    (
        "schedules.*.queue",
        "queues: { q: }\nkinds: { k: { command: [wc] } }\nschedules: { tidy: { cron: \"@daily\", kind: k, queue: % } }",
        ["default", "q"],
    ),
    (
        "consumers.*.broker",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: %, topic: a, push: \"http://h/\" } }",
        ["m", "n"],
    ),
    (
        "consumers.*.topic",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: %, push: \"http://h/\" } }",
        ["b", "[b, c.*]"],
    ),
    (
        "consumers.*.group",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", group: % } }",
        ["g", "h"],
    ),
    (
        "consumers.*.mode",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", mode: % } }",
        ["single_active", "broadcast"],
    ),
    (
        "consumers.*.concurrency",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", concurrency: % } }",
        ["serial", "{ parallel: 2 }"],
    ),
    (
        "consumers.*.decode",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", decode: % } }",
        ["text", "bytes"],
    ),
    (
        "consumers.*.command",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, command: % } }",
        ["[wc]", "[wc, -l]"],
    ),
    (
        "consumers.*.push",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: % } }",
        ["http://a/", "http://b/"],
    ),
    (
        "consumers.*.timeout",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", timeout: % } }",
        ["1s", "2s"],
    ),
    (
        "consumers.*.grace",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", grace: % } }",
        ["1s", "2s"],
    ),
    (
        "consumers.*.dead_letter",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", dead_letter: % } }",
        ["g", "h"],
    ),
    (
        "consumers.*.parameters",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", parameters: % } }",
        ["{ a: 1 }", "{ a: 2 }"],
    ),
    (
        "consumers.*.env",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, command: [wc], env: % } }",
        ["[HOME]", "[HOME, LANG]"],
    ),
    (
        "consumers.*.cwd",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, command: [wc], cwd: % } }",
        [".", "schemas"],
    ),
    (
        "consumers.*.limits.memory",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, command: [wc], limits: { memory: % } } }",
        ["1MiB", "2MiB"],
    ),
    (
        "consumers.*.limits.processes",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, command: [wc], limits: { processes: % } } }",
        ["1", "2"],
    ),
    (
        "consumers.*.limits.output",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, command: [wc], limits: { output: % } } }",
        ["1KiB", "2KiB"],
    ),
    (
        "consumers.*.secret",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", secret: % } }",
        ["a", "[a, b]"],
    ),
    (
        "consumers.*.headers.*",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", headers: { x-a: % } } }",
        ["a", "b"],
    ),
    (
        "consumers.*.rabbitmq.*",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", rabbitmq: { x: % } } }",
        ["1", "true"],
    ),
    (
        "consumers.*.retry.strategy",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", retry: { strategy: % } } }",
        ["immediate", "exponential"],
    ),
    (
        "consumers.*.retry.max_attempts",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", retry: { max_attempts: % } } }",
        ["1", "2"],
    ),
    (
        "consumers.*.retry.base",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", retry: { strategy: fixed, base: % } } }",
        ["2s", "3s"],
    ),
    (
        "consumers.*.retry.factor",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", retry: { factor: % } } }",
        ["1", "1.5"],
    ),
    (
        "consumers.*.retry.cap",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", retry: { cap: % } } }",
        ["1m", "2m"],
    ),
    (
        "consumers.*.retry.jitter",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", retry: { jitter: % } } }",
        ["0", "1"],
    ),
    (
        "consumers.*.retry.min",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", retry: { strategy: random, min: % } } }",
        ["1s", "2s"],
    ),
    (
        "consumers.*.retry.max",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", retry: { strategy: random, max: % } } }",
        ["1s", "2s"],
    ),
    (
        "consumers.*.retry.delays",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", retry: { strategy: list, delays: % } } }",
        ["[1s]", "[1s, 2h]"],
    ),
    (
        "consumers.*.on_error[].match.exit",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, command: [wc], on_error: [{ match: { exit: % }, then: dead }] } }",
        ["1", "[1, 2]"],
    ),
    (
        "consumers.*.on_error[].match.class",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", on_error: [{ match: { class: % }, then: dead }] } }",
        ["panic", "[panic, timeout]"],
    ),
    (
        "consumers.*.on_error[].match.status",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", on_error: [{ match: { status: % }, then: dead }] } }",
        ["500", "5xx"],
    ),
    (
        "consumers.*.on_error[].match.code",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", on_error: [{ match: { code: % }, then: dead }] } }",
        ["a", "[a, b]"],
    ),
    (
        "consumers.*.on_error[].then",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", on_error: [{ match: { code: a }, then: % }] } }",
        ["retry", "discard"],
    ),
    (
        "consumers.*.on_error[].after",
        "brokers: { m: { url: \"amqp://a\" }, n: { url: \"amqp://b\" } }\nconsumers: { c: { broker: m, topic: a, push: \"http://h/\", on_error: [{ match: { code: a }, then: snooze, after: % }] } }",
        ["1s", "2s"],
    ),
    ("retention.success", "retention: { success: % }", ["1d", "2d"]),
    ("retention.failed", "retention: { failed: % }", ["1d", "2d"]),
    ("retention.max_bytes", "retention: { max_bytes: % }", ["1GiB", "2GB"]),
    ("telemetry.log", "telemetry: { log: % }", ["text", "json"]),
];

/// The part that the rest of the program sees, without what is only shown.
fn seen(config: &Config) -> String {
    let Config {
        server,
        auth,
        store,
        brokers,
        queues,
        kinds,
        consumers,
        schedules,
        retention,
        telemetry,
        ..
    } = config;
    let store = store.expose().rsplit('/').next().unwrap();
    let payloads: Vec<_> = schedules
        .values()
        .map(|plan| plan.task.payload.as_ref().map(|json| json.as_str()))
        .collect();
    format!(
        "{server:?} {auth:?} {store} {brokers:?} {queues:?} {kinds:?} {consumers:?} {schedules:?} {payloads:?} {retention:?} {telemetry:?}"
    )
}

#[test]
fn every_key_reaches_the_configuration() {
    for (key, document, values) in KEYS {
        let [one, two] = values.map(|value| yaml(&document.replace('%', value)));
        let differs = match *key {
            // Their values do not print.
            "kinds.*.secret" | "kinds.*.headers.*" => one.kinds != two.kinds,
            "consumers.*.secret" | "consumers.*.headers.*" => one.consumers != two.consumers,
            // They are in folders of their own anyway.
            "kinds.*.schema" => one.kinds["k"].schema.is_some(),
            "kinds.*.cwd" | "consumers.*.cwd" => {
                seen(&one).contains("cwd: Some") && seen(&two).contains("schemas\")")
            }
            "server.tls.cert" | "server.tls.key" | "auth.keys" => {
                seen(&one).contains("/one\"") && seen(&two).contains("/two\"")
            }
            "kinds.*.pull" => one.kinds["k"].runner == longshore::config::Runner::Pull,
            _ => seen(&one) != seen(&two),
        };
        assert!(differs, "{key}");
        assert!(!one.origins().is_empty());
    }
}

#[test]
fn every_key_of_the_schema_is_tried_here() {
    let mut known = BTreeSet::new();
    collect(&schema(), String::new(), &mut known);
    let tried: BTreeSet<String> = KEYS.iter().map(|(key, ..)| (*key).to_owned()).collect();
    assert_eq!(tried, known);
}

/// The paths of all keys that hold a value.
fn collect(schema: &Value, path: String, into: &mut BTreeSet<String>) {
    let dot = if path.is_empty() { "" } else { "." };
    if schema.get("not").is_some() {
        return;
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (name, inner) in properties {
            collect(inner, format!("{path}{dot}{name}"), into);
        }
    } else if let Some(inner) = schema.get("additionalProperties") {
        collect(inner, format!("{path}{dot}*"), into);
    } else if let Some(inner) =
        schema.get("items").filter(|items| items.get("properties").is_some())
    {
        collect(inner, format!("{path}[]"), into);
    } else {
        into.insert(path);
    }
}
