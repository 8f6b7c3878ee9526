//! The processes of this machine, as a test looks for them: on behalf of which task, below which
//! server.

use crate::server::{Server, eventually};
use libtest_mimic::Failed;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// A process that starts is there within this.
const PATIENCE: Duration = Duration::from_secs(15);
/// A process that has ended is reaped within this.
const REAPED: Duration = Duration::from_secs(5);

/// Whatever lives on behalf of a task: process ids and command lines.
pub(crate) fn family(id: &str) -> Vec<(i32, String)> {
    let mark = format!("LONGSHORE_TASK_ID={id}");
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let processes = processes.flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        // Of a zombie it is empty.
        let environment = fs::read(entry.path().join("environ")).ok()?;
        environment.split(|byte| *byte == 0).find(|name| *name == mark.as_bytes())?;
        Some((pid, command_line(&entry.path())))
    });
    processes.collect()
}

fn command_line(process: &Path) -> String {
    let line = fs::read(process.join("cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

/// Waits until so many processes live on behalf of a task, the watcher included.
pub(crate) fn grown(id: &str, to: usize) -> Result<(), Failed> {
    let commands = || family(id).into_iter().filter(|(_, line)| !line.contains("__exec become"));
    eventually("all of it runs", PATIENCE, || Ok((commands().count() >= to).then_some(())))
        .map_err(|_| format!("{to} should run, there are {:?}", family(id)).into())
}

/// Waits until none does.
pub(crate) fn gone_by_id(id: &str, within: Duration) -> Result<(), Failed> {
    eventually("nothing is left", within, || Ok(family(id).is_empty().then_some(())))
        .map_err(|_| format!("left after {within:?}: {:?}", family(id)).into())
}

/// Waits until the server has no child, dead or alive.
pub(crate) fn no_zombies(server: &Server) -> Result<(), Failed> {
    let mark = format!("PPid:\t{}", server.pid());
    let children = || {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let statuses =
            processes.filter_map(|entry| fs::read_to_string(entry.path().join("status")).ok());
        statuses.filter(|status| status.lines().any(|line| line == mark)).collect::<Vec<_>>()
    };
    eventually("no child", REAPED, || Ok(children().is_empty().then_some(())))
        .map_err(|_| format!("children: {:?}", children()).into())
}
