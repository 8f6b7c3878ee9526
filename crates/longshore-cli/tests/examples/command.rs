//! `examples/command-worker`: programs as workers.

use crate::script::run;
use serde_json::{Value, json};

pub(crate) async fn a_script_runs_tasks_and_its_exit_codes_decide_what_follows() {
    let (said, told) = run("command-worker", &[]);
    let tasks: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).expect("a task")).collect();
    let ends: Vec<Value> = tasks
        .iter()
        .map(|task| json!([task["status"], task["attempt"], task["error"]["code"]]))
        .collect();
    let expected = [
        json!(["success", 1, null]),
        json!(["failed", 2, "exit.7"]),
        json!(["failed", 1, "exit.3"]),
        json!(["failed", 1, "exit.65"]),
    ];
    assert_eq!(ends, expected, "{said}{told}");
    assert_eq!(tasks[0]["result"]["status"], 200, "{said}");
}
