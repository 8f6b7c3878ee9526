use crate::rig::{Rig, json};

/// A schedule that comes once a year, with this name.
fn add(rig: &Rig, name: &str) -> String {
    let args = ["schedules", "add", "@yearly", "hello", "--name", name, "-o", "name"];
    rig.fine(&args).trim().to_owned()
}

#[test]
fn a_schedule_is_made_shown_and_deleted() {
    let rig = Rig::start();
    let made = json(&rig.fine(&[
        "schedules",
        "add",
        "30 2 * * MON",
        "hello",
        "--timezone",
        "Europe/Berlin",
        "--missed",
        "skip",
        "--name",
        "tidy",
        "--payload",
        r#"{"n": 1.00}"#,
        "--queue",
        "default",
        "--priority",
        "7",
        "--max-attempts",
        "2",
        "--timeout",
        "5s",
        "--expires-in",
        "1h",
        "--tag",
        "night",
        "-o",
        "json",
    ]));
    let shown = json(&rig.fine(&["schedules", "show", "tidy", "-o", "json"]));
    assert_eq!(shown["id"], made["id"]);
    for (name, value) in [
        ("cron", "30 2 * * MON"),
        ("timezone", "Europe/Berlin"),
        ("missed", "skip"),
        ("queue", "default"),
        ("timeout", "5s"),
        ("expires_in", "1h"),
        ("origin", "api"),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
    assert_eq!((&shown["priority"], &shown["max_attempts"]), (&7.into(), &2.into()));
    let id = made["id"].as_str().unwrap();
    assert_eq!(rig.fine(&["schedules", "ls", "-o", "name"]).trim(), id);
    let refused = rig.run(&["schedules", "rm", "tidy"]);
    assert!(refused.code == 2 && refused.err.contains("delete the schedule tidy"), "{refused:?}");
    assert_eq!(rig.fine(&["schedules", "rm", id, "--dry-run", "-o", "name"]).trim(), id);
    rig.fine(&["schedules", "rm", id, "--yes"]);
    assert_eq!(rig.run(&["schedules", "show", id]).code, 3);
    assert_eq!(rig.run(&["schedules", "show", "tidy"]).code, 3);
}

#[test]
fn a_slot_makes_a_task() {
    let rig = Rig::start();
    rig.fine(&["schedules", "add", "* * * * * *", "hello", "--name", "often"]);
    let ended =
        rig.until(&["tasks", "ls", "--status", "success", "-o", "json"], |out| out.len() > 10);
    let task = &json(&ended)[0];
    let id = rig.fine(&["schedules", "ls", "-o", "name"]);
    assert_eq!(
        (task["schedule_id"].as_str(), task["name"].as_str()),
        (Some(id.trim()), Some("often"))
    );
}

#[test]
fn a_schedule_is_paused_resumed_and_run_at_once() {
    let rig = Rig::start();
    add(&rig, "one");
    let other = add(&rig, "two");
    let paused = rig.fine(&["schedules", "pause", "one", &other, "-o", "jsonl"]);
    assert!(paused.lines().all(|line| json(line)["paused"] == true) && paused.lines().count() == 2);
    let task = rig.fine(&["schedules", "run", "one", "-o", "name"]);
    assert_eq!(rig.run(&["tasks", "wait", task.trim(), "--timeout", "20s"]).code, 0);
    rig.fine(&["schedules", "resume", "one"]);
    assert_eq!(rig.run(&["schedules", "pause", "one", "nope"]).code, 7);
    add(&rig, "two");
    let twice = rig.run(&["schedules", "run", "two"]);
    assert!(twice.code == 2 && twice.err.contains(&other), "{twice:?}");
}

#[test]
fn the_next_slots_are_told_and_a_slip_is_named() {
    let rig = Rig::start();
    rig.fine(&[
        "schedules",
        "add",
        "0 3 * * *",
        "hello",
        "--timezone",
        "Asia/Kathmandu",
        "--name",
        "nepal",
    ]);
    let next = rig.fine(&["schedules", "next", "nepal", "--count", "2"]);
    assert_eq!(next.matches("T03:00:00+05:45").count(), 2, "{next}");
    let bad = rig.run(&["schedules", "add", "*/0 * * * *", "hello"]);
    assert!(bad.code == 2 && bad.err.contains("minute: a step must be"), "{bad:?}");
}
