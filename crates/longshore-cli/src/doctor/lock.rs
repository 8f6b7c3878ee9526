//! Who holds the data folder: one process at a time may.

use super::Finding;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Looks whether a process holds the lock, without touching it.
pub(super) fn check(folder: &Path, server_answers: bool) -> Finding {
    let path = folder.join("lock");
    let Ok(meta) = fs::metadata(&path) else {
        return Finding::ok("lock", "no process has the data folder yet");
    };
    let Ok(locks) = fs::read_to_string("/proc/locks") else {
        let found = "it cannot be told whether a process has the data folder";
        return Finding::warn("lock", found, "mount /proc to see it");
    };
    if !holds(&locks, meta.ino()) {
        return Finding::ok("lock", "no process has the data folder");
    }
    let owner = fs::read_to_string(&path).unwrap_or_default();
    let owner = match owner.trim() {
        "" => "a process".to_owned(),
        pid => match fs::read_to_string(format!("/proc/{pid}/comm")) {
            Ok(name) => format!("process {pid} ({})", name.trim()),
            Err(_) => format!("process {pid}"),
        },
    };
    let found = format!("{owner} has the data folder");
    if server_answers {
        return Finding::ok("lock", found);
    }
    Finding::warn(
        "lock",
        found,
        "a second one is refused: stop that one first, or take another --data",
    )
}

/// Whether a table of locks has one on this file.
fn holds(locks: &str, inode: u64) -> bool {
    let of = |line: &str| {
        let file = line.split_whitespace().nth(5)?;
        file.rsplit(':').next()?.parse::<u64>().ok()
    };
    locks.lines().any(|line| of(line) == Some(inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_found_by_its_file() {
        let locks = "1: FLOCK  ADVISORY  WRITE 812 08:01:393262 0 EOF\n2: POSIX  ADVISORY  READ 5 00:19:77 128 128\n";
        assert!(holds(locks, 393_262));
        assert!(holds(locks, 77));
        assert!(!holds(locks, 812));
    }
}
