//! The example that is no crate, run as a reader would run it: `examples/command-worker`.

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

#[test]
fn a_script_runs_tasks_and_its_exit_codes_decide_what_follows() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/command-worker/run.sh");
    let output = Command::new("sh")
        .arg(script)
        .arg(env!("CARGO_BIN_EXE_longshore"))
        .output()
        .expect("a shell");
    let (said, told) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{told}{said}");
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

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}
