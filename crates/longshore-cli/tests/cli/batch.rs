use crate::rig::{Rig, json};

fn lines(count: usize) -> String {
    (0..count).map(|n| format!("{{\"kind\":\"hello\",\"payload\":{n}}}\n")).collect()
}

#[test]
fn a_file_is_sent_whole_in_its_order() {
    let rig = Rig::start();
    rig.write("tasks.jsonl", &lines(2_345));
    let printed = rig.fine(&["enqueue", "--batch", "tasks.jsonl", "-o", "jsonl"]);
    assert_eq!(printed.lines().count(), 2_345);
    let last = json(printed.lines().last().unwrap());
    assert_eq!(last["line"], 2_345);
    let shown = json(&rig.fine(&["tasks", "show", last["id"].as_str().unwrap(), "-o", "json"]));
    assert_eq!(shown["payload"], 2_344);
}

#[test]
fn a_table_tells_how_many() {
    let rig = Rig::start();
    let said = rig.feed(&["enqueue", "--batch", "-"], &lines(3));
    assert_eq!((said.code, said.out.as_str()), (0, "ACCEPTED\tREFUSED\n3\t0\n"), "{said:?}");
}

#[test]
fn a_slip_in_the_last_line_is_told_before_the_first_is_sent() {
    let rig = Rig::start();
    rig.write("tasks.jsonl", &(lines(3) + "{\"kynd\":\"hello\"}\n"));
    let said = rig.run(&["enqueue", "--batch", "tasks.jsonl"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("tasks.jsonl:4: unknown field `kynd`"), "{}", said.err);
    assert_eq!(rig.fine(&["tasks", "ls", "-o", "name"]), "");
}

#[test]
fn what_is_refused_is_told_with_its_line_and_the_rest_is_done() {
    let rig = Rig::start();
    let input = "{\"kind\":\"hello\"}\n\n{\"kind\":\"nope\"}\n{}\n";
    let said = rig.feed(&["enqueue", "hello", "--batch", "-", "-o", "name"], input);
    assert_eq!(said.code, 7, "{said:?}");
    assert_eq!(said.out.lines().count(), 2);
    assert!(said.err.contains("standard input:3: kind: "), "{}", said.err);
}

#[test]
fn the_same_file_under_the_same_key_makes_each_task_once() {
    let rig = Rig::start();
    rig.write("tasks.jsonl", &lines(5));
    let args = ["enqueue", "--batch", "tasks.jsonl", "--idempotency-key", "monday", "-o", "name"];
    assert_eq!(rig.fine(&args), rig.fine(&args));
    assert_eq!(rig.fine(&["tasks", "ls", "-o", "name"]).lines().count(), 5);
}

#[test]
fn flags_of_one_task_do_not_go_with_a_file() {
    let rig = Rig::alone();
    let said = rig.run(&["enqueue", "--batch", "x", "--priority", "1"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("cannot be used with"), "{}", said.err);
}
