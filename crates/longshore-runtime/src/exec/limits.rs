//! What a command may use at most, as the stages hand it on, and the system's own limits.

use super::fence::Fence;
use rustix::process::{Resource, Rlimit, getrlimit, getuid, setrlimit};
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;

/// What a command may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Limits {
    /// Address space in bytes, of each of its processes.
    pub(super) memory: Option<u64>,
    /// Processes and threads.
    pub(super) processes: Option<u32>,
}

impl Limits {
    /// Reads the two arguments that [`arguments`](Self::arguments) wrote.
    pub(super) fn read(memory: &OsString, processes: &OsString) -> Option<Self> {
        Some(Self { memory: read(memory)?, processes: read(processes)? })
    }

    /// Writes two arguments.
    pub(super) fn arguments(self) -> [String; 2] {
        [write(self.memory), write(self.processes)]
    }

    /// Puts the calling process, and whatever it starts, under these limits. It leaves no core
    /// dumps either way. The processes are counted by `fence` if there is one; else by the user's
    /// limit, which counts all of the user's processes and does not bind root, so it is set to as
    /// many as there are now and `processes` more.
    pub(super) fn apply(self, fence: Option<&Fence>) -> io::Result<()> {
        lower(Resource::Core, 0)?;
        if let Some(processes) = self.processes
            && fence.is_none_or(|fence| fence.enter().is_err())
        {
            lower(Resource::Nproc, of_this_user().saturating_add(u64::from(processes)))?;
        }
        match self.memory {
            Some(bytes) => lower(Resource::As, bytes), // the last: little may be allocated after it
            None => Ok(()),
        }
    }
}

fn read<T: std::str::FromStr>(argument: &OsString) -> Option<Option<T>> {
    match argument.to_str()? {
        "-" => Some(None),
        number => number.parse().ok().map(Some),
    }
}

fn write(limit: Option<impl ToString>) -> String {
    limit.map_or_else(|| "-".into(), |limit| limit.to_string())
}

/// Sets a limit for good. One that is lower already stays.
fn lower(resource: Resource, to: u64) -> io::Result<()> {
    let to = getrlimit(resource).maximum.map_or(to, |most| most.min(to));
    Ok(setrlimit(resource, Rlimit { current: Some(to), maximum: Some(to) })?)
}

/// Counts the threads of all processes of this user, as the system does for its limit.
fn of_this_user() -> u64 {
    let user = getuid().as_raw();
    let Ok(processes) = std::fs::read_dir("/proc") else { return 0 };
    let tasks = processes.flatten().filter_map(|entry| {
        let number = entry.file_name().to_str()?.bytes().all(|byte| byte.is_ascii_digit());
        let its_own = number && entry.metadata().ok()?.uid() == user;
        its_own.then(|| std::fs::read_dir(entry.path().join("task")).map_or(0, Iterator::count))
    });
    tasks.map(|count| u64::try_from(count).unwrap_or(0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_they_were_written() {
        let some = Limits { memory: Some(1 << 40), processes: Some(3) };
        for limits in [some, Limits::default()] {
            let [memory, processes] = limits.arguments().map(OsString::from);
            assert_eq!(Limits::read(&memory, &processes), Some(limits));
        }
        assert_eq!(Limits::read(&"x".into(), &"-".into()), None);
    }

    #[test]
    fn this_process_is_among_those_of_its_user() {
        assert!(of_this_user() >= 1);
    }
}
