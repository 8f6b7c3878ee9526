use crate::rig::{Rig, json};

#[test]
fn queues_are_listed_and_shown() {
    let rig = Rig::start();
    assert_eq!(rig.fine(&["queues", "ls", "-o", "name"]), "default\n");
    let queue = json(&rig.fine(&["queues", "show", "default", "-o", "json"]));
    assert_eq!((&queue["slots"], &queue["origin"]["slots"]), (&16.into(), &"default".into()));
    let nope = rig.run(&["queues", "show", "nope"]);
    assert_eq!(nope.code, 3, "{nope:?}");
}

#[test]
fn settings_are_changed_and_given_back() {
    let rig = Rig::start();
    let set = |args: &[&str]| {
        json(&rig.fine(&[&["queues", "set", "default", "-o", "json"], args].concat()))
    };
    let queue = set(&["--slots", "4", "--rate", "500/s", "--backlog", "10", "--limit", "3"]);
    assert_eq!((&queue["slots"], &queue["rate"]), (&4.into(), &"500/s".into()));
    assert_eq!((&queue["backlog"], &queue["limit"]), (&10.into(), &3.into()));
    let queue = set(&["--slots", "default"]);
    assert_eq!((&queue["slots"], &queue["rate"]), (&16.into(), &"500/s".into()));
    assert_eq!(rig.run(&["queues", "set", "default"]).code, 2);
    assert_eq!(rig.run(&["queues", "set", "default", "--rate", "fast"]).code, 2);
}

#[test]
fn a_paused_queue_holds_its_tasks_back() {
    let rig = Rig::start();
    rig.fine(&["queues", "pause", "default"]);
    let id = rig.fine(&["enqueue", "hello", "-o", "name"]);
    let wait = ["tasks", "wait", id.trim(), "--timeout", "300ms"];
    assert_eq!(rig.run(&wait).code, 124);
    rig.fine(&["queues", "resume", "default"]);
    assert_eq!(rig.run(&["tasks", "wait", id.trim(), "--timeout", "20s"]).code, 0);
    assert_eq!(rig.run(&["queues", "pause", "default", "nope"]).code, 7);
}

#[test]
fn a_purge_is_not_done_unasked() {
    let rig = Rig::start();
    let id = rig.waiting();
    let refused = rig.run(&["queues", "purge", "default"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("cancel 1 task") && refused.err.contains(&id), "{}", refused.err);
    assert_eq!(rig.fine(&["queues", "purge", "default", "--dry-run", "-o", "name"]).trim(), id);
    assert_eq!(rig.status(&id), "scheduled");
    let purged = rig.fine(&["queues", "purge", "default", "--yes", "-o", "json"]);
    assert_eq!(json(&purged)["purged"], 1);
    assert_eq!(rig.status(&id), "cancelled");
}
