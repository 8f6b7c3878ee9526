//! A full disk: accepts are refused, everything else goes on, and it ends when there is space.
//!
//! Once on a small file system of its own, which only root may mount, and once on one that the shim
//! plays.

use crate::ledger::{Effects, Ledger};
use crate::load::{send, submit};
use crate::observe::tasks;
use crate::powercut::shimmed;
use crate::server::{Launch, data_in, eventually, folder};
use libtest_mimic::{Completion, Failed};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A small file system of its own, gone with this value.
struct Small(PathBuf);

impl Small {
    fn mount(at: PathBuf, size: &str) -> Result<Option<Self>, Failed> {
        std::fs::create_dir(&at)?;
        let options = format!("size={size}");
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "longshore-proof"])
            .arg(&at)
            .output();
        Ok(output.is_ok_and(|output| output.status.success()).then(|| Self(at)))
    }

    /// Writes until there is no space left.
    fn fill(&self) -> Result<PathBuf, Failed> {
        let path = self.0.join("filler");
        let mut filler = File::create(&path)?;
        for size in [64 * 1024, 4096, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

pub(crate) fn on_a_small_file_system() -> Result<Completion, Failed> {
    let folder = folder()?;
    let Some(disk) = Small::mount(folder.path().join("small"), "64m")? else {
        return Ok(Completion::ignored_with("needs root, to mount a small file system"));
    };
    let launch = Launch::new(data_in(&disk.0));
    refuses_and_goes_on(folder.path(), launch, || disk.fill())?;
    Ok(Completion::Completed)
}

pub(crate) fn as_the_shim_plays_it(shim: &Path) -> Result<(), Failed> {
    let folder = folder()?;
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk)?;
    let flag = folder.path().join("full");
    let launch = shimmed(shim, &disk, &folder.path().join("journal")).env("POWERCUT_FULL", &flag);
    refuses_and_goes_on(folder.path(), launch, || {
        File::create(&flag)?;
        Ok(flag.clone())
    })
}

/// Fills the disk of a server at work. `fill` answers the file whose removal makes space again.
fn refuses_and_goes_on(
    folder: &Path,
    launch: Launch,
    fill: impl FnOnce() -> Result<PathBuf, Failed>,
) -> Result<(), Failed> {
    let ledger = Ledger::new(None);
    let effects = Effects::collect(folder, &ledger)?;
    let server = launch.env("LONGSHORE_EFFECTS", &effects.socket).start()?;
    let mut client = server.client();
    for _ in 0..40 {
        let work = json!({"kind": "demo.work", "payload": {"sleep": "700ms"}});
        submit(&mut client, &ledger, work);
    }
    let filler = fill()?;
    let (key, body) = refused(&mut client)?;

    let ids: Vec<String> = ledger.accepted().into_iter().filter_map(|entry| entry.id).collect();
    if ids.len() != 40 {
        return Err("not all were accepted while there was space".into());
    }
    eventually("running work ends on a full disk", Duration::from_secs(20), || {
        let all = tasks(&mut client)?;
        let done = ids.iter().all(|id| all.get(id).is_some_and(|task| task["status"] == "success"));
        Ok(done.then_some(()))
    })?;
    if ids.iter().any(|id| effects.starts_of(id) != 1) {
        return Err("something was run twice".into());
    }
    recovers(&mut client, &filler, &key, &body)?;
    server.stop()?;
    Ok(())
}

/// Submits until the answer is 507; what was refused is answered.
fn refused(client: &mut crate::client::Client) -> Result<(String, Value), Failed> {
    let payload = json!({"ballast": "x".repeat(100_000)});
    for number in 0..2_000 {
        let key = format!("full-{number}");
        let body = json!({"kind": "hello", "payload": payload});
        let answer = send(client, &key, &body)?;
        match answer.status {
            201 => {}
            507 if answer.json()["code"].to_string().starts_with("507") => return Ok((key, body)),
            _ => return Err(format!("a full disk is answered {}", answer.text()).into()),
        }
    }
    Err("2,000 times 100 kB went onto a full disk".into())
}

/// With space again, the same request is accepted, without a restart.
fn recovers(
    client: &mut crate::client::Client,
    filler: &Path,
    key: &str,
    body: &Value,
) -> Result<(), Failed> {
    std::fs::remove_file(filler)?;
    eventually("accepts recover", Duration::from_secs(20), || {
        let answer = send(client, key, body)?;
        match answer.status {
            201 => Ok(Some(())),
            507 | 503 => Ok(None),
            _ => Err(format!("with space again: {}", answer.text()).into()),
        }
    })
}
