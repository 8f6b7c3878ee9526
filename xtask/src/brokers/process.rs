//! A process that outlives the command which started it, and is found again.

use crate::Error;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long each signal is given.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process by its number and the moment of its start, for the number alone may be somebody else's by now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: u32,
    /// When it was started, in ticks since the boot.
    pub(crate) started: u64,
}

impl Process {
    /// Returns the process that has this number now, unless none has or it has ended.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace();
        let state = fields.next()?;
        let started = fields.nth(18)?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(Self { pid, started })
    }

    /// Returns whether it still runs.
    pub(crate) fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends one signal after the other until it has ended. A process that took over its number gets none.
    pub(crate) fn stop(self, signals: &[&str]) -> Result<(), Error> {
        for signal in signals {
            if !self.is_alive() {
                return Ok(());
            }
            // The shell's own: not every machine has a program for it.
            let status = Command::new("sh")
                .args(["-c", "kill -s \"$1\" \"$2\"", "sh", signal, &self.pid.to_string()])
                .stdin(Stdio::null())
                .status()?;
            if !status.success() && self.is_alive() {
                return Err(format!("process {} may not be sent {signal}", self.pid).into());
            }
            if until(PATIENCE, || !self.is_alive()) {
                return Ok(());
            }
        }
        Err(format!("process {} does not end", self.pid).into())
    }
}

/// Returns the same call, cut loose from this command: in a group of its own, so that what is typed to interrupt a
/// command is not meant for it, and without whatever files it would inherit (the lock of somebody who waits, say).
pub(crate) fn detached(call: &Command) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec \"$@\" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-", "sh"])
        .arg(call.get_program())
        .args(call.get_args())
        .envs(call.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::null())
        .process_group(0);
    if let Some(folder) = call.get_current_dir() {
        command.current_dir(folder);
    }
    command
}

/// Returns the number of some process that works in a folder.
pub(crate) fn someone_in(folder: &Path) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(|pid| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|at| at == folder))
}

/// Looks again and again until something is so; `false` if it was not in all that time.
pub(crate) fn until(longest: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    loop {
        if is_so() {
            return true;
        }
        if began.elapsed() > longest {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::{Process, someone_in};
    use std::process::{Child, Command};

    fn sleeper() -> Child {
        Command::new("sleep").arg("600").spawn().unwrap()
    }

    #[test]
    fn a_process_is_stopped_by_its_signals() {
        let mut child = sleeper();
        let process = Process::of(child.id()).unwrap();
        assert!(process.is_alive());
        process.stop(&["TERM"]).unwrap();
        assert!(!process.is_alive());
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn a_process_that_took_over_the_number_is_left_alone() {
        let mut child = sleeper();
        let now = Process::of(child.id()).unwrap();
        let before = Process { started: now.started - 1, ..now };
        assert!(!before.is_alive());
        before.stop(&["KILL"]).unwrap();
        assert!(now.is_alive());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn whoever_works_in_a_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        assert_eq!(someone_in(&folder), None);
        let mut child = Command::new("sleep").arg("600").current_dir(&folder).spawn().unwrap();
        let found = someone_in(&folder);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, Some(child.id()));
        assert_eq!(someone_in(&folder), None);
    }
}
