//! Tasks that end their own process, among others that do not: only they are buried.

use crate::accounts::settle;
use crate::client::Client;
use crate::ledger::{Effects, Ledger};
use crate::load::{Load, Step, TASKS, resolve, submit};
use crate::mix::{healthy_task, killer};
use crate::observe::{has_ended, quiet, tasks};
use crate::server::{Launch, data, eventually, folder};
use fastrand::Rng;
use libtest_mimic::Failed;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

const KILLERS: u64 = 40;
/// Deaths that a killer causes: two make it a suspect, then three charges.
const DEATHS: u64 = 5;
/// A killer runs again within this, whatever has to run alone before it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of what was accepted while a killer was about, so much is done soon after it is buried.
const THROUGHPUT: f64 = 0.9;
/// Soon: below a lease, and enough for a busy machine.
const SOON: Duration = Duration::from_secs(5);
/// How many healthy tasks are accepted right behind a killer. How many more come before it strikes is the
/// machine's affair.
const BESIDE: usize = 100;
const BESIDE_LONG: usize = 3;

/// Work that lasts longer than most lives of the process.
fn long_work(client: &mut Client, ledger: &Ledger, rng: &mut Rng) -> Option<()> {
    submit(client, ledger, healthy_task(rng, 150..250)).map(drop)
}

fn short_work(client: &mut Client, ledger: &Ledger, rng: &mut Rng) -> Option<()> {
    submit(client, ledger, healthy_task(rng, 1..40)).map(drop)
}

pub(crate) fn two_hundred_deaths_bury_no_healthy_neighbour() -> Result<(), Failed> {
    let folder = folder()?;
    let ledger = Ledger::new(None);
    let launch = Launch::new(data(&folder));
    let began = Instant::now();
    let mut killers = BTreeSet::new();
    for number in 0..KILLERS {
        let traffic = Traffic {
            step: long_work,
            beside: BESIDE_LONG,
            clients: 1,
            pause: Duration::from_millis(120),
        };
        killers.insert(killed_by(&launch, &ledger, &traffic, number)?);
    }
    let took = began.elapsed();

    let server = launch.start()?;
    resolve(&mut server.client(), &ledger)?;
    let all = quiet(&mut server.client(), PATIENCE)?;
    let healthy: Vec<&Value> =
        all.iter().filter(|(id, _)| !killers.contains(*id)).map(|(_, task)| task).collect();
    let harmed = healthy.iter().find(|task| is_harmed(task));
    let lived = harmed.map(|task| lives_of(&mut server.client(), task)).transpose()?;
    server.stop()?;
    let seen = healthy.iter().filter_map(|task| task["crashes"].as_u64());
    let (hit, most) = (seen.clone().filter(|crashes| *crashes > 0).count(), seen.max());
    let deaths = KILLERS * DEATHS;
    eprintln!(
        "{deaths} deaths by {KILLERS} killers in {took:.0?}: {} healthy tasks, {hit} of them in flight at deaths, at most {} times",
        healthy.len(),
        most.unwrap_or_default(),
    );
    if let (Some(harmed), Some(lived)) = (harmed, lived) {
        return Err(
            format!("a healthy task was harmed: {harmed}, which lived through {lived}").into()
        );
    }
    if hit < 100 {
        return Err(format!("only {hit} healthy tasks were near a death").into());
    }
    Ok(())
}

pub(crate) fn a_killer_is_buried_and_the_others_go_on() -> Result<(), Failed> {
    let folder = folder()?;
    let ledger = Ledger::new(None);
    let effects = Effects::collect(folder.path(), &ledger)?;
    let launch = Launch::new(data(&folder)).env("LONGSHORE_EFFECTS", &effects.socket);
    let traffic =
        Traffic { step: short_work, beside: BESIDE, clients: 4, pause: Duration::from_millis(10) };
    let began = Instant::now();
    let killer = killed_by(&launch, &ledger, &traffic, 1)?;
    let (took, accepted) = (began.elapsed(), ledger.accepted());

    let server = launch.start()?;
    let grace = Instant::now() + SOON;
    let others: BTreeSet<String> =
        accepted.into_iter().filter_map(|entry| entry.id).filter(|id| *id != killer).collect();
    let done = || -> Result<usize, Failed> {
        let all = tasks(&mut server.client())?;
        Ok(others.iter().filter(|id| all.get(*id).is_some_and(has_ended)).count())
    };
    let mut ended = done()?;
    while ended < others.len() && Instant::now() < grace {
        std::thread::sleep(Duration::from_millis(50));
        ended = done()?;
    }
    server.stop()?;
    eprintln!("{DEATHS} deaths in {took:.1?}: {ended} of {} others done by then", others.len());
    if others.len() < BESIDE || (ended as f64) < THROUGHPUT * others.len() as f64 {
        return Err(format!("{ended} of {} others were done", others.len()).into());
    }
    settle(&launch, &ledger, &effects)?;
    let harmed = |(id, task): &(&String, &Value)| **id != killer && is_harmed(task);
    let (_, last) = ledger.looks().pop().ok_or("nobody looked")?;
    match last.iter().find(harmed) {
        Some((_, task)) => Err(format!("a healthy task was harmed: {task}").into()),
        None => Ok(()),
    }
}

/// The openings of a task.
fn lives_of(client: &mut Client, task: &Value) -> Result<Value, Failed> {
    let id = task["id"].as_str().ok_or("a task without an id")?;
    Ok(client.get(&format!("{TASKS}/{id}/attempts"))?.data())
}

fn is_harmed(task: &Value) -> bool {
    task["status"] != "success" || task["attempt"] != 1 || task["run"] != 1
}

/// What goes on beside a killer.
struct Traffic {
    step: Step,
    /// Steps that are done right behind the killer, before anything runs.
    beside: usize,
    clients: usize,
    pause: Duration,
}

/// Submits a killer and what is beside it to a server that runs nothing; returns the killer's id.
fn accepted(
    launch: &Launch,
    ledger: &Ledger,
    traffic: &Traffic,
    seed: u64,
) -> Result<String, Failed> {
    let server = launch.clone().accept_only().start()?;
    let mut client = server.client();
    let answer = submit(&mut client, ledger, killer()).ok_or("no answer")?;
    let id = answer.data()["id"].as_str().ok_or("the killer was not accepted")?.to_owned();
    let mut rng = Rng::with_seed(seed);
    for _ in 0..traffic.beside {
        (traffic.step)(&mut client, ledger, &mut rng).ok_or("no answer")?;
    }
    server.stop()?;
    Ok(id)
}

/// Submits a killer among others, and starts the server again whenever it dies, until the killer is
/// buried as it must be; returns its id.
fn killed_by(
    launch: &Launch,
    ledger: &Arc<Ledger>,
    traffic: &Traffic,
    seed: u64,
) -> Result<String, Failed> {
    let killer = accepted(launch, ledger, traffic, seed)?;
    let mut deaths = 0;
    loop {
        let mut server = launch.start()?;
        let mut client = server.client();
        if let Ok(answer) = client.get(&format!("{TASKS}/{killer}"))
            && has_ended(&answer.data())
        {
            let task = answer.data();
            let right = json!({"status": "failed", "reason": "crash", "crashes": DEATHS});
            if ["status", "reason", "crashes"].into_iter().any(|at| task[at] != right[at]) {
                return Err(format!("a killer ended as {task}").into());
            }
            if deaths != DEATHS {
                return Err(format!("{deaths} deaths until {task} was buried").into());
            }
            server.stop()?;
            return Ok(killer);
        }
        let Traffic { step, clients, pause, .. } = *traffic;
        let load = Load::of(step, server.addr, ledger, clients, pause, seed * DEATHS + deaths);
        let died =
            eventually("the killer strikes", PATIENCE, || Ok(server.has_ended()?.then_some(())));
        load.stop();
        died?;
        deaths += 1;
        ledger.fault("a killer");
    }
}
