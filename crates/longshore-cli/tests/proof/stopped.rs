//! A process that was stopped for a minute goes on as if nothing had been.

use crate::ledger::{Effects, Ledger};
use crate::load::submit;
use crate::observe::quiet;
use crate::server::{Launch, data, eventually, folder};
use libtest_mimic::Failed;
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;

pub(crate) fn for_a_minute_and_nothing_is_run_again() -> Result<(), Failed> {
    let folder = folder()?;
    let ledger = Ledger::new(None);
    let effects = Effects::collect(folder.path(), &ledger)?;
    let launch = Launch::new(data(&folder)).env("LONGSHORE_EFFECTS", &effects.socket);
    let server = launch.start()?;
    let mut client = server.client();
    let work = json!({"kind": "demo.work", "payload": {"sleep": "20s"}, "timeout": "40s"});
    for _ in 0..8 {
        submit(&mut client, &ledger, work.clone());
    }
    eventually("all are begun", Duration::from_secs(15), || {
        Ok((effects.all().len() == 8).then_some(()))
    })?;
    server.signal(Signal::STOP)?;
    // The fault itself lasts a minute: longer than any lease or timeout here.
    std::thread::sleep(Duration::from_secs(60));
    server.signal(Signal::CONT)?;

    let all = quiet(&mut server.client(), Duration::from_secs(60))?;
    for (id, task) in &all {
        if task["status"] != "success" || effects.starts_of(id) != 1 {
            return Err(format!("begun {} times: {task}", effects.starts_of(id)).into());
        }
    }
    if all.len() != 8 {
        return Err(format!("{} tasks", all.len()).into());
    }
    server.stop()?;
    Ok(())
}
