use crate::rig::{Rig, json};

#[test]
fn a_task_is_stored_and_its_id_printed() {
    let rig = Rig::start();
    let id = rig.fine(&["enqueue", "hello", "-o", "name"]);
    let task = json(&rig.fine(&["tasks", "show", id.trim(), "-o", "json"]));
    assert_eq!(task["kind"], "hello");
}

#[test]
fn payloads_come_from_the_line_a_file_or_standard_input_with_every_digit() {
    let rig = Rig::start();
    let payload = r#"{"n":123456789012345678901234567890.10}"#;
    rig.write("payload.json", payload);
    let ways: [&[&str]; 5] = [
        &["enqueue", "hello", payload],
        &["enqueue", "hello", "--payload", payload],
        &["enqueue", "hello", "--payload-file", "payload.json"],
        &["enqueue", "hello", "--payload-file", "-"],
        &["enqueue", "hello", "-"],
    ];
    for way in ways {
        let said = rig.feed(&[way, &["-o", "name"]].concat(), payload);
        let shown = rig.fine(&["tasks", "show", said.out.trim(), "-o", "jsonl"]);
        assert!(shown.contains(&format!("\"payload\":{payload}")), "{way:?}: {shown}");
    }
}

#[test]
fn all_fields_arrive() {
    let rig = Rig::start();
    let id = "0197b1a4-1111-7000-8000-000000000000";
    let args = [
        "enqueue",
        "hello",
        "--queue",
        "default",
        "--priority",
        "9",
        "--delay",
        "1h",
        "--max-attempts",
        "7",
        "--timeout",
        "30s",
        "--total-timeout",
        "1h",
        "--expires-in",
        "2d",
        "--unique",
        "k,while=active,on-conflict=reject",
        "--tag",
        "a",
        "--tag",
        "b",
        "--header",
        "x=1=2",
        "--name",
        "of mine",
        "--id",
        id,
    ];
    rig.fine(&args);
    let task = json(&rig.fine(&["tasks", "show", id, "-o", "json"]));
    for (field, value) in [
        ("priority", "9"),
        ("max_attempts", "7"),
        ("timeout", "\"30s\""),
        ("status", "\"scheduled\""),
        ("tags", r#"["a","b"]"#),
        ("headers", r#"{"x":"1=2"}"#),
        ("name", "\"of mine\""),
    ] {
        assert_eq!(task[field].to_string(), value, "{field}");
    }
    let again = rig.run(&["enqueue", "hello", "--unique", "k,on-conflict=reject"]);
    assert_eq!(again.code, 4, "{again:?}");
}

#[test]
fn the_end_that_was_waited_for_is_the_exit_code() {
    let rig = Rig::start();
    let wait = |payload, time| {
        let said = rig.run(&["enqueue", "demo.work", payload, "--wait", time, "-o", "jsonl"]);
        (said.code, json(&said.out)["status"].as_str().unwrap().to_owned())
    };
    assert_eq!(wait("{}", "20s"), (0, "success".into()));
    let bad = r#"{"fail_times":1,"fail":"bad_data"}"#;
    assert_eq!(wait(bad, "20s"), (10, "failed".into()));
    let (code, status) = wait(r#"{"sleep":"1h"}"#, "300ms");
    assert_eq!(code, 124);
    assert!(["running", "pending"].contains(&status.as_str()), "{status}");
}

#[test]
fn the_same_key_makes_one_task() {
    let rig = Rig::start();
    let args = ["enqueue", "hello", "--idempotency-key", "k", "-o", "name"];
    let first = rig.fine(&args);
    let again = rig.run(&args);
    assert_eq!((again.code, again.out), (0, first));
    assert!(again.err.contains("no second task"), "{}", again.err);
    let other = rig.run(&["enqueue", "hello", "1", "--idempotency-key", "k"]);
    assert_eq!(other.code, 4, "{other:?}");
}

#[test]
fn what_is_wrong_is_told_before_anything_is_sent() {
    let rig = Rig::alone();
    for (args, word) in [
        (&["enqueue", "hello", "{bad"] as &[&str], "line 1 column 2"),
        (&["enqueue", "hello", "--payload-file", "nowhere.json", "1"], "cannot be used with"),
        (&["enqueue", "hello", "--priority", "10"], "0..=9"),
        (&["enqueue", "hello", "--delay", "soon"], "must be a duration"),
        (
            &["enqueue", "hello", "--delay", "1s", "--run-at", "2030-01-01T00:00:00Z"],
            "cannot be used with",
        ),
        (&["enqueue", "hello", "--unique", "k,while=soon"], "queued, active"),
        (&["enqueue", "hello", "--header", "x"], "NAME=VALUE"),
        (&["enqueue", "hello", "--prority", "1"], "--priority"),
        (&["enqueue"], "<KIND>"),
    ] {
        let said = rig.run(args);
        assert_eq!(said.code, 2, "{args:?}: {said:?}");
        assert!(said.err.contains(word), "{args:?}: {}", said.err);
        assert!(said.out.is_empty(), "{args:?}");
    }
}

#[test]
fn what_the_server_refuses_names_the_field_and_the_page() {
    let rig = Rig::start();
    let said = rig.run(&["enqueue", "helo"]);
    assert_eq!(said.code, 2);
    assert!(said.err.starts_with("longshore: kind: "), "{}", said.err);
    assert!(said.err.contains("hello") && said.err.contains("longshore explain LS-40001"));
    let two = rig.run(&["enqueue", "hello", "--name", "x", "--queue", "nope"]);
    assert_eq!(two.code, 2);
    assert!(two.err.contains("\n  name: ") && two.err.contains("\n  queue: "), "{}", two.err);
}
