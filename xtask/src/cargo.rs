//! Calls of cargo, always of the toolchain and the project that xtask itself was started with.

use crate::Error;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder of the project.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Whether this run decides if a change goes in.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty())
}

/// A build or test: in CI of exactly what the lock file names.
fn locked() -> Option<&'static str> {
    in_ci().then_some("--locked")
}

/// A call of `cargo test` on everything there is.
pub(crate) fn test() -> Command {
    let mut command = cargo();
    command.args(["test", "--workspace", "--all-features", "--no-fail-fast"]).args(locked());
    command
}

/// A call of cargo in the project's folder.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// What cargo knows about the workspace, dependencies resolved.
pub(crate) fn metadata() -> Result<Value, Error> {
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--all-features"])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("cargo metadata failed".into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Where cargo builds.
pub(crate) fn target() -> Result<PathBuf, Error> {
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .stderr(Stdio::inherit())
        .output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let target = metadata["target_directory"].as_str().ok_or("cargo metadata names no target")?;
    Ok(target.into())
}

/// Runs a build, and finds the executables it made: (name of the target, path).
pub(crate) fn build(args: &[&str]) -> Result<Vec<(String, PathBuf)>, Error> {
    println!("xtask: cargo {}", args.join(" "));
    let output = cargo()
        .args(args)
        .args(locked())
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("cargo {} failed", args.join(" ")).into());
    }
    let messages = String::from_utf8(output.stdout)?;
    let mut built = Vec::new();
    for line in messages.lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        let is_bin = message["target"]["kind"][0] == "bin" && message["profile"]["test"] == false;
        if let (true, Some(path)) = (is_bin, message["executable"].as_str()) {
            let name = message["target"]["name"].as_str().unwrap_or_default();
            built.push((name.to_owned(), path.into()));
        }
    }
    Ok(built)
}
