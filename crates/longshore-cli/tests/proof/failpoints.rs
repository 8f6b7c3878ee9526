//! The walk over all fail points: at each gap between two durable writes the program is killed, and
//! made to fail; afterwards the accounts are clean.

use crate::accounts::settle;
use crate::ledger::{Effects, Ledger, Told};
use crate::load::Load;
use crate::server::{Launch, Server, data, folder};
use libtest_mimic::{Failed, Trial};
use longshore_core::failpoint::POINTS;
use rustix::process::Signal;
use serde_json::json;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ACTIONS: [&str; 4] = ["kill", "error", "panic", "delay"];

/// Steps that cannot fail, only be interrupted: there an `error` changes nothing.
const NO_ERROR: [&str; 2] = ["consumer.", "stop."];
/// What is only done when nothing is written for a while.
const AT_REST: &str = "checkpoint.";
const ABORTED: i32 = 6;

/// One proof per point and action.
pub(crate) fn walk() -> Vec<Trial> {
    let cases = POINTS.iter().flat_map(|point| ACTIONS.map(|action| (*point, action)));
    let cases = cases.filter(|(point, action)| {
        *action != "error" || !NO_ERROR.iter().any(|step| point.starts_with(step))
    });
    let name = |point, action| format!("failpoints::{point}={action}");
    cases
        .map(|(point, action)| Trial::test(name(point, action), move || step(point, action)))
        .collect()
}

fn step(point: &str, action: &str) -> Result<(), Failed> {
    let folder = folder()?;
    let ledger = Ledger::new(None);
    let effects = Effects::collect(folder.path(), &ledger)?;
    let launch = Launch::new(data(&folder)).env("LONGSHORE_EFFECTS", &effects.socket);

    // There is something to recover: the end before was not a clean one.
    let server = launch.start()?;
    let load = Load::start(server.addr, &ledger, 2, Duration::from_millis(5), 1);
    std::thread::sleep(Duration::from_millis(150));
    server.kill()?;
    ledger.fault("kill -9");
    load.stop();

    // Some failures are told only to those who look closely.
    let armed = launch
        .clone()
        .env("LONGSHORE_LOG", "debug")
        .env("LONGSHORE_FAILPOINT", format!("{point}={action}@{}", nth(point)));
    let seen = under_fire(&armed, &ledger, point, action)?;
    ledger.fault(point);
    let hit = match action {
        "kill" => seen.status.signal() == Some(ABORTED),
        "delay" => seen.status.success(),
        _ => !seen.status.success() || seen.refused || seen.stderr.contains(point),
    };
    if !hit {
        let (status, stderr) = (seen.status, seen.stderr);
        return Err(format!("{point} was not passed, or left no trace: {status}\n{stderr}").into());
    }
    settle(&launch, &ledger, &effects)?;
    Ok(())
}

/// In the thick of it, where there is one.
fn nth(point: &str) -> u32 {
    let once = ["boot.", "checkpoint.", "stop."].iter().any(|prefix| point.starts_with(prefix));
    match point {
        // Once a second, and only where something becomes due.
        "store.upkeep_applied" => 2,
        _ if once => 1,
        _ => 5,
    }
}

/// A fault of the recorder itself costs nobody anything: what it had in hand is recorded all the same, by
/// the same process.
pub(crate) fn a_recorder_that_panics_leaves_no_end_behind() -> Result<(), Failed> {
    let folder = folder()?;
    for point in ["consumer.judged", "consumer.recorded"] {
        let data = folder.path().join(point);
        let launch = Launch::new(data).env("LONGSHORE_FAILPOINT", format!("{point}=panic@2"));
        let server = launch.start()?;
        let mut client = server.client();
        for number in 0..10 {
            let task = json!({"kind": "demo.work", "payload": {"result": number}});
            let task = client.post("/v1/tasks?wait=10s", &task)?.data();
            if task["status"] != "success" || task["attempt"] != 1 || task["crashes"] != 0 {
                return Err(format!("{point}: task {number} is {task}").into());
            }
        }
        if !server.stderr().contains("recording panicked") {
            return Err(format!("{point} was not passed\n{}", server.stderr()).into());
        }
        server.stop()?;
    }
    Ok(())
}

struct Seen {
    status: ExitStatus,
    stderr: String,
    /// A client was answered with a status of 500 or more.
    refused: bool,
}

/// Starts the armed server, loads it until it dies, or the fault has left a trace, and asks it to stop if it does not.
fn under_fire(
    armed: &Launch,
    ledger: &Arc<Ledger>,
    point: &str,
    action: &str,
) -> Result<Seen, Failed> {
    let at_rest = point.starts_with(AT_REST);
    let before = ledger.entries().len();
    let mut server = match armed.try_start()? {
        Ok(server) => server,
        Err(not) => return Ok(Seen { status: not.status, stderr: not.stderr, refused: false }),
    };
    let load = Load::start(server.addr, ledger, 2, Duration::from_millis(5), 2);
    let was_refused = || {
        let late = ledger.entries().split_off(before);
        late.iter().any(|entry| matches!(entry.told, Told::Broken(_)))
    };
    let busy = Duration::from_millis(if at_rest { 300 } else { 1_500 });
    let mut died = dies_within(&mut server, busy)?;
    if at_rest {
        load.stop();
        // A delay leaves no trace.
        let rest = Duration::from_secs(if action == "delay" { 4 } else { 20 });
        let until = Instant::now() + rest;
        while !died && Instant::now() < until && !server.stderr().contains(point) {
            died = dies_within(&mut server, Duration::from_millis(100))?;
        }
        if !died {
            server.signal(Signal::TERM)?;
        }
    } else {
        // Stopped while it is busy; a slow machine comes to the point later.
        let comes_later = action != "delay" && !point.starts_with("stop.");
        let until = Instant::now() + Duration::from_secs(if comes_later { 15 } else { 0 });
        let has_trace = |server: &Server| {
            action != "kill" && (server.stderr().contains(point) || was_refused())
        };
        while !died && Instant::now() < until && !has_trace(&server) {
            died = dies_within(&mut server, Duration::from_millis(100))?;
        }
        if !died {
            server.signal(Signal::TERM)?;
        }
        server.wait(Duration::from_secs(40))?;
        load.stop();
    }
    let status = server.wait(Duration::from_secs(40))?;
    Ok(Seen { status, stderr: server.stderr(), refused: was_refused() })
}

fn dies_within(server: &mut Server, how_long: Duration) -> Result<bool, Failed> {
    let deadline = Instant::now() + how_long;
    while Instant::now() < deadline {
        if server.has_ended()? {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(false)
}
