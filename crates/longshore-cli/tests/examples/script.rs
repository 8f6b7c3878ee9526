//! Runs the script of an example.

use std::path::Path;
use std::process::Command;

/// Returns what it wrote to its outputs. It must succeed.
pub(crate) fn run(example: &str, arguments: &[&str]) -> (String, String) {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let output = Command::new("sh")
        .arg(examples.join(example).join("run.sh"))
        .arg(env!("CARGO_BIN_EXE_longshore"))
        .args(arguments)
        .output()
        .expect("a shell");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (said, told) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{told}{said}");
    (said, told)
}
