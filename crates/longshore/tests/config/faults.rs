//! What is wrong is refused, with the place, the key, and what to do.

use crate::{Place, faults, faults_of};
use longshore::config::{Sources, schema};

/// Files of one fault each, and how it is told.
const WRONG: &[(&str, &str)] = &[
    (
        "brokers: { main: { url: \"amqp://h\" } }\nqueues: { mail: { carrier: mian } }",
        "2:28: queues.mail.carrier: there is no broker \"mian\"; did you mean \"main\"?",
    ),
    (
        "queues: { mail: { carrier: main } }",
        "1:28: queues.mail.carrier: there is no broker \"main\"; declare it under `brokers`",
    ),
    (
        "brokers: { main: { url: \"amqp://h\" } }\nqueues: { mail: { carrier: main } }\nkinds: { a: { pull: true, queue: mail } }",
        "3:34: kinds.a.queue: tasks of this kind are carried by \"main\", so no worker can pull them; give it another queue",
    ),
    (
        "brokers: { main: { url: \"embedded:\" } }\nconsumers: { c: { topic: a, push: \"http://h/\", rabbitmq: { x: 1 } } }",
        "2:48: consumers.c.rabbitmq: belongs to another sort of broker than this consumer's",
    ),
    (
        "consumers: { c: { topic: a, push: \"http://h/\" } }",
        "1:14: consumers.c.broker: is missing: there are 0 brokers, name one of `brokers`",
    ),
    (
        "brokers: { main: { url: \"amqp://h\" } }\nconsumers: { c: { broker: mian, topic: a, push: \"http://h/\" } }",
        "2:27: consumers.c.broker: there is no broker \"mian\"; did you mean \"main\"?",
    ),
    (
        "brokers: { main: { url: \"amqp://h\" } }\nconsumers: { c: { push: \"http://h/\" } }",
        "2:14: consumers.c.topic: is missing: name what it gets, such as \"orders.*\"",
    ),
    (
        "brokers: { main: { url: \"amqp://h\" } }\nconsumers: { c: { topic: a } }",
        "2:14: consumers.c: nobody takes these messages: give it a `command` or a `push` URL",
    ),
    (
        "brokers: { main: { url: \"amqp://h\" } }\nconsumers: { c: { topic: a, push: \"http://h/\", command: [wc] } }",
        "2:35: consumers.c.push: a consumer has either `command` or `push`, not both",
    ),
    (
        "brokers: { main: { url: \"amqp://h\" } }\nconsumers: { c: { topic: \"a*\", push: \"http://h/\" } }",
        "2:26: consumers.c.topic: \"a*\" is no pattern of topics: it must be words with dots between them; * stands for one word, # for any number; 1 to 249 characters",
    ),
    (
        "brokers: { main: { url: \"amqp://h\" } }\nconsumers: { c: { topic: a, push: \"http://h/\", concurrency: parallel } }",
        "2:61: consumers.c.concurrency: \"parallel\" is not known; there is: serial",
    ),
    (
        "brokers: { main: { url: \"amqp://h\" } }\nconsumers: { c: { topic: a, push: \"http://h/\", concurrency: { parallel: 0 } } }",
        "2:73: consumers.c.concurrency.parallel: must be 1..10000, not 0",
    ),
    (
        "brokers: { main: { url: \"amqp://h\" } }\nconsumers: { c: { topic: a, push: \"http://h/\", mode: broadcast, retry: { max_attempts: 2 } } }",
        "2:65: consumers.c.retry: a broadcast cannot be handed out again to one alone; set `retry: { max_attempts: 1 }`, or another `mode`",
    ),
    (
        "brokers: { main: { url: \"amqp://h\" } }\nconsumers: { c: { topic: a, push: \"http://h/\", dead_letter: c } }",
        "2:61: consumers.c.dead_letter: is the group itself; name another one",
    ),
    (
        "brokers: { main: { url: \"amqp://h\" } }\nconsumers: { c: { topic: a, push: \"http://h/\", parameters: [1] } }",
        "2:60: consumers.c.parameters: must be a block, such as { region: eu }",
    ),
    (
        "brokers: { main: { url: \"amqp://h\" } }\nconsumers: { c: { topic: a, push: \"http://h/\", tpoic: b } }",
        "2:48: consumers.c.tpoic: unknown key; did you mean \"topic\"?",
    ),
    ("brokers: { main: {} }", "1:12: brokers.main.url: is missing"),
    (
        "brokers: { main: { url: \"kafka://h\" } }",
        "1:25: brokers.main.url: \"kafka://h\" is of no scheme that there is; there is: amqp, amqps, embedded",
    ),
    (
        "brokers:\n  main:\n    url: localhost",
        "3:10: brokers.main.url: \"localhost\" must begin with its scheme, such as \"amqp://user@host:5672/%2f\"",
    ),
    (
        "brokers: { main: { url: [\"amqp://a:secret@h\", \"amqp:b\"] } }",
        "1:47: brokers.main.url[1]: \"amqp:b\" is no URL with a host",
    ),
    (
        "brokers: { main: { url: [\"amqp://h\", \"embedded:\"] } }",
        "1:25: brokers.main.url: names different sorts of brokers; give each a name of its own",
    ),
    (
        "brokers: { main: { url: \"embedded:./data\" } }",
        "1:25: brokers.main.url: names a place; write \"embedded:\", which is where the tasks are",
    ),
    (
        "brokers: { main: { url: \"embedded:\", rabbitmq: { heartbeat: 5s } } }",
        "1:38: brokers.main.rabbitmq: belongs to another sort of broker than the `url`",
    ),
    (
        "brokers: { main: { url: \"amqp://h\", declare: create } }",
        "1:46: brokers.main.declare: \"create\" is not known; there is: declare, verify, off",
    ),
    (
        "brokers: { main: { url: \"amqp://h\", reconnect: { first: 1m, cap: 5s } } }",
        "1:66: brokers.main.reconnect.cap: the first pause is longer than the longest",
    ),
    (
        "brokers: { Main: { url: \"amqp://h\" } }",
        "1:12: brokers.Main: is no broker's name: it must match [a-z0-9][a-z0-9._-]{0,127}",
    ),
    ("servr: {}", "1:1: servr: unknown key; did you mean \"server\"?"),
    (
        "server:\n  lissen: \"127.0.0.1:1\"",
        "2:3: server.lissen: unknown key; did you mean \"listen\"?",
    ),
    (
        "kinds:\n  a.b:\n    push: http://h/\n    timout: 3s",
        "4:5: kinds.\"a.b\".timout: unknown key; did you mean \"timeout\"?",
    ),
    (
        "retention: { zzz: 1 }",
        "1:14: retention.zzz: unknown key; there is: success, failed, max_bytes",
    ),
    ("server: 5", "1:9: server: must be a block of keys, not a number"),
    ("- a", "1:1: must be a block of keys, not a list"),
    (
        "server: { drain: fast }",
        "1:18: server.drain: must be a duration such as \"250ms\", \"1s\" or \"1h30m\", or a number of seconds, not \"fast\"",
    ),
    ("server: { drain: 2h }", "1:18: server.drain: must be 0s..1h, not 2h"),
    (
        "server: { drain: -1 }",
        "1:18: server.drain: must be a duration such as \"250ms\", \"1s\" or \"1h30m\", or a number of seconds, not -1",
    ),
    ("server: { drain: }", "1:16: server.drain: has no value; give one, or leave the key out"),
    ("server: { max_body: 2MiB }", "1:21: server.max_body: must be 1KiB..1MiB, not 2MiB"),
    (
        "server: { listen: localhost }",
        "1:19: server.listen: must be an address and a port such as \"127.0.0.1:8080\", not \"localhost\"",
    ),
    ("queues: { default: { slots: 0 } }", "1:29: queues.default.slots: must be 1..10000, not 0"),
    (
        "queues: { default: { slots: \"16\" } }",
        "1:29: queues.default.slots: must be a whole number 1..10000, not \"16\"",
    ),
    (
        "queues: { default: { slots: 1.5 } }",
        "1:29: queues.default.slots: must be a whole number 1..10000, not 1.5",
    ),
    (
        "queues: { default: { rate: 5/x } }",
        "1:28: queues.default.rate: must be a rate such as \"500/s\", \"30/m\" or \"10/h\", not \"5/x\"",
    ),
    (
        "queues: { Mail: {} }",
        "1:11: queues.Mail: is no queue's name: it must match [a-z0-9][a-z0-9._-]{0,127}",
    ),
    (
        "queues: { mail: {} }\nkinds: { k: { push: http://h/, queue: mial } }",
        "2:39: kinds.k.queue: there is no queue \"mial\"; did you mean \"mail\"?",
    ),
    (
        "kinds: { k: { command: [wc] } }\nschedules: { tidy: { cron: \"@daily\", kind: kk } }",
        "2:44: schedules.tidy.kind: there is no kind \"kk\"; did you mean \"k\"?",
    ),
    (
        "kinds: { k: { command: [wc] } }\nschedules: { tidy: { cron: \"*/0 * * * *\", kind: k } }",
        "2:28: schedules.tidy.cron: minute: a step must be a number in 1..59",
    ),
    (
        "kinds: { k: { command: [wc] } }\nschedules: { tidy: { cron: \"@daily\", timezone: Mars, kind: k } }",
        "2:48: schedules.tidy.timezone: is not a known time zone; use an IANA name such as Europe/Berlin",
    ),
    (
        "kinds: { k: { command: [wc] } }\nschedules: { x: { cron: \"@daily\", kind: k } }",
        "2:14: schedules.x: is no schedule's name: it must match [a-z0-9][a-z0-9._-]{1,31}",
    ),
    (
        "kinds: { k: { command: [wc] } }\nschedules: { tidy: { kind: k } }",
        "2:14: schedules.tidy.cron: is missing",
    ),
    ("kinds: { k: 5 }", "1:13: kinds.k: must be a block of keys, not a number"),
    (
        "kinds: { k: { push: http://h/, on_error: [ 5 ] } }",
        "1:44: kinds.k.on_error[0]: must be a block of keys, not a number",
    ),
    (
        "kinds: { k: { push: http://h/, on_error: [ { match: 5, then: dead } ] } }",
        "1:53: kinds.k.on_error[0].match: must be a block of keys, not a number",
    ),
    (
        "kinds: { k: {} }",
        "1:10: kinds.k: nobody runs this kind: give it a `command`, a `push` URL or `pull: true`",
    ),
    (
        "kinds: { k: { command: [wc], push: http://h/ } }",
        "1:36: kinds.k.push: a kind has either `command` or `push`, not both",
    ),
    (
        "kinds: { k: { command: wc -w } }",
        "1:24: kinds.k.command: must be a list such as [\"a\", \"b\"], not a text",
    ),
    ("kinds: { k: { command: [] } }", "1:24: kinds.k.command: must have 1..1000 entries, not 0"),
    (
        "kinds: { k: { command: [wc, 5] } }",
        "1:29: kinds.k.command[1]: must be a text, not 5; put it in quotes",
    ),
    (
        "kinds: { k: { command: [no-such-program] } }",
        "1:24: kinds.k.command: there is no program \"no-such-program\" in PATH (/usr/bin:/bin); write its path, such as \"./no-such-program\", if it is elsewhere",
    ),
    (
        "kinds: { k: { command: [./schemas/invoice.json] } }",
        "1:24: kinds.k.command: schemas/invoice.json cannot be run: make it executable (chmod +x)",
    ),
    (
        "kinds: { k: { push: /tasks } }",
        "1:21: kinds.k.push: must be an absolute URL such as \"https://billing.internal/tasks\": \"/tasks\" has no scheme",
    ),
    (
        "kinds: { k: { push: \"ftp://h/\" } }",
        "1:21: kinds.k.push: must be an absolute URL such as \"https://billing.internal/tasks\": \"ftp://h/\" is neither http nor https",
    ),
    (
        "kinds: { k: { push: \"https://${HOST}/\" } }",
        "1:21: kinds.k.push: the environment variable HOST is not set; set it before starting",
    ),
    (
        "kinds: { k: { push: http://h/, env: [HOME] } }",
        "1:37: kinds.k.env: makes sense beside `command` only",
    ),
    (
        "kinds: { k: { command: [wc], secret: x } }",
        "1:38: kinds.k.secret: makes sense beside `push` only",
    ),
    (
        "kinds: { k: { push: http://h/, secret: \"${NOPE}\" } }",
        "1:40: kinds.k.secret: the environment variable NOPE is not set; set it before starting",
    ),
    (
        "kinds: { k: { push: http://h/, secret: file:none } }",
        "1:40: kinds.k.secret: the secret's file none cannot be read: No such file or directory (os error 2)",
    ),
    (
        "kinds: { k: { push: http://h/, headers: { Host: x } } }",
        "1:43: kinds.k.headers.Host: is a header that each request has already; leave it out",
    ),
    (
        "kinds: { k: { push: http://h/, schema: none.json } }",
        "1:40: kinds.k.schema: none.json cannot be read: No such file or directory (os error 2)",
    ),
    (
        "kinds: { k: { push: http://h/, schema: nightly.sh } }",
        "1:40: kinds.k.schema: nightly.sh is not JSON: expected value at line 1 column 1",
    ),
    (
        "kinds: { k: { push: http://h/, timeout: 10ms } }",
        "1:41: kinds.k.timeout: must be 100ms..1d, not 10ms",
    ),
    (
        "kinds: { k: { push: http://h/, retry: { strategy: exponental } } }",
        "1:51: kinds.k.retry.strategy: \"exponental\" is not known; did you mean \"exponential\"?",
    ),
    (
        "kinds: { k: { push: http://h/, retry: { strategy: fixed, factor: 2 } } }",
        "1:66: kinds.k.retry.factor: makes sense with `strategy: exponential` only",
    ),
    (
        "kinds: { k: { push: http://h/, retry: { strategy: list } } }",
        "1:51: kinds.k.retry.delays: is missing: `strategy: list` needs the pauses",
    ),
    (
        "kinds: { k: { push: http://h/, retry: { strategy: random, min: 2m } } }",
        "1:64: kinds.k.retry.min: `min` (120s) is longer than `max` (60s)",
    ),
    (
        "kinds: { k: { push: http://h/, on_error: [ { then: dead } ] } }",
        "1:44: kinds.k.on_error[0].match: is missing",
    ),
    (
        "kinds: { k: { push: http://h/, on_error: [ { match: {}, then: dead } ] } }",
        "1:46: kinds.k.on_error[0].match: matches nothing: give one of `exit`, `class`, `status`, `code`",
    ),
    (
        "kinds: { k: { push: http://h/, on_error: [ { match: { exit: 1 }, then: dead } ] } }",
        "1:61: kinds.k.on_error[0].match.exit: can match only for a kind that has a `command`",
    ),
    (
        "kinds: { k: { push: http://h/, on_error: [ { match: { code: x }, then: snooze } ] } }",
        "1:72: kinds.k.on_error[0].after: is missing: `then: snooze` needs the pause",
    ),
    (
        "kinds: { k: { push: http://h/, on_error: [ { match: { status: 6xx }, then: dead } ] } }",
        "1:63: kinds.k.on_error[0].match.status: must be an HTTP status such as 429, or \"5xx\", not \"6xx\"",
    ),
    (
        "kinds: { k: { push: http://h/, on_error: [ { match: { code: x }, then: dead, after: 1s } ] } }",
        "1:85: kinds.k.on_error[0].after: makes sense with `then: retry | snooze` only",
    ),
    (
        "store: ./data",
        "1:8: store: \"./data\" must begin with its scheme, such as \"embedded:./data\"",
    ),
    (
        "store: \"mysql://me:pw@h/db\"",
        "1:8: store: \"mysql://me:***@h/db\" is of no scheme that there is; use \"embedded:DIR\" or \"postgres://…\"",
    ),
    ("telemetry: { log: xml }", "1:19: telemetry.log: \"xml\" is not known; there is: text, json"),
];

#[test]
fn each_fault_is_told_with_its_place_and_its_key() {
    let told: Vec<_> = WRONG.iter().map(|(text, _)| (*text, faults(text))).collect();
    let wanted =
        |(text, fault): &(&'static str, &str)| (*text, vec![format!("longshore.yaml:{fault}")]);
    let wrong: Vec<_> = told
        .into_iter()
        .zip(WRONG.iter().map(wanted))
        .filter(|(is, wanted)| is != wanted)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn all_faults_of_a_file_are_told_at_once_in_its_order() {
    let text = "kinds:\n  k: { command: [no-such], timeout: soon, queue: nowhere }\nserver: { drain: 2h, x: 1 }\ntenants: {}\n";
    let lines = faults(text);
    let places: Vec<&str> = lines.iter().map(|line| line.split(": ").nth(1).unwrap()).collect();
    let keys = [
        "kinds.k.command",
        "kinds.k.timeout",
        "kinds.k.queue",
        "server.drain",
        "server.x",
        "tenants",
    ];
    assert_eq!(places, keys);
}

#[test]
fn toml_tells_places_too() {
    let lines = faults_of("longshore.toml", "[server]\nlissen = 1\n[queues.mail]\nslots = 0\n");
    let unknown = "longshore.toml:2:1: server.lissen: unknown key; did you mean \"listen\"?";
    let slots = "longshore.toml:4:9: queues.mail.slots: must be 1..10000, not 0";
    assert_eq!(lines, [unknown, slots]);
    let lines =
        faults_of("longshore.toml", "# ä\n[[kinds.k.on_error]]\nthen = \"no\"\n[kinds.k]\n");
    let places: Vec<&str> = lines.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["longshore.toml:2:1", "longshore.toml:3:8", "longshore.toml:4:8"]);
    let lines = faults_of("longshore.toml", "[server\nx = = 1\n");
    assert!(lines.iter().all(|line| line.contains("is not valid TOML: ")), "{lines:?}");
    assert!(lines.len() > 1 && lines[0].starts_with("longshore.toml:1:8: "), "{lines:?}");
}

#[test]
fn a_key_that_is_given_twice_is_refused() {
    let lines = faults("server: {}\nstore: \"embedded:a\"\nserver: {}\n");
    assert_eq!(lines, ["longshore.yaml:3:1: is not valid YAML: the key \"server\" is given twice"]);
    let lines = faults_of("longshore.toml", "store = \"embedded:a\"\nstore = \"embedded:b\"\n");
    assert!(lines[0].starts_with("longshore.toml:2:1: is not valid TOML: "), "{lines:?}");
}

#[test]
fn broken_text_is_refused_with_its_place() {
    let lines = faults("server: { drain: 1s\nstore: [\n");
    assert!(lines.len() == 1 && lines[0].contains("is not valid YAML: "), "{lines:?}");
    let lines = faults("store: \"embedded:a\"\n---\nstore: \"embedded:b\"\n");
    assert_eq!(
        lines,
        ["longshore.yaml:2:1: is not valid YAML: it holds several documents; keep one"]
    );
}

#[test]
fn hostile_files_are_refused_within_bounds() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..10 {
        let of = format!("*a{}, ", n - 1).repeat(10);
        bomb.push_str(&format!("a{n}: &a{n} [{of}]\n"));
    }
    let deep = format!("server: {}{}\n", "[".repeat(5_000), "]".repeat(5_000));
    let large = "#".repeat((1 << 20) + 1);
    for (text, word) in [(bomb, "YAML"), (deep, "YAML"), (large, "is larger than 1MiB")] {
        let lines = faults(&text);
        assert!(lines.len() == 1 && lines[0].contains(word), "{lines:?}");
    }
    let deep = format!("a = {}{}\n", "[".repeat(5_000), "]".repeat(5_000));
    let lines = faults_of("longshore.toml", &deep);
    assert!(lines[0].contains("is not valid TOML"), "{lines:?}");
}

#[test]
fn an_alias_brings_in_what_it_stands_for() {
    let text =
        "queues:\n  a: &usual { slots: 3, limit: 5 }\n  b: *usual\n  c: { <<: *usual, slots: 4 }\n";
    let config = crate::yaml(text);
    let of = |name: &str| (config.queues[name].slots, config.queues[name].limit);
    assert_eq!([of("a"), of("b"), of("c")], [(3, Some(5)), (3, Some(5)), (4, Some(5))]);
}

#[test]
fn two_files_in_one_folder_are_refused() {
    let place = Place::with("longshore.yaml", "");
    place.write("longshore.toml", "");
    let error = place.load().unwrap_err().to_string();
    assert!(
        error.contains("longshore.yaml: there is ") && error.contains("longshore.toml too"),
        "{error}"
    );
    let named = place.sources().file(place.path("longshore.toml")).load();
    assert!(named.is_ok(), "{named:?}");
}

#[test]
fn a_file_that_was_named_must_be_there_and_be_of_a_known_form() {
    let place = Place::new();
    let load = |name: &str| {
        let error = place.sources().file(place.path(name)).load().unwrap_err();
        crate::shown(&error, place.0.path()).remove(0)
    };
    let missing = "none.yaml: cannot be read: No such file or directory (os error 2)";
    assert_eq!(load("none.yaml"), missing);
    let form = "nightly.sh: must end in .yaml, .yml or .toml, which says how it is written";
    assert_eq!(load("nightly.sh"), form);
    place.write("folder.yaml/x", "");
    assert_eq!(load("folder.yaml"), "folder.yaml: is no regular file");
}

#[test]
fn a_kind_that_the_program_runs_itself_gets_knobs_only() {
    let place = Place::with("longshore.yaml", "kinds: { mail: { timeout: 9s } }");
    let sources = place.sources().kinds_in_code(["mail".parse().unwrap()]);
    let kind = &sources.load().unwrap().kinds["mail"];
    assert_eq!(kind.runner, longshore::config::Runner::Code);
    assert!(kind.is_set("timeout") && !kind.is_set("retry"));

    place.write("longshore.yaml", "kinds: { mail: { push: \"http://h/\" } }");
    let error = sources.load().unwrap_err().to_string();
    assert!(error.contains("kinds.mail.push: the program has a handler for this kind"), "{error}");
}

#[test]
fn the_program_can_find_faults_of_its_own() {
    let place =
        Place::with("longshore.yaml", "kinds:\n  a.b:\n    push: http://h/\n    timeout: 1s\n");
    let config = place.load().unwrap();
    let told = |path: &[&str]| {
        let error = config.fault(path, "does not fit").into();
        crate::shown(&error, place.0.path()).remove(0)
    };
    assert_eq!(told(&["kinds", "a.b"]), "longshore.yaml:3:11: kinds.\"a.b\": does not fit");
    assert_eq!(
        told(&["kinds", "a.b", "timeout"]),
        "longshore.yaml:4:14: kinds.\"a.b\".timeout: does not fit"
    );
    assert_eq!(told(&["kinds", "a.b", "grace"]), "default: kinds.\"a.b\".grace: does not fit");
}

#[test]
fn nothing_is_needed_at_all() {
    let config = Sources::nowhere().load().unwrap();
    assert_eq!((config.file(), config.files().count()), (None, 0));
}

#[test]
fn a_wrong_secret_is_not_repeated() {
    let lines =
        faults("kinds: { k: { push: http://h/, secret: 123456, headers: { a: \"x\\ny\" } } }");
    assert_eq!(
        lines,
        [
            "longshore.yaml:1:40: kinds.k.secret: must be a text, \"${NAME}\" or \"file:PATH\", not a number; put it in quotes",
            "longshore.yaml:1:62: kinds.k.headers.a: holds characters that no header can, such as a line break",
        ]
    );
}

/// What the reader refuses for its form alone, the JSON Schema refuses too.
#[test]
fn the_json_schema_refuses_what_has_a_wrong_form() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    for (text, _) in WRONG {
        // What hangs together with other keys, files and variables, it cannot know; nor how long
        // a duration or size in a text is.
        let form = ![
            "kinds: { k: { push: http",
            "kinds: { k: { command: [",
            "queues: { mail",
            "kinds: { k: {} }",
            "drain: 2h",
            "2MiB",
            "listen: localhost",
            "push: /tasks",
            "push: \"",
            "timeout: 10ms",
            "url: [\"amqp://h\"",
            "url: \"embedded:\", rabbitmq",
            "cap: 5s",
            "consumers: { c: { topic: a, push: \"http://h/\" } }",
            "broker: mian",
            "consumers: { c: { push",
            "consumers: { c: { topic: a } }",
            "command: [wc] } }",
            "topic: \"a*\"",
            "mode: broadcast",
            "rabbitmq: { x: 1 }",
            "dead_letter: c",
            "parameters: [1]",
        ]
        .iter()
        .any(|part| text.contains(part));
        if form {
            let document: serde_json::Value = serde_saphyr::from_str(text).unwrap();
            assert!(!validator.is_valid(&document), "{text}");
        }
    }
}
