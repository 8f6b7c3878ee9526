//! `cargo xtask test`: everything that can be tested, with one command.
//!
//! Builds the shim and two binaries (as people run it; with the fail points compiled in), hands
//! their paths to the proofs by environment, runs the whole workspace, and repeats at the end what
//! each runner summed up. In CI an ignored test is a failure unless `xtask/ignored.txt` names it.

use crate::{Error, cargo, needs, schemathesis, shim};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// What was asked for on the command line.
#[derive(Debug, Default)]
pub(crate) struct Options {
    install: bool,
    filter: Option<String>,
}

impl Options {
    /// Reads the arguments after `test`.
    pub(crate) fn parse(args: &[String]) -> Result<Self, Error> {
        let mut options = Self::default();
        for arg in args {
            match arg.as_str() {
                "--install" => options.install = true,
                flag if flag.starts_with('-') => {
                    return Err(format!("test: no flag {flag:?}\n\n{}", crate::USAGE).into());
                }
                name if options.filter.is_none() => options.filter = Some(name.to_owned()),
                more => {
                    return Err(
                        format!("test: a second filter {more:?}\n\n{}", crate::USAGE).into()
                    );
                }
            }
        }
        Ok(options)
    }
}

/// Runs the tests; `false` if any failed, or was ignored where that is not allowed.
pub(crate) fn run(options: &Options) -> Result<bool, Error> {
    if options.install {
        needs::install()?;
    }
    let environment = prepare()?;

    let mut command = cargo::test();
    command.args(&options.filter);
    command.envs(environment).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut seen = Seen::default();
    let mut stdout = std::io::stdout();
    for line in BufReader::new(child.stdout.take().ok_or("no stdout")?).split(b'\n') {
        let line = line?;
        stdout.write_all(&line)?;
        stdout.write_all(b"\n")?;
        seen.line(&String::from_utf8_lossy(&line));
    }
    let passed = child.wait()?.success();

    let allowed = allowed()?;
    let unexpected = seen.not_in(&allowed);
    let strict = cargo::in_ci();
    println!();
    for test in &seen.ignored {
        println!("ignored: {}: {}", test.name, test.reason);
    }
    if strict && !unexpected.is_empty() {
        println!("In CI these may not be ignored, or must be listed in xtask/ignored.txt:");
        unexpected.iter().for_each(|name| println!("  {name}"));
    }
    seen.failed.iter().for_each(|test| println!("failed: {test}"));
    if seen.summaries.is_empty() {
        return Err("no test was run".into());
    }
    seen.summaries.iter().for_each(|line| println!("{line}"));
    Ok(passed && (!strict || unexpected.is_empty()))
}

/// Returns what may be ignored: our own list, and what the brokers' suites may, which each of them compares itself.
fn allowed() -> Result<String, Error> {
    let root = cargo::root();
    let mut all = std::fs::read_to_string(root.join("xtask/ignored.txt"))?;
    for crate_ in std::fs::read_dir(root.join("crates"))? {
        let Ok(tests) = std::fs::read_dir(crate_?.path().join("tests")) else { continue };
        for file in tests {
            let path = file?.path();
            if path.to_string_lossy().ends_with("ignored.txt") {
                for line in std::fs::read_to_string(path)?.lines() {
                    all.push('\n');
                    all.push_str(line.split(": needs ").next().unwrap_or_default());
                }
            }
        }
    }
    Ok(all)
}

/// Builds what the proofs start; answers the environment that tells them where it lies.
fn prepare() -> Result<Vec<(&'static str, OsString)>, Error> {
    let mut environment: Vec<(&'static str, OsString)> = Vec::new();
    match shim::build() {
        Ok(library) => environment.push(("LONGSHORE_POWERCUT_SHIM", library.into())),
        Err(error) => eprintln!("xtask: {error}; the proofs that need the shim will be ignored"),
    }
    if let Some(program) = schemathesis::program() {
        environment.push(("LONGSHORE_SCHEMATHESIS", program.into()));
    }
    // The plain one first: what the tests link against is then built last, and not built again.
    let plain = cargo::build(&["build", "-p", "longshore-cli", "--bins"])?;
    environment.extend(keep(&plain, "longshore")?.map(|path| ("LONGSHORE_PLAIN_BIN", path.into())));
    let faults = cargo::build(&["test", "--workspace", "--all-features", "--no-run"])?;
    environment
        .extend(keep(&faults, "longshore-faults")?.map(|path| ("LONGSHORE_BIN", path.into())));
    Ok(environment)
}

/// Copies the binary to where no later build replaces it.
fn keep(built: &[(String, PathBuf)], name: &str) -> Result<Option<PathBuf>, Error> {
    let Some((_, path)) = built.iter().find(|(target, _)| target == "longshore") else {
        return Ok(None);
    };
    let kept = cargo::target()?.join("proof").join(name);
    copy(path, &kept)?;
    Ok(Some(kept))
}

/// Copies by way of a second name, for the old file may be running.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let beside = to.with_extension("new");
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::copy(from, &beside)?;
    Ok(std::fs::rename(&beside, to)?)
}

/// What the runners printed.
#[derive(Debug, Default)]
struct Seen {
    ignored: Vec<Ignored>,
    failed: Vec<String>,
    summaries: Vec<String>,
}

#[derive(Debug)]
struct Ignored {
    name: String,
    reason: String,
}

impl Seen {
    fn line(&mut self, line: &str) {
        if line.starts_with("test result: ") {
            self.summaries.push(line.to_owned());
        } else if let Some((name, how)) =
            line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... "))
        {
            let name = name.trim_end();
            if let Some(reason) = how.strip_prefix("ignored") {
                let reason = reason.trim_matches([' ', ',', '(', ')']);
                let reason = if reason.is_empty() { "marked in the source" } else { reason };
                self.ignored.push(Ignored { name: name.to_owned(), reason: reason.to_owned() });
            } else if how.starts_with("FAILED") {
                self.failed.push(name.to_owned());
            }
        }
    }

    /// The ignored tests that the list does not name.
    fn not_in(&self, list: &str) -> Vec<&str> {
        let listed: Vec<&str> = list
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim())
            .filter(|name| !name.is_empty())
            .collect();
        let names = self.ignored.iter().map(|test| test.name.as_str());
        names.filter(|name| !listed.contains(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;

    #[test]
    fn ignored_and_failed_tests_are_read_from_the_output() {
        let mut seen = Seen::default();
        for line in [
            "test disk_full::accepts_recover           ... ignored (needs root)",
            "test kafka::rebalance ... ignored, needs a broker",
            "test retry::it_waits ... ok",
            "test src/retry.rs - retry (line 3) ... ignored",
            "test state::arrows ... FAILED",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
        ] {
            seen.line(line);
        }
        assert_eq!(seen.failed, ["state::arrows"]);
        assert_eq!(seen.summaries.len(), 1);
        let list = "# a comment\nsrc/retry.rs - retry (line 3)  # shows output\n";
        assert_eq!(seen.not_in(list), ["disk_full::accepts_recover", "kafka::rebalance"]);
        let reasons: Vec<&str> = seen.ignored.iter().map(|test| test.reason.as_str()).collect();
        assert_eq!(reasons, ["needs root", "needs a broker", "marked in the source"]);
    }
}
