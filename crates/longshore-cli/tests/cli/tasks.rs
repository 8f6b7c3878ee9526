use crate::rig::{NOBODY, Rig, json};

#[test]
fn failed_ones_are_piped_into_a_retry() {
    let rig = Rig::start();
    let id = rig.failed();
    rig.ended("{}");
    let failed = rig.fine(&["tasks", "ls", "-o", "name", "--status", "failed"]);
    assert_eq!(failed, format!("{id}\n"));
    let retried = rig.feed(&["tasks", "retry", "-"], &failed);
    assert_eq!(retried.code, 0, "{retried:?}");
    rig.run(&["tasks", "wait", &id, "--timeout", "20s"]);
    assert_eq!(json(&rig.fine(&["tasks", "show", &id, "-o", "json"]))["run"], 2);
}

#[test]
fn xargs_passes_them_on() {
    let rig = Rig::start();
    rig.failed();
    rig.failed();
    let line = "$0 tasks ls -o name --status failed | xargs $0 tasks retry -o name | wc -l";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", line, env!("CARGO_BIN_EXE_longshore")]);
    let output = shell.env("LONGSHORE_SERVER", rig.url()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "2", "{output:?}");
}

#[test]
fn lists_are_filtered() {
    let rig = Rig::start();
    let failed = rig.failed();
    let tagged = rig.fine(&["enqueue", "hello", "--tag", "vip", "--delay", "1h", "-o", "name"]);
    let ls = |filter: &[&str]| rig.fine(&[&["tasks", "ls", "-o", "name"], filter].concat());
    assert_eq!(ls(&["--tag", "vip"]), tagged);
    assert_eq!(ls(&["--kind", "demo.work"]).trim(), failed);
    assert_eq!(ls(&["--status", "failed,expired"]).trim(), failed);
    assert_eq!(ls(&["--error", "bad_data"]).trim(), failed);
    assert_eq!(ls(&["--error", "timeout"]), "");
    assert_eq!(ls(&["--created", "1h"]).lines().count(), 2);
    assert_eq!(ls(&["--created", "lt:2020-01-01T00:00:00Z"]), "");
    assert_eq!(ls(&["--limit", "1"]), tagged);
}

#[test]
fn all_means_all_pages() {
    let rig = Rig::start();
    let lines: String = (0..2_100).map(|_| "{\"delay\":\"1h\"}\n").collect();
    assert_eq!(rig.feed(&["enqueue", "hello", "--batch", "-"], &lines).code, 0);
    assert_eq!(rig.fine(&["tasks", "ls", "--all", "-o", "name"]).lines().count(), 2_100);
    assert_eq!(rig.fine(&["tasks", "ls", "--limit", "1500", "-o", "name"]).lines().count(), 1_500);
    assert_eq!(rig.fine(&["tasks", "ls", "-o", "name"]).lines().count(), 50);
    assert_eq!(
        json(&rig.fine(&["tasks", "ls", "--all", "-o", "json"])).as_array().unwrap().len(),
        2_100
    );
}

#[test]
fn waiting_ends_with_the_task() {
    let rig = Rig::start();
    let (good, bad, later) = (rig.ended("{}"), rig.failed(), rig.waiting());
    let wait =
        |ids: &[&str]| rig.run(&[&["tasks", "wait", "--timeout", "200ms"], ids].concat()).code;
    assert_eq!(wait(&[&good]), 0);
    assert_eq!(wait(&[&good, &bad]), 10);
    assert_eq!(wait(&[&later]), 124);
    rig.fine(&["tasks", "cancel", &later]);
    assert_eq!(wait(&[&later, &good]), 11);
}

#[test]
fn what_is_cancelled_is_cancelled_once() {
    let rig = Rig::start();
    let id = rig.waiting();
    assert_eq!(json(&rig.fine(&["tasks", "cancel", &id, "-o", "json"]))["status"], "cancelled");
    let again = rig.run(&["tasks", "cancel", &id, "-o", "json"]);
    assert_eq!((again.code, again.out.as_str()), (4, ""));
    assert!(again.err.contains("LS-40903"), "{}", again.err);
}

#[test]
fn of_several_some_may_be_done() {
    let rig = Rig::start();
    let id = rig.waiting();
    let said = rig.run(&["tasks", "cancel", &id, NOBODY, "-o", "name"]);
    assert_eq!((said.code, said.out.trim()), (7, id.as_str()));
    assert!(said.err.contains(&format!("{NOBODY}: ")), "{}", said.err);
    assert_eq!(rig.run(&["tasks", "retry", NOBODY]).code, 3);
}

#[test]
fn what_a_filter_finds_is_not_touched_unasked() {
    let rig = Rig::start();
    let id = rig.waiting();
    let refused = rig.run(&["tasks", "cancel", "--status", "scheduled"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("cancel 1 task") && refused.err.contains(&id), "{}", refused.err);
    assert!(refused.err.contains("--yes"));
    let dry = rig.run(&["tasks", "cancel", "--kind", "hello", "--dry-run", "-o", "name"]);
    assert_eq!((dry.code, dry.out.trim()), (0, id.as_str()));
    assert_eq!(rig.status(&id), "scheduled");
    rig.fine(&["tasks", "cancel", "--kind", "hello", "--yes"]);
    assert_eq!(rig.status(&id), "cancelled");
}

#[test]
fn ids_or_filters_but_one_of_them() {
    let rig = Rig::start();
    assert_eq!(rig.run(&["tasks", "retry"]).code, 2);
    assert_eq!(rig.run(&["tasks", "retry", NOBODY, "--status", "failed"]).code, 2);
    let said = rig.feed(&["tasks", "retry", "-"], "\n");
    assert_eq!((said.code, said.out.lines().count()), (0, 1), "{said:?}");
}

#[test]
fn a_replay_is_a_new_task() {
    let rig = Rig::start();
    let id = rig.ended("{}");
    let new = rig.fine(&["tasks", "replay", &id, "--payload", "{\"result\":7}", "-o", "name"]);
    let shown = json(&rig.fine(&["tasks", "wait", new.trim(), "--timeout", "20s", "-o", "json"]));
    assert_eq!((shown["replay_of"].as_str(), &shown["result"]), (Some(id.as_str()), &7.into()));
}

#[test]
fn attempts_are_listed_oldest_first() {
    let rig = Rig::start();
    let id = rig.failed();
    rig.fine(&["tasks", "retry", &id]);
    rig.run(&["tasks", "wait", &id, "--timeout", "20s"]);
    let attempts = json(&rig.fine(&["tasks", "attempts", &id, "-o", "json"]));
    let runs: Vec<_> = attempts.as_array().unwrap().iter().map(|one| &one["run"]).collect();
    assert_eq!(runs, [1, 2]);
}

#[test]
fn of_several_shown_the_missing_ones_are_told() {
    let rig = Rig::start();
    let id = rig.waiting();
    let said = rig.run(&["tasks", "show", &id, NOBODY, "-o", "name"]);
    assert_eq!((said.code, said.out.trim()), (7, id.as_str()));
    assert_eq!(rig.run(&["tasks", "show", NOBODY]).code, 3);
}
