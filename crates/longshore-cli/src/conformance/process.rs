//! A worker that pulls, as a process with all that it starts.

use crate::failure::Failure;
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A worker that pulls; killed with all that it started when this is dropped.
pub(super) struct Process(Child);

impl Process {
    /// Starts it, and tells it where the server is.
    pub(super) fn start(argv: &[String], url: &str) -> Result<Self, Failure> {
        let (program, arguments) = argv
            .split_first()
            .ok_or_else(|| Failure::Usage("--pull wants the command that starts it".into()))?;
        let child = Command::new(program)
            .args(arguments)
            .env("LONGSHORE_URL", url)
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            // A launcher (`go run`, a shell) and what it launched end together.
            .process_group(0)
            .spawn()
            .map_err(Failure::system(format!("cannot start the worker {program:?}")))?;
        Ok(Self(child))
    }

    /// Returns how it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself; what it left behind is still in its group.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }
}
