//! The power goes away: what was answered before is there afterwards.
//!
//! One server runs for a few seconds under load, with every write and sync told to a journal. Then
//! the power is cut at ≥ 200 places of that journal; on what each cut leaves, a server starts, and
//! must have everything that was answered (or seen ended) before the cut, nothing twice, and hand
//! out only tokens that nobody had before.

use crate::disk::Disk;
use crate::journal::{self, Record, Synced, What};
use crate::ledger::{Act, Effect, Effects, Entry, Ledger, Told};
use crate::load::{Load, TASKS, send};
use crate::observe::{Tasks, has_ended, tasks};
use crate::server::{Launch, Server, data_in, folder};
use fastrand::Rng;
use libtest_mimic::Failed;
use longshore_conformance::accounting::Wanted;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const CUTS: usize = 200;
/// Bursts of load, and rests between them: a store that rests tidies up its log.
const BURST: Duration = Duration::from_millis(1_500);
const REST: Duration = Duration::from_millis(1_700);
const CLIENTS: usize = 3;
/// So many bursts at least, and at most: a slow disk needs more of them until enough has happened.
const BURSTS: std::ops::RangeInclusive<u64> = 3..=10;
const ANSWERS: usize = 100;
const ENDS: usize = 50;
/// The last rest lasts until the log was copied, but not longer.
const COPIED: Duration = Duration::from_secs(20);

/// A run under load, as the journal and the ledgers tell it.
struct Run {
    folder: tempfile::TempDir,
    records: Vec<Record>,
    entries: Vec<Entry>,
    acts: Vec<Act>,
    effects: Vec<Effect>,
    ends: Ends,
}

/// Ends that were read, by id: the task as read, and the length of the journal then.
type Ends = BTreeMap<String, (Value, u64)>;

/// What one cut showed to be broken.
type Broken = Vec<String>;

pub(crate) fn two_hundred_cuts_lose_nothing(shim: &Path) -> Result<(), Failed> {
    let run = run(shim, &[])?;
    let (answered, ends) = (answered(&run.entries), run.ends.len());
    let checkpoints = checkpoints(&run.records, &run.entries);
    if answered < ANSWERS || ends < ENDS || checkpoints == 0 {
        let what = format!("{answered} answers, {ends} ends, {checkpoints} checkpoints");
        return Err(format!("too little happened: {what}").into());
    }
    let began = Instant::now();
    let broken = cut_often(&run, CUTS)?;
    eprintln!(
        "{CUTS} power cuts in {:.0?}: {} records, {answered} answers, {ends} ends, {checkpoints} checkpoints",
        began.elapsed(),
        run.records.len(),
    );
    if broken.is_empty() {
        return Ok(());
    }
    let first: Vec<&str> = broken.iter().take(10).map(String::as_str).collect();
    Err(format!("{} broken promises, such as\n{}", broken.len(), first.join("\n")).into())
}

/// The power goes away again while a server takes in what the first cut left.
pub(crate) fn a_second_cut_while_recovering_loses_nothing(shim: &Path) -> Result<(), Failed> {
    let run = run(shim, &[])?;
    let mut rng = Rng::with_seed(6);
    let mut broken = Broken::new();
    for number in 0..8 {
        let at = rng.usize(run.records.len() / 4..run.records.len()) + 1;
        let (end, scratch) = (run.records[at - 1].end, run.folder.path().join(number.to_string()));
        let (disk, journal) = (scratch.join("disk"), scratch.join("journal"));
        let mut model = Disk::default();
        run.records[..at].iter().for_each(|record| model.apply(record));
        model.cut(&mut rng, &disk)?;
        let first = Disk::holding(&disk)?;

        shimmed(shim, &disk, &journal).start()?.kill()?;
        let records = journal::read(&journal)?;
        for again in 0..4 {
            let mut model = first.clone();
            records[..rng.usize(..records.len()) + 1].iter().for_each(|it| model.apply(it));
            let place = scratch.join(format!("again-{again}"));
            model.cut(&mut rng, &place)?;
            broken.extend(after(&run, &place, end)?);
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n").into()) }
}

/// The proof proves something: a store that forgets to sync does not pass it.
pub(crate) fn a_store_that_does_not_sync_is_caught(shim: &Path) -> Result<(), Failed> {
    let run = run(shim, &[("LONGSHORE_SEEDED_BUG", "skip_fsync")])?;
    let broken = cut_often(&run, 12)?;
    if broken.is_empty() {
        return Err("12 cuts of a store that does not sync, and nothing was missing".into());
    }
    Ok(())
}

/// Runs a server under the shim and under load, then kills it.
fn run(shim: &Path, environment: &[(&str, &str)]) -> Result<Run, Failed> {
    let folder = folder()?;
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk)?;
    let journal = folder.path().join("journal");
    let ledger = Ledger::new(Some(journal.clone()));
    let effects = Effects::collect(folder.path(), &ledger)?;
    let mut launch = shimmed(shim, &disk, &journal).env("LONGSHORE_EFFECTS", &effects.socket);
    for (name, value) in environment {
        launch = launch.env(*name, *value);
    }
    let server = launch.start()?;
    if ledger.journal_len() == 0 {
        return Err("the shim saw nothing of the server".into());
    }
    let mut ends = Ends::new();
    for burst in 0..*BURSTS.end() {
        let is_enough = answered(&ledger.entries()) >= ANSWERS && ends.len() >= ENDS;
        if burst >= *BURSTS.start() && is_enough {
            break;
        }
        let load = Load::start(server.addr, &ledger, CLIENTS, Duration::from_millis(15), burst);
        watch_ends(&server, &ledger, BURST, &mut ends)?;
        load.stop();
        watch_ends(&server, &ledger, REST, &mut ends)?;
    }
    let until = Instant::now() + COPIED;
    while checkpoints(&journal::read(&journal)?, &ledger.entries()) == 0 && Instant::now() < until {
        watch_ends(&server, &ledger, REST, &mut ends)?;
    }
    server.kill()?;
    let records = journal::read(&journal)?;
    let (entries, acts) = (ledger.entries(), ledger.acts());
    Ok(Run { entries, acts, effects: effects.all(), records, ends, folder })
}

/// A server whose writes and syncs below `disk` are told to `journal`.
pub(crate) fn shimmed(shim: &Path, disk: &Path, journal: &Path) -> Launch {
    Launch::new(data_in(disk))
        .env("LD_PRELOAD", shim)
        .env("POWERCUT_DIR", disk)
        .env("POWERCUT_JOURNAL", journal)
}

/// Reads the list again and again, and writes down which ends were seen when.
fn watch_ends(
    server: &Server,
    ledger: &Ledger,
    how_long: Duration,
    ends: &mut Ends,
) -> Result<(), Failed> {
    let deadline = Instant::now() + how_long;
    let mut client = server.client();
    while Instant::now() < deadline {
        for (id, task) in tasks(&mut client)? {
            if has_ended(&task) {
                ends.entry(id).or_insert_with(|| (task, ledger.journal_len()));
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn answered(entries: &[Entry]) -> usize {
    entries.iter().filter(|entry| entry.told == Told::Accepted).count()
}

/// How often the log was copied into the main file: a sync of it after more than the first tasks.
fn checkpoints(records: &[Record], entries: &[Entry]) -> usize {
    let mut main_file = 0;
    let from = entries.first().map_or(0, |entry| entry.journal);
    let mut count = 0;
    for record in records {
        match &record.what {
            What::Open { path, inode, .. } if path.ends_with(".db") => main_file = *inode,
            What::SyncDone { of: Synced::File(inode), .. } if record.end > from => {
                count += usize::from(*inode == main_file);
            }
            _ => {}
        }
    }
    count
}

/// Cuts at `cuts` places, spread over the journal and each with its own luck; two at a time.
fn cut_often(run: &Run, cuts: usize) -> Result<Broken, Failed> {
    let mut rng = Rng::with_seed(2);
    let mut places: Vec<usize> = (0..cuts).map(|_| rng.usize(..run.records.len()) + 1).collect();
    places.sort_unstable();
    let begun = Arc::new(std::sync::Mutex::new((Disk::default(), 0, places.into_iter())));
    let work = |worker: usize| -> Result<Broken, String> {
        let mut broken = Broken::new();
        loop {
            let place: PathBuf;
            let end: u64;
            {
                let mut state = begun.lock().map_err(|_| "another cut failed")?;
                let (disk, applied, places) = &mut *state;
                let Some(at) = places.next() else { return Ok(broken) };
                while *applied < at {
                    disk.apply(&run.records[*applied]);
                    *applied += 1;
                }
                end = run.records[at - 1].end;
                place = run.folder.path().join(format!("cut-{worker}-{at}"));
                let _ = std::fs::remove_dir_all(&place);
                let mut rng = Rng::with_seed(at as u64);
                disk.cut(&mut rng, &place).map_err(|error| error.to_string())?;
            }
            match after(run, &place, end) {
                Ok(found) => {
                    broken.extend(found.into_iter().map(|what| format!("at {end}: {what}")))
                }
                Err(error) => {
                    let text = error.message().unwrap_or_default().to_owned();
                    broken.push(format!("at {end}: {text}"));
                }
            }
            let _ = std::fs::remove_dir_all(&place);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|number| scope.spawn(move || work(number))).collect();
        let mut broken = Broken::new();
        for worker in workers {
            broken.extend(worker.join().map_err(|_| "a cut panicked")??);
        }
        Ok(broken)
    })
}

/// Starts a server on what a cut at the journal's length `end` left, and compares.
fn after(run: &Run, place: &Path, end: u64) -> Result<Broken, Failed> {
    let ledger = Ledger::new(None);
    let effects = Effects::collect(place, &ledger)?;
    let launch = Launch::new(data_in(place)).env("LONGSHORE_EFFECTS", &effects.socket);
    let server = launch.start()?;
    let mut client = server.client();
    let mut broken = Broken::new();

    let found = tasks(&mut client)?;
    let mut keys = BTreeSet::new();
    for task in found.values() {
        // A replay has the name of what it repeats.
        if task["replay_of"].is_null() && !keys.insert(task["name"].to_string()) {
            broken.push(format!("two tasks for the key {}", task["name"]));
        }
    }
    let answered: Vec<&Entry> = (run.entries.iter())
        .filter(|entry| entry.told == Told::Accepted && entry.journal <= end)
        .collect();
    for entry in &answered {
        for id in entry.id.iter().filter(|id| !found.contains_key(*id)) {
            broken.push(format!("{id} ({}) was answered, and is gone", entry.key));
        }
    }
    for (id, (task, _)) in run.ends.iter().filter(|(_, (_, journal))| *journal <= end) {
        let again = |act: &&Act| act.wanted == Wanted::Retry && act.id == *id;
        if run.acts.iter().any(|act| again(&act)) {
            continue; // it may have been opened again, which is judged below
        }
        let same = |field: &str| found.get(id).is_some_and(|now| now[field] == task[field]);
        if !["status", "run", "attempt", "finished_at"].into_iter().all(same) {
            broken.push(format!(
                "{id} had ended {}, and now is {:?}",
                task["status"],
                found.get(id)
            ));
        }
    }
    broken.extend(acts_not_kept(run, &found, end));
    let readable_again = |entry: &&&Entry| entry.path == TASKS && !entry.existing;
    for entry in answered.iter().rev().filter(readable_again).take(3) {
        broken.extend(readable(&mut client, entry)?);
    }
    let hello = serde_json::json!({"kind": "hello", "payload": null});
    let answer = client.post("/v1/tasks?wait=10s", &hello)?;
    if !matches!(answer.status, 200 | 201) {
        broken.push(format!("a new task is answered {}", answer.text()));
    }
    broken.extend(old_tokens(&run.effects, &effects.all(), end));
    server.kill()?;
    Ok(broken)
}

/// Cancels and retries that were answered before the cut are still done.
fn acts_not_kept(run: &Run, found: &Tasks, end: u64) -> Broken {
    let kept = |act: &Act| {
        let Some((now, answered)) = found.get(&act.id).zip(act.run) else { return false };
        let now_run = now["run"].as_u64().unwrap_or_default();
        let gone_on = now_run > u64::from(answered);
        match act.wanted {
            Wanted::Cancel => gone_on || !act.ended || has_ended(now),
            Wanted::Retry => gone_on || now_run == u64::from(answered),
        }
    };
    let answered = |act: &&Act| act.told == Told::Accepted && act.journal <= end;
    let broken = run.acts.iter().filter(answered).filter(|act| !kept(act));
    broken
        .map(|act| format!("{act:?} was answered, and found is {:?}", found.get(&act.id)))
        .collect()
}

/// A task that was answered can be read, and its key still leads to it.
fn readable(client: &mut crate::client::Client, entry: &Entry) -> Result<Broken, Failed> {
    let mut broken = Broken::new();
    if let Some(id) = &entry.id {
        let answer = client.get(&format!("/v1/tasks/{id}"))?;
        if answer.status != 200 || answer.data()["payload"] != entry.body["payload"] {
            broken.push(format!("{id} is read as {}", answer.text()));
        }
        let again = send(client, &entry.key, &entry.body)?;
        if again.data()["id"].as_str() != Some(id) {
            broken.push(format!("the key of {id} is answered {}", again.text()));
        }
    }
    Ok(broken)
}

/// Tokens that are not larger than all that were handed out before the cut.
fn old_tokens(before: &[Effect], now: &[Effect], end: u64) -> Broken {
    let before = before.iter().filter(|effect| effect.journal <= end);
    let highest = before.filter_map(Effect::token).max();
    let now = now.iter().filter(|effect| effect.is_start()).map(Effect::token);
    let old = now.filter(|token| *token <= highest);
    old.map(|token| format!("{token:?} was handed out after {highest:?}")).collect()
}
