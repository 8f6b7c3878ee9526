//! Compiles the library that models stable storage (`shim/powercut.c`).

use crate::{Error, cargo};
use std::path::PathBuf;
use std::process::Command;

const FLAGS: &[&str] =
    &["-shared", "-fPIC", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o"];

/// Compiles the shim into the target folder; answers where it lies.
pub(crate) fn build() -> Result<PathBuf, Error> {
    let source = cargo::root().join("xtask/shim/powercut.c");
    let folder = cargo::target()?.join("proof");
    std::fs::create_dir_all(&folder)?;
    let library = folder.join("libpowercut.so");
    let beside = folder.join("libpowercut.so.new"); // the old one may be loaded somewhere
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let status = Command::new(&compiler)
        .args(FLAGS)
        .arg(&beside)
        .arg(&source)
        .args(["-ldl", "-lpthread"])
        .status()
        .map_err(|error| format!("{}: {error}", compiler.to_string_lossy()))?;
    if !status.success() {
        return Err(format!("{} was not compiled: {status}", source.display()).into());
    }
    std::fs::rename(&beside, &library)?;
    Ok(library)
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn the_shim_compiles_without_a_warning() {
        assert!(super::build().unwrap().exists());
    }
}
