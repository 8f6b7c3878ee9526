use crate::rig::{Rig, json};
use std::process::Stdio;

#[test]
fn each_form_is_what_it_says() {
    let rig = Rig::start();
    let id = rig.ended("{\"result\":[1,{}]}");
    let show = |form| rig.fine(&["tasks", "show", &id, "-o", form]);
    assert!(show("table").lines().any(|line| line == format!("id\t{id}")));
    assert_eq!(json(&show("json"))["id"], *id);
    assert_eq!(show("jsonl").lines().count(), 1);
    assert_eq!(json(&show("jsonl")), json(&show("json")));
    assert!(show("yaml").contains("result:\n  - 1\n  - {}\n"), "{}", show("yaml"));
    assert_eq!(show("name"), format!("{id}\n"));
}

#[test]
fn a_list_is_an_array_even_of_nothing() {
    let rig = Rig::start();
    assert_eq!(rig.fine(&["tasks", "ls", "-o", "json"]), "[]\n");
    assert_eq!(rig.fine(&["tasks", "ls", "-o", "yaml"]), "[]\n");
    assert_eq!(rig.fine(&["tasks", "ls", "-o", "jsonl"]), "");
    assert_eq!(rig.fine(&["tasks", "ls"]), "ID\tKIND\tSTATUS\tQUEUE\tTRY\tCREATED\tNOTE\n");
    let id = rig.waiting();
    assert_eq!(json(&rig.fine(&["tasks", "ls", "-o", "json"]))[0]["id"], *id);
}

#[test]
fn a_piped_table_has_tabs_and_exact_times_and_the_wide_one_more_columns() {
    let rig = Rig::start();
    let id = rig.waiting();
    let row = |form| {
        let table = rig.fine(&["tasks", "ls", "-o", form]);
        table.lines().nth(1).unwrap().split('\t').map(str::to_owned).collect::<Vec<_>>()
    };
    let (plain, wide) = (row("table"), row("wide"));
    assert_eq!(plain[..4], [id.as_str(), "hello", "scheduled", "default"]);
    assert!(plain[5].ends_with('Z'), "{plain:?}");
    assert!(wide.len() > plain.len());
}

#[test]
fn a_payload_with_line_breaks_stays_one_line_of_jsonl() {
    let rig = Rig::start();
    let id = rig.fine(&["enqueue", "hello", "{\n \"a\": 1\n}", "-o", "name"]);
    let shown = rig.fine(&["tasks", "show", id.trim(), "-o", "jsonl"]);
    assert_eq!((shown.lines().count(), &json(&shown)["payload"]["a"]), (1, &1.into()));
}

#[test]
fn who_stops_reading_is_no_error() {
    let rig = Rig::start();
    let lines = "{\"delay\":\"1h\"}\n".repeat(3_000);
    assert_eq!(rig.feed(&["enqueue", "hello", "--batch", "-"], &lines).code, 0);
    let mut command = rig.command(&["tasks", "ls", "--all", "-o", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}
