//! Total accounting: after healing, the ledgers are laid side by side.

use crate::ledger::{Effect, Effects, Ledger, Told};
use crate::load::resolve;
use crate::observe::{Tasks, quiet};
use crate::server::Launch;
use libtest_mimic::Failed;
use longshore_conformance::accounting::{
    ActEntry, ClientEntry, Did, EffectEntry, FaultEntry, Ledgers, Observation, Recorded, Report,
    Rules, Status, Told as Answer, check,
};
use longshore_core::TaskId;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Starts a healthy server on what the faults left, lets it come to rest, and demands that the
/// accounts are clean.
pub(crate) fn settle(
    launch: &Launch,
    ledger: &Ledger,
    effects: &Effects,
) -> Result<Report, Failed> {
    let server = launch.start()?;
    let mut client = server.client();
    resolve(&mut client, ledger)?;
    look(ledger, quiet(&mut client, Duration::from_secs(60))?);
    server.stop()?;
    // An end is an end: whoever reads after another start sees the same.
    let server = launch.start()?;
    look(ledger, quiet(&mut server.client(), Duration::from_secs(10))?);
    server.stop()?;

    judge(&ledgers(ledger, &effects.all())?)
}

/// Demands that the accounts are clean; keeps the ledgers if they are not.
pub(crate) fn judge(ledgers: &Ledgers) -> Result<Report, Failed> {
    let report = check(ledgers, &Rules::default());
    if !report.is_clean() {
        let kept = tempfile::Builder::new().prefix("longshore-ledgers-").tempdir()?.keep();
        ledgers.write_dir(&kept)?;
        let (kept, report) = (kept.display(), report.to_json());
        return Err(format!("the accounts are not clean; they are kept in {kept}\n{report}").into());
    }
    Ok(report)
}

pub(crate) fn look(ledger: &Ledger, tasks: Tasks) {
    ledger.look(ledger.now(), tasks);
}

/// The ledgers as the checker reads them.
pub(crate) fn ledgers(ledger: &Ledger, effects: &[Effect]) -> Result<Ledgers, Failed> {
    let mut clients = Vec::new();
    let mut keys = BTreeMap::new();
    for entry in ledger.entries() {
        let task = entry.id.as_deref().map(str::parse::<TaskId>).transpose()?;
        if let Some(task) = task {
            keys.insert(task, entry.key.clone());
        }
        clients.push(ClientEntry {
            key: entry.key,
            task,
            told: answer(entry.told),
            sent_at: nanos(entry.sent),
            answered_at: nanos(entry.answered),
            order_key: entry.lane,
            replayed: entry.replayed,
            // A key holds for one kind.
            unique: (entry.body["unique"]["key"].as_str())
                .map(|key| format!("{} of {}", key, entry.body["kind"])),
            existing: entry.existing,
        });
    }
    let mut acts = Vec::new();
    for act in ledger.acts() {
        acts.push(ActEntry {
            task: act.id.parse()?,
            wanted: act.wanted,
            told: answer(act.told),
            run: act.run,
            ended: act.ended,
            sent_at: nanos(act.sent),
            answered_at: nanos(act.answered),
        });
    }
    let mut observations = Vec::new();
    for (at, tasks) in ledger.looks() {
        for (id, task) in tasks {
            observations.push(observation(&id, &task, nanos(at))?);
        }
    }
    let faults = ledger.faults().into_iter();
    let faults = faults.map(|(name, at)| FaultEntry { name, at: nanos(at) }).collect();
    Ok(Ledgers { clients, acts, effects: openings(effects, &keys)?, observations, faults })
}

fn answer(told: Told) -> Answer {
    match told {
        Told::Accepted => Answer::Ok,
        Told::Refused(_) => Answer::Failed,
        Told::Broken(_) | Told::Nothing => Answer::Unknown,
    }
}

fn observation(id: &str, task: &Value, at: u64) -> Result<Observation, Failed> {
    let status = task["status"].as_str().unwrap_or_default().to_owned();
    Ok(Observation {
        task: id.parse()?,
        status: Status::try_from(status)?,
        run: count(&task["run"])?,
        attempt: count(&task["attempt"])?,
        at,
    })
}

/// Starts and ends, put together by their tokens.
fn openings(
    effects: &[Effect],
    keys: &BTreeMap<TaskId, String>,
) -> Result<Vec<EffectEntry>, Failed> {
    let mut openings: Vec<EffectEntry> = Vec::new();
    for effect in effects {
        let token = effect.token().ok_or_else(|| format!("no token: {}", effect.told))?;
        if effect.is_start() {
            let task: TaskId = effect.id().parse()?;
            openings.push(EffectEntry {
                task,
                run: count(&effect.told["run"])?,
                attempt: count(&effect.told["attempt"])?,
                token,
                key: keys.get(&task).cloned().unwrap_or_default(),
                sequence: openings.len() as u64,
                incarnation: effect.told["incarnation"].as_str().unwrap_or_default().to_owned(),
                inside: true,
                start: nanos(effect.at),
                end: None,
                did: None,
                recorded: Recorded::Unknown,
            });
        } else if let Some(open) = openings.iter_mut().rev().find(|open| open.token == token) {
            open.end = Some(nanos(effect.at));
            open.did = Some(match effect.told["outcome"].as_str() {
                Some("success") => Did::Success,
                Some("fault" | "timeout" | "panic") => Did::Failure,
                _ => Did::Other,
            });
        } else {
            return Err(format!("an end without a start: {}", effect.told).into());
        }
    }
    Ok(openings)
}

fn count(value: &Value) -> Result<u32, Failed> {
    let count = value.as_u64().ok_or_else(|| format!("{value} is no count"))?;
    Ok(u32::try_from(count)?)
}

pub(crate) fn nanos(at: Duration) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(u64::MAX)
}
