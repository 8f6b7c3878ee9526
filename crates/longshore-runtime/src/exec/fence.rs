//! A control group (version 2) around one command: it counts processes, and kills all at once.
//!
//! Used where the server may make groups below its own or beside it, as under systemd with
//! `Delegate=yes` and `DelegateSubgroup=`. Elsewhere there is none, and the limits of the system
//! step in (see [`super::limits`]).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const ROOT: &str = "/sys/fs/cgroup";
/// The kernel empties a killed group a moment after its last process was reaped.
const EMPTIED: Duration = Duration::from_millis(200);

/// A control group around one command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fence(PathBuf);

impl Fence {
    /// Makes a group for at most so many processes and threads, where that is possible.
    pub(super) fn make(processes: u32) -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
        Self::make_in(Path::new(ROOT), own, processes)
    }

    fn make_in(root: &Path, own: &str, processes: u32) -> Option<Self> {
        if !root.join("cgroup.controllers").exists() {
            return None;
        }
        let own = root.join(own);
        // A group that has processes of its own cannot have limited ones below; then its parent may.
        let parent = [Some(own.as_path()), own.parent()]
            .into_iter()
            .flatten()
            .filter(|at| at.starts_with(root))
            .find(|at| counts(at))?;
        // One of the same number is left over from a watcher that was killed: taken over.
        let path = parent.join(format!("longshore-exec-{}", std::process::id()));
        let _ = fs::create_dir(&path);
        match fs::write(path.join("pids.max"), processes.to_string()) {
            Ok(()) => Some(Self(path)),
            Err(_) => {
                let _ = fs::remove_dir(&path);
                None
            }
        }
    }

    /// Names the group that the first stage made.
    pub(super) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Returns where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Moves the calling process in.
    pub(super) fn enter(&self) -> io::Result<()> {
        fs::write(self.0.join("cgroup.procs"), "0")
    }

    /// Kills all that is in it (Linux 5.14 or later; a process group is killed elsewhere too).
    pub(super) fn kill(&self) {
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
    }

    /// Removes it.
    pub(super) fn remove(&self) {
        let give_up = Instant::now() + EMPTIED;
        while fs::remove_dir(&self.0).is_err() && self.0.exists() && Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Whether groups below `at` count their processes, now or by asking for it.
fn counts(at: &Path) -> bool {
    let control = at.join("cgroup.subtree_control");
    let on = |text: String| text.split_whitespace().any(|name| name == "pids");
    fs::read_to_string(&control).is_ok_and(on) || fs::write(&control, "+pids").is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like a control group file system, gone with the test.
    fn root(name: &str) -> PathBuf {
        let root = std::env::temp_dir().join(format!("longshore-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("server/main")).unwrap();
        fs::write(root.join("cgroup.controllers"), "cpu pids\n").unwrap();
        root
    }

    #[test]
    fn a_group_is_made_beside_the_servers_own_where_processes_are_counted() {
        let root = root("fence");
        // A folder in its place: it can neither be read nor written.
        fs::create_dir_all(root.join("server/main/cgroup.subtree_control")).unwrap();
        fs::write(root.join("server/cgroup.subtree_control"), "cpu pids\n").unwrap();
        let group = format!("server/longshore-exec-{}", std::process::id());
        fs::create_dir_all(root.join(&group)).unwrap();
        let fence = Fence::make_in(&root, "server/main", 5);
        assert_eq!(fence, Some(Fence(root.join(&group))));
        assert_eq!(fs::read_to_string(root.join(&group).join("pids.max")).unwrap(), "5");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn there_is_none_where_no_control_groups_are() {
        assert_eq!(Fence::make_in(Path::new("/nowhere"), "server", 5), None);
    }
}
