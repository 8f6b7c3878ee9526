//! The check as somebody calls it, and what it says.

use libtest_mimic::Failed;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the check said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    /// One for each case.
    pub(crate) findings: Vec<Value>,
    err: String,
}

/// Calls `longshore conformance worker` with these arguments.
pub(crate) fn check(args: &[&str]) -> Result<Said, Failed> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
    command.args(["conformance", "worker", "-o", "jsonl"]).args(args).stdin(Stdio::null());
    let output = command.output()?;
    let out = String::from_utf8(output.stdout)?;
    let findings = out.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Said { code: output.status.code(), findings, err })
}

impl Said {
    /// The cases with that verdict.
    pub(crate) fn cases(&self, verdict: &str) -> Vec<&str> {
        let of = |found: &&Value| found["verdict"] == verdict;
        self.findings.iter().filter(of).filter_map(|found| found["case"].as_str()).collect()
    }

    /// Why a case went wrong.
    pub(crate) fn why(&self, case: &str) -> &str {
        let found = self.findings.iter().find(|found| found["case"] == case);
        found.and_then(|found| found["found"].as_str()).unwrap_or_default()
    }

    /// Demands that nothing but these failed, and that the exit code says whether.
    pub(crate) fn failed(&self, cases: &[&str]) -> Result<(), Failed> {
        let code = i32::from(!cases.is_empty());
        if self.cases("failed") == cases && self.code == Some(code) {
            return Ok(());
        }
        Err(self.told(&format!("{cases:?} should fail, and the exit code be {code}")))
    }

    /// Says what should be, and all that was said.
    pub(crate) fn told(&self, should: &str) -> Failed {
        let lines: Vec<String> = self.findings.iter().map(Value::to_string).collect();
        format!("{should}; it ended with {:?}\n{}\n{}", self.code, lines.join("\n"), self.err)
            .into()
    }
}

/// The folder of the example workers.
pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/workers")
}

/// A program of these tests.
pub(crate) fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workers/programs").join(name)
}

/// A folder for one test, gone with it.
pub(crate) fn folder() -> Result<tempfile::TempDir, Failed> {
    Ok(tempfile::Builder::new().prefix("longshore-workers-").tempdir()?)
}

/// As an argument.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
