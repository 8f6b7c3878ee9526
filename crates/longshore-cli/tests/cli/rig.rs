//! A server of a test's own, and the binary called as a script calls it.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

const BINARY: &str = env!("CARGO_BIN_EXE_longshore");

/// A server with the demo kinds, and a folder that commands run in. Both are gone with it.
pub(crate) struct Rig {
    child: Option<Child>,
    url: String,
    folder: TempDir,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Rig {
    /// Starts a server on a free port.
    pub(crate) fn start() -> Self {
        Self::alone().serving(&["--listen", "127.0.0.1:0"])
    }

    /// Starts a server in this folder.
    pub(crate) fn serving(self, args: &[&str]) -> Self {
        let mut rig = self;
        let mut command = rig.command(&[&["dev", "--data", "data"], args].concat());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready = lines.by_ref().map_while(Result::ok).find(|line| line.contains("is ready: "));
        let ready = ready.expect("the server did not start");
        let url = ready.split_once("is ready: ").unwrap().1;
        rig.url = url.split_whitespace().next().unwrap().to_owned();
        rig.child = Some(child);
        // Read on, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        rig
    }

    /// No server: its address answers nobody.
    pub(crate) fn alone() -> Self {
        let folder = tempfile::Builder::new().prefix("longshore-cli-").tempdir().unwrap();
        // The discard port, on which nobody listens.
        Self { child: None, url: "http://127.0.0.1:9".into(), folder }
    }

    /// Asks the server at this address.
    pub(crate) fn at(self, url: String) -> Self {
        let mut rig = self;
        rig.url = url;
        rig
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Reaches the server, which listens everywhere, at this address.
    pub(crate) fn reach(&mut self, host: &str) {
        self.url = self.url.replace("0.0.0.0", host);
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(args).current_dir(self.folder.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LONGSHORE_") {
                command.env_remove(name);
            }
        }
        command.env("LONGSHORE_SERVER", &self.url);
        command
    }

    /// Runs a command without any input.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.feed(args, "")
    }

    /// Runs a command with this on standard input.
    pub(crate) fn feed(&self, args: &[&str], input: &str) -> Said {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Who reads nothing may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that must go well; returns what it printed.
    pub(crate) fn fine(&self, args: &[&str]) -> String {
        let said = self.run(args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        said.out
    }

    /// Runs a command again and again until what it prints is as it should be.
    pub(crate) fn until(&self, args: &[&str], is_fine: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let out = self.fine(args);
            if is_fine(&out) {
                return out;
            }
            assert!(began.elapsed() < PATIENCE, "{args:?} still prints {out}");
        }
    }

    /// Submits a task of the demo kind that does as it is told, and waits for its end.
    pub(crate) fn ended(&self, payload: &str) -> String {
        let args = ["enqueue", "demo.work", payload, "--wait", "20s", "-o", "name"];
        let said = self.run(&args);
        assert!(matches!(said.code, 0 | 10), "{said:?}");
        said.out.trim().to_owned()
    }

    /// Submits a task that fails for good.
    pub(crate) fn failed(&self) -> String {
        self.ended(r#"{"fail_times":1,"fail":"bad_data"}"#)
    }

    /// Submits a task that waits for an hour.
    pub(crate) fn waiting(&self) -> String {
        self.fine(&["enqueue", "hello", "--delay", "1h", "-o", "name"]).trim().to_owned()
    }

    /// Reads the status of a task.
    pub(crate) fn status(&self, id: &str) -> String {
        json(&self.fine(&["tasks", "show", id, "-o", "json"]))["status"].as_str().unwrap().into()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Reads JSON.
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|bad| panic!("{bad}: {text}"))
}

/// The folder of this crate.
pub(crate) fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An id that no task has.
pub(crate) const NOBODY: &str = "0197b1a4-0000-7000-8000-000000000000";
