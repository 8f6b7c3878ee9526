//! Disks that fail: a sync that does not work, a write that stops half-way.

use crate::disk::Disk;
use crate::journal::{self, What};
use crate::ledger::Ledger;
use crate::load::{Load, resolve, submit};
use crate::observe::tasks;
use crate::powercut::shimmed;
use crate::server::{Launch, data_in, folder};
use fastrand::Rng;
use libtest_mimic::Failed;
use serde_json::json;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, Instant};

const KILLED: i32 = 9;

/// The files that a fault is put into, by the ends of their names.
const LOG: &str = "-wal";
const MAIN: &str = ".db";

pub(crate) fn a_failed_sync_of_the_log_is_final(shim: &Path) -> Result<(), Failed> {
    a_failed_sync_is_final(shim, LOG, "60")
}

pub(crate) fn a_failed_sync_of_the_main_file_is_final(shim: &Path) -> Result<(), Failed> {
    a_failed_sync_is_final(shim, MAIN, "4")
}

/// The server stops with a clear message, and nothing that it answered is lost.
fn a_failed_sync_is_final(shim: &Path, file: &str, nth: &str) -> Result<(), Failed> {
    let folder = folder()?;
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk)?;
    let journal = folder.path().join("journal");
    let ledger = Ledger::new(Some(journal.clone()));
    let broken = shimmed(shim, &disk, &journal)
        .env("POWERCUT_FAIL_MATCH", file)
        .env("POWERCUT_FAIL_FSYNC", nth);
    let mut server = broken.start()?;
    let deadline = Instant::now() + Duration::from_secs(120);
    while !server.has_ended()? && Instant::now() < deadline {
        let load = Load::start(server.addr, &ledger, 3, Duration::from_millis(5), 3);
        let _ = server.wait(Duration::from_millis(700));
        load.stop();
        // Some syncs come only when nothing is written.
        let _ = server.wait(Duration::from_millis(1_500));
    }
    let status = server.wait(Duration::ZERO);
    let (status, said) = (status?, server.stderr());
    if status.code().is_none_or(|code| code == 0) {
        return Err(format!("ended with {status} and said\n{said}").into());
    }

    // What the program believed to have written and what the kernel forgot are gone.
    let records = journal::read(&journal)?;
    let failed = |what: &What| matches!(what, What::SyncFailed { .. });
    if !records.iter().any(|record| failed(&record.what)) {
        return Err("no sync failed".into());
    }
    let mut model = Disk::default();
    records.iter().for_each(|record| model.apply(record));
    for seed in 0..10 {
        let place = folder.path().join(format!("after-{seed}"));
        model.cut(&mut Rng::with_seed(seed), &place)?;
        everything_answered_is_there(&place, &ledger)?;
    }
    // And where the kernel did write it after all: that must do no harm either.
    everything_answered_is_there(&disk, &ledger)?;
    if !said.contains("sync") {
        return Err(format!("it does not say that a sync failed:\n{said}").into());
    }
    Ok(())
}

pub(crate) fn a_torn_write_is_recovered_from(shim: &Path) -> Result<(), Failed> {
    let mut rng = Rng::with_seed(4);
    for _ in 0..8 {
        let folder = folder()?;
        let disk = folder.path().join("disk");
        std::fs::create_dir(&disk)?;
        let ledger = Ledger::new(None);
        let torn = shimmed(shim, &disk, &folder.path().join("journal"))
            .env("POWERCUT_FAIL_MATCH", LOG)
            .env("POWERCUT_TORN_WRITE", rng.u32(100..400).to_string());
        let mut server = torn.start()?;
        let load = Load::start(server.addr, &ledger, 3, Duration::from_millis(5), rng.u64(..));
        let status = server.wait(Duration::from_secs(20));
        load.stop();
        if status?.signal() != Some(KILLED) {
            return Err(format!("no write was torn\n{}", server.stderr()).into());
        }
        everything_answered_is_there(&disk, &ledger)?;
    }
    Ok(())
}

/// The very first start dies while it makes its files; the next one must not take for granted that
/// their names are on the disk.
pub(crate) fn a_first_start_that_died_leaves_nothing_unsynced(shim: &Path) -> Result<(), Failed> {
    let folder = folder()?;
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk)?;
    let journal = folder.path().join("journal");
    let ledger = Ledger::new(Some(journal.clone()));
    let healthy = shimmed(shim, &disk, &journal);
    let torn = healthy.clone().env("POWERCUT_FAIL_MATCH", MAIN).env("POWERCUT_TORN_WRITE", "1");
    if torn.try_start()?.is_ok() {
        return Err("the first start did not die".into());
    }
    let server = healthy.start()?;
    let hello = json!({"kind": "hello", "payload": null});
    submit(&mut server.client(), &ledger, hello);
    server.kill()?;
    let mut model = Disk::default();
    journal::read(&journal)?.iter().for_each(|record| model.apply(record));
    for seed in 0..16 {
        let place = folder.path().join(format!("after-{seed}"));
        model.cut(&mut Rng::with_seed(seed), &place)?;
        everything_answered_is_there(&place, &ledger)?;
    }
    Ok(())
}

/// A healthy server on that disk has all that was answered, and takes on what was not.
fn everything_answered_is_there(disk: &Path, ledger: &Ledger) -> Result<(), Failed> {
    let server = Launch::new(data_in(disk)).start()?;
    let mut client = server.client();
    let found = tasks(&mut client)?;
    for entry in ledger.accepted() {
        if let Some(id) = entry.id.filter(|id| !found.contains_key(id)) {
            return Err(format!("{id} ({}) was answered, and is gone", entry.key).into());
        }
    }
    // Each disk is a world of its own: what is answered here counts nowhere else.
    let world = Ledger::new(None);
    ledger.entries().into_iter().for_each(|entry| world.add(entry));
    resolve(&mut client, &world)?;
    server.stop()?;
    Ok(())
}
