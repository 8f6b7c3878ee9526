//! Whatever a command has started: ended and reaped to the last one.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, wait};
use std::time::{Duration, Instant};

/// After this long a process that does not even die of KILL (stuck in the kernel) is left alone.
const GIVE_UP: Duration = Duration::from_secs(5);
/// Pauses between two looks, doubled up to the longest.
const PAUSE: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(20));

/// Reaps what has ended meanwhile; returns how `main` ended, if it is among them.
pub(super) fn reap(main: Pid) -> Option<WaitStatus> {
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid == main {
            return Some(status);
        }
    }
    None
}

/// Kills and reaps all children of this process, and theirs: what loses its parent becomes a child
/// of this process, its subreaper, and is next.
pub(super) fn end() {
    let give_up = Instant::now() + GIVE_UP;
    let mut pause = PAUSE.0;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => continue,
            Ok(None) if Instant::now() < give_up => {}
            _ => return,
        }
        for child in children() {
            // Not reaped by anybody but us: the number cannot mean another process.
            let _ = kill_process(child, Signal::KILL);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE.1);
    }
}

/// The children of this process. Read from every process's own file: the list of children is not
/// compiled into all kernels, and this is rarely needed.
fn children() -> Vec<Pid> {
    let me = getpid().as_raw_nonzero().get();
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let all = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    all.filter(|&pid| parent_of(pid) == Some(me)).filter_map(Pid::from_raw).collect()
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    parent_in(&stat)
}

/// The fourth field; the second is a name in parentheses and may contain anything.
fn parent_in(stat: &[u8]) -> Option<i32> {
    let name_end = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_pretend_another_parent() {
        assert_eq!(parent_in(b"12 (a) S 1 (b) S 7 12 12 0"), Some(7));
        assert_eq!(parent_in(b"12 (\xff) R 3 12"), Some(3));
        assert_eq!(parent_in(b""), None);
    }

    #[test]
    fn the_parent_of_this_process_is_found() {
        let me = i32::try_from(std::process::id()).unwrap();
        let parent = i32::try_from(std::os::unix::process::parent_id()).unwrap();
        assert_eq!(parent_of(me), Some(parent));
    }
}
