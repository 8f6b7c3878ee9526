//! The disk: how much room there is, what kind it is, and how long a sync takes.

use super::Finding;
use super::data::existing;
use longshore::config::Size;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Below this there is soon no room.
const LITTLE: u64 = 1 << 30;
/// Below this the store does not start well: it keeps a reserve.
const NONE: u64 = 64 << 20;
/// A sync that takes longer makes accepts slow.
const SLOW: Duration = Duration::from_millis(20);
/// Syncs that are timed.
const SYNCS: usize = 15;

/// In-memory file systems, and those whose syncs and locks are another machine's.
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;
const NFS: u64 = 0x6969;
const SMB: [u64; 2] = [0xfe53_4d42, 0xff53_4d42];

/// Looks at all three.
pub(super) fn check(folder: &Path) -> Vec<Finding> {
    let folder = existing(folder);
    let mut findings = Vec::new();
    if let Ok(stat) = rustix::fs::statvfs(&folder) {
        findings.push(room(stat.f_bavail.saturating_mul(stat.f_frsize)));
    }
    if let Ok(stat) = rustix::fs::statfs(&folder) {
        findings.extend(kind(u64::from_ne_bytes(stat.f_type.to_ne_bytes())));
    }
    match median_sync(&folder) {
        Ok(median) => findings.push(sync(median)),
        Err(error) => findings.push(Finding::fail(
            "sync",
            format!("a file in {} cannot be synced: {error}", folder.display()),
            "take a disk that can; nothing could be promised here",
        )),
    }
    findings
}

fn room(free: u64) -> Finding {
    let found = format!("{} free", size(free));
    match free {
        ..NONE => Finding::fail("room", found, "make room, or take another --data"),
        NONE..LITTLE => {
            Finding::warn("room", found, "make room: a full disk means that nothing is accepted")
        }
        _ => Finding::ok("room", found),
    }
}

fn kind(magic: u64) -> Option<Finding> {
    // The kernel's type may be signed and of 32 bits.
    let magic = magic & 0xffff_ffff;
    if magic == TMPFS || magic == RAMFS {
        let found = "the data folder is in memory";
        return Some(Finding::warn("disk", found, "take a real disk: at a restart all is gone"));
    }
    if magic == NFS || SMB.contains(&magic) {
        let found = "the data folder is on a network file system";
        let fix = "take a local disk: locks and syncs are not to be relied on there";
        return Some(Finding::warn("disk", found, fix));
    }
    None
}

fn median_sync(folder: &Path) -> std::io::Result<Duration> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&[0; 4096])?;
        let began = Instant::now();
        file.sync_data()?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(times[SYNCS / 2])
}

fn sync(median: Duration) -> Finding {
    let found = format!("a sync takes {:.2} ms", median.as_secs_f64() * 1e3);
    if median > SLOW {
        let fix = "take a faster disk: every accept waits for one";
        return Finding::warn("sync", found, fix);
    }
    Finding::ok("sync", found)
}

/// Shows bytes in the largest unit of which there are some.
pub(super) fn size(bytes: u64) -> String {
    let unit = [1 << 40, 1 << 30, 1 << 20, 1 << 10].into_iter().find(|unit| bytes >= *unit);
    Size(unit.map_or(bytes, |unit: u64| bytes / unit * unit)).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn each_amount_has_its_verdict() {
        assert_eq!(room(10 << 30).verdict, Verdict::Ok);
        assert_eq!(room(500 << 20).verdict, Verdict::Warn);
        assert_eq!(room(1 << 20).verdict, Verdict::Fail);
        assert_eq!(sync(Duration::from_millis(1)).verdict, Verdict::Ok);
        assert_eq!(sync(Duration::from_millis(50)).verdict, Verdict::Warn);
        assert_eq!(kind(TMPFS).map(|finding| finding.verdict), Some(Verdict::Warn));
        assert_eq!(kind(0xef53), None);
    }

    #[test]
    fn bytes_are_shown_in_whole_units() {
        assert_eq!(size(1_500_000_000), "1GiB");
        assert_eq!(size(900), "900B");
    }
}
