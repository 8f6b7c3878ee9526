//! What the system lets this user have: files, processes, memory, and the kernel's age.

use super::Finding;
use super::disk::size;
use rustix::process::{Resource, getrlimit};
use std::fs;

/// Looks at all of them.
pub(super) fn check() -> Vec<Finding> {
    let files = getrlimit(Resource::Nofile).current;
    let processes = getrlimit(Resource::Nproc).current;
    vec![files_of(files), processes_of(processes), memory(memory_limit()), kernel()]
}

fn files_of(limit: Option<u64>) -> Finding {
    let Some(limit) = limit else { return Finding::ok("files", "no limit") };
    let found = format!("{limit} open files");
    let fix = "ulimit -n 65536, or LimitNOFILE=65536 in the unit";
    match limit {
        ..256 => Finding::fail("files", found, fix),
        256..4_096 => Finding::warn("files", found, fix),
        _ => Finding::ok("files", found),
    }
}

fn processes_of(limit: Option<u64>) -> Finding {
    let Some(limit) = limit else { return Finding::ok("processes", "no limit") };
    let found = format!("{limit} processes and threads");
    match limit {
        ..512 => {
            let fix = "ulimit -u 4096, or TasksMax=4096 in the unit";
            Finding::warn("processes", found, fix)
        }
        _ => Finding::ok("processes", found),
    }
}

/// The least limit of the control groups that this process is in.
fn memory_limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?.to_owned();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    (0..=parts.len())
        .filter_map(|depth| {
            let group = parts[..depth].join("/");
            let limit = fs::read_to_string(format!("/sys/fs/cgroup/{group}/memory.max")).ok()?;
            limit.trim().parse().ok()
        })
        .min()
}

fn memory(limit: Option<u64>) -> Finding {
    match limit {
        None => Finding::ok("memory", "no limit"),
        Some(limit @ ..0x1000_0000) => Finding::warn(
            "memory",
            format!("at most {}", size(limit)),
            "give it 256MiB or more: what takes more is killed",
        ),
        Some(limit) => Finding::ok("memory", format!("at most {}", size(limit))),
    }
}

fn kernel() -> Finding {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    kernel_of(release.trim())
}

fn kernel_of(release: &str) -> Finding {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        let found = format!("the kernel's version {release:?} cannot be read");
        return Finding::warn("kernel", found, "kinds that commands run need Linux 5.4 or later");
    };
    if (major, minor) < (5, 4) {
        let fix = "kinds that commands run need Linux 5.4 or later";
        return Finding::warn("kernel", format!("Linux {release}"), fix);
    }
    Finding::ok("kernel", format!("Linux {release}"))
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn each_limit_has_its_verdict() {
        assert_eq!(files_of(Some(64)).verdict, Verdict::Fail);
        assert_eq!(files_of(Some(1_024)).verdict, Verdict::Warn);
        assert_eq!(files_of(None).verdict, Verdict::Ok);
        assert_eq!(processes_of(Some(100)).verdict, Verdict::Warn);
        assert_eq!(memory(Some(128 << 20)).verdict, Verdict::Warn);
        assert_eq!(memory(None).verdict, Verdict::Ok);
    }

    #[test]
    fn an_old_kernel_is_told() {
        assert_eq!(kernel_of("5.4.0-42-generic").verdict, Verdict::Ok);
        assert_eq!(kernel_of("6.8.1").verdict, Verdict::Ok);
        assert_eq!(kernel_of("4.19.0").verdict, Verdict::Warn);
        assert_eq!(kernel_of("").verdict, Verdict::Warn);
    }
}
