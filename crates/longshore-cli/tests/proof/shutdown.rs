//! SIGTERM: what runs may end, what waits stays, nobody is charged.

use crate::ledger::{Effects, Ledger};
use crate::load::submit;
use crate::observe::{quiet, tasks};
use crate::server::{Launch, data, eventually, folder};
use libtest_mimic::Failed;
use rustix::process::Signal;
use serde_json::json;
use std::time::{Duration, Instant};

/// What a process runs at a time, unless it is told otherwise.
const SLOTS: usize = 16;

pub(crate) fn sigterm_lets_running_work_end_and_keeps_the_rest() -> Result<(), Failed> {
    let folder = folder()?;
    let ledger = Ledger::new(None);
    let effects = Effects::collect(folder.path(), &ledger)?;
    let launch = Launch::new(data(&folder)).env("LONGSHORE_EFFECTS", &effects.socket);
    // All are there before the first one runs.
    let taker = launch.clone().accept_only().start()?;
    let mut client = taker.client();
    for _ in 0..SLOTS + 20 {
        submit(&mut client, &ledger, json!({"kind": "demo.work", "payload": {"sleep": "5s"}}));
    }
    taker.stop()?;
    let mut server = launch.start()?;
    let starts = || effects.all().iter().filter(|effect| effect.is_start()).count();
    eventually("every slot is taken", Duration::from_secs(10), || {
        Ok((starts() >= SLOTS).then_some(()))
    })?;

    let asked = Instant::now();
    server.signal(Signal::TERM)?;
    let status = server.wait(Duration::from_secs(30))?;
    let took = asked.elapsed();
    if !status.success() {
        return Err(format!("{status} after SIGTERM\n{}", server.stderr()).into());
    }
    let ran = starts();
    let ended = effects.all().iter().filter(|effect| !effect.is_start()).count();
    if ran != SLOTS || ended != SLOTS {
        return Err(format!("{ran} were begun and {ended} ended, of {SLOTS} slots").into());
    }
    eprintln!("drained {SLOTS} running tasks in {took:?}");

    let server = launch.start()?;
    let all = quiet(&mut server.client(), Duration::from_secs(60))?;
    for (id, task) in &all {
        let uncharged = task["attempt"] == 1 && task["crashes"] == 0;
        if task["status"] != "success" || !uncharged || effects.starts_of(id) != 1 {
            return Err(format!("begun {} times: {task}", effects.starts_of(id)).into());
        }
    }
    if all.len() != SLOTS + 20 {
        return Err(format!("{} tasks", all.len()).into());
    }
    server.stop()?;
    Ok(())
}

pub(crate) fn a_second_sigterm_hurries() -> Result<(), Failed> {
    let folder = folder()?;
    let ledger = Ledger::new(None);
    let effects = Effects::collect(folder.path(), &ledger)?;
    let launch = Launch::new(data(&folder)).env("LONGSHORE_EFFECTS", &effects.socket);
    let mut server = launch.start()?;
    let mut client = server.client();
    submit(&mut client, &ledger, json!({"kind": "demo.work", "payload": {"sleep": "60s"}}));
    let id = ledger.accepted().pop().and_then(|entry| entry.id).ok_or("not accepted")?;
    let begun = |times| {
        eventually("the task is begun", Duration::from_secs(10), || {
            Ok((effects.starts_of(&id) == times).then_some(()))
        })
    };
    begun(1)?;
    server.signal(Signal::TERM)?;
    eventually("no longer ready", Duration::from_secs(5), || {
        let ready = server.client().get("/readyz").is_ok_and(|answer| answer.status == 200);
        Ok((!ready).then_some(()))
    })?;
    if server.has_ended()? {
        return Err("it did not wait for the running task".into());
    }
    let asked = Instant::now();
    server.signal(Signal::TERM)?;
    let status = server.wait(Duration::from_secs(10))?;
    let took = asked.elapsed();
    if took > Duration::from_secs(2) || !status.success() {
        return Err(format!("{status}, {took:?} after the second\n{}", server.stderr()).into());
    }

    let server = launch.start()?;
    begun(2)?;
    let task = tasks(&mut server.client())?.remove(&id).ok_or("the task is gone")?;
    if task["attempt"] != 1 || task["crashes"] != 0 {
        return Err(format!("charged: {task}").into());
    }
    server.kill()?;
    Ok(())
}
