//! Runs the script of an example.

use std::path::Path;
use std::process::Command;

/// Returns what it wrote to its outputs. It must succeed. The program is named from where one stands, as a reader would.
pub(crate) fn run(example: &str, arguments: &[&str]) -> (String, String) {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let program = Path::new(env!("CARGO_BIN_EXE_longshore"));
    let (folder, name) =
        (program.parent().expect("a folder"), program.file_name().expect("a name"));
    let output = Command::new("sh")
        .current_dir(folder)
        .arg(examples.canonicalize().expect("it is there").join(example).join("run.sh"))
        .arg(Path::new(".").join(name))
        .args(arguments)
        .output()
        .expect("a shell");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (said, told) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{told}{said}");
    (said, told)
}
