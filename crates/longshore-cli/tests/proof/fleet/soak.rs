//! All of it under load while faults come by lot: the accounts must be clean.

use super::blows::Dice;
use super::rig::Fleet;
use crate::accounts::{judge, ledgers, look};
use crate::client::Client;
use crate::ledger::{Effects, Ledger};
use crate::load::{Load, anything, resolve};
use crate::mix::any_task;
use crate::observe::{ends_refused, quiet, tasks_within};
use crate::server::folder;
use fastrand::Rng;
use libtest_mimic::{Completion, Failed};
use longshore_conformance::postgres::PostgresServer;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How many seconds it lasts.
const LENGTH: &str = "LONGSHORE_SOAK";
const SEED: &str = "LONGSHORE_SEED";
const CLIENTS: usize = 80;
const PAUSE: Duration = Duration::from_millis(60);
/// All has ended so long after the last fault: leases, grace, and the pauses of retries.
const QUIET: Duration = Duration::from_secs(90);
/// An observer looks so often.
const LOOK: Duration = Duration::from_secs(6);

/// What a run is to be.
#[derive(Debug, Clone, Copy)]
struct Plan {
    length: Duration,
    seed: u64,
}

impl Plan {
    fn read() -> Result<Self, Failed> {
        let number = |name: &str, default: u64| match std::env::var(name) {
            Ok(text) => text.parse().map_err(|error| format!("{name}: {error}")),
            Err(_) => Ok(default),
        };
        let length = Duration::from_secs(number(LENGTH, 45)?);
        Ok(Self { length, seed: number(SEED, 7)? })
    }
}

pub(crate) fn three_servers_and_three_workers_under_faults() -> Result<Completion, Failed> {
    let plan = Plan::read()?;
    let database = match PostgresServer::start() {
        Ok(database) => database,
        Err(why) => return Ok(Completion::ignored_with(format!("needs PostgreSQL: {why}"))),
    };
    let folder = folder()?;
    let ledger = Ledger::new(None);
    let effects = Effects::collect(folder.path(), &ledger)?;
    let mut fleet = Fleet::start(database, &effects)?;
    let doors = fleet.doors();
    let load = Load::roaming(step, &doors, &ledger, CLIENTS, PAUSE, plan.seed);
    let faults = break_it(&mut fleet, &ledger, plan)?;
    load.stop();
    fleet.be_up()?;

    let mut client = Client::new(doors[0]);
    let resolved = resolve(&mut client, &ledger)?;
    look(&ledger, quiet(&mut client, QUIET)?);
    // Any other server says the same.
    look(&ledger, quiet(&mut Client::new(doors[1]), QUIET)?);
    let refused = doors.iter().map(|door| ends_refused(&mut Client::new(*door)));
    let refused = refused.sum::<Result<u64, Failed>>()?;

    let done = effects.all();
    let mut ledgers = ledgers(&ledger, &done)?;
    fleet.excuse(&mut ledgers);
    let report = judge(&ledgers)?;
    fleet.stop()?;
    let lives: BTreeSet<&str> =
        done.iter().filter_map(|it| it.told["incarnation"].as_str()).collect();
    println!(
        "{}",
        json!({
            "proof": "fleet", "seconds": plan.length.as_secs(), "seed": plan.seed,
            "tasks": report.accepted, "ended": report.ended, "faults": faults, "of": by_name(&ledger),
            "lives": lives.len(), "looks": ledger.looks().len(), "openings": ledgers.effects.len(),
            "unknown_then_resolved": resolved,
            "duplicates_explained": report.duplicates_explained.count,
            "duplicates_unexplained": report.duplicates_unexplained.count,
            "lost": report.lost.count, "split": report.split.count, "ends_refused": refused,
        })
    );
    // A run in which too little happened shows nothing.
    let seconds = plan.length.as_secs();
    let (few_tasks, few_faults) = (seconds * 15, seconds / 15);
    if report.accepted < few_tasks || (faults as u64) < few_faults || lives.len() < 5 {
        let why = format!("{} tasks, {faults} faults, {} lives", report.accepted, lives.len());
        return Err(format!("too little happened: {why}").into());
    }
    Ok(Completion::Completed)
}

/// Lets the dice fall until the time is up and all is healed; looks at everything now and then.
fn break_it(fleet: &mut Fleet, ledger: &Ledger, plan: Plan) -> Result<usize, Failed> {
    let began = Instant::now();
    let mut dice = Dice::new(plan.seed);
    let (mut next_blow, mut next_look) = (began + dice.pause(plan.length), began + LOOK);
    let mut observers = fleet.doors().into_iter().cycle();
    while began.elapsed() < plan.length || !dice.is_healed() {
        let now = Instant::now();
        fleet.look_after()?;
        dice.heal(fleet, ledger)?;
        if now >= next_blow && began.elapsed() < plan.length {
            dice.strike(fleet, ledger)?;
            next_blow = now + dice.pause(plan.length);
        }
        if now >= next_look {
            next_look = now + LOOK;
            if let Some(door) = observers.next() {
                observe(door, ledger)?;
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(dice.count)
}

/// Looks at all tasks; a server that does not answer now shows nothing.
fn observe(door: SocketAddr, ledger: &Ledger) -> Result<(), Failed> {
    let mut client = Client::patient(door, Duration::from_secs(2));
    match tasks_within(&mut client, Duration::ZERO) {
        Ok(seen) => look(ledger, seen),
        Err(failed) if failed.message().is_some_and(|why| why.contains("listed twice")) => {
            return Err(failed);
        }
        Err(_) => {}
    }
    Ok(())
}

/// Does what any client does; nothing if it is better to ask another server.
fn step(client: &mut Client, ledger: &Ledger, rng: &mut Rng) -> Option<()> {
    (!anything(client, ledger, rng, task).is_unknown()).then_some(())
}

/// Any task, in more lanes; now and then one that takes long enough to be met by a fault.
fn task(rng: &mut Rng) -> Value {
    if rng.u8(0..40) == 0 {
        let sleep = format!("{}ms", rng.u32(1_000..5_000));
        return json!({"kind": "demo.work", "payload": {"sleep": sleep}});
    }
    let mut task = any_task(rng);
    if let Some(lane) = task["order_key"].as_str() {
        task["order_key"] = Value::from(format!("{lane}-{}", rng.u8(0..4)));
    }
    task
}

fn by_name(ledger: &Ledger) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for (name, _) in ledger.faults() {
        *count.entry(name).or_default() += 1;
    }
    count
}
