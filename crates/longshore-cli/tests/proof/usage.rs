//! What a process uses, as the system counts it.

use libtest_mimic::Failed;
use std::time::Duration;

/// Linux shows times in hundredths of a second, whatever its own clock does.
const TICK: Duration = Duration::from_millis(10);

/// How long processors have worked for a process so far.
pub(crate) fn cpu(pid: u32) -> Result<Duration, Failed> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program, in brackets, may hold anything.
    let (_, rest) = stat.rsplit_once(')').ok_or("a stat without a name")?;
    let mut ticks = 0;
    for field in rest.split_whitespace().skip(11).take(2) {
        ticks += field.parse::<u32>()?;
    }
    Ok(TICK * ticks)
}

/// How many bytes of memory it has now that are its own.
pub(crate) fn memory(pid: u32) -> Result<u64, Failed> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")).ok_or("no RssAnon")?;
    Ok(kilobytes.trim().parse::<u64>()? * 1024)
}
