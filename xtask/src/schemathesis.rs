//! Schemathesis, which checks that the server does what its OpenAPI document says: pinned, from
//! PyPI, in a virtual environment of its own that outlives a `cargo clean`.

use crate::{Error, cargo};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Every package with its version.
const PINNED: &str = include_str!("../schemathesis.txt");

/// Returns the program, if it is installed as it is pinned.
pub(crate) fn program() -> Option<PathBuf> {
    let environment = environment().ok()?;
    let installed = std::fs::read_to_string(environment.join("pinned.txt")).ok()?;
    (installed == PINNED).then(|| environment.join("bin/schemathesis"))
}

/// Installs it, unless it is there.
pub(crate) fn install() -> Result<(), Error> {
    if program().is_some() {
        return Ok(());
    }
    let environment = environment()?;
    println!("xtask: installing schemathesis into {}", environment.display());
    if let Some(folder) = environment.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let pinned = cargo::root().join("xtask/schemathesis.txt");
    call(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    call(
        Command::new(environment.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(pinned),
    )?;
    // Last, so that a broken installation is not taken for a whole one.
    Ok(std::fs::write(environment.join("pinned.txt"), PINNED)?)
}

fn environment() -> Result<PathBuf, Error> {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    let folder = match cache {
        Some(cache) => cache.join("longshore-ci"),
        None => cargo::target()?,
    };
    Ok(folder.join("schemathesis"))
}

fn call(command: &mut Command) -> Result<(), Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("{program} could not be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{program} failed: {status}").into()) }
}
