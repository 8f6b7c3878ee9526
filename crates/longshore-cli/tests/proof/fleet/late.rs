//! Answers to claims that come after their lease: what others have run meanwhile is not begun again.

use super::singles::{AGAIN, PATIENCE, Witnesses, store_of};
use crate::client::Client;
use crate::load::TASKS;
use crate::server::{Launch, Server, eventually};
use libtest_mimic::{Completion, Failed};
use longshore_conformance::proxy::{Fault, Proxy, Way};
use rustix::process::Signal;
use serde_json::Value;
use std::time::Duration;

/// What a process says that has got such an answer.
const LATE: &str = "a task came so late";
/// A signal has to come within 100 ms: so often that is tried.
const TRIES: usize = 20;
/// And so often the whole, where the answer had not been read by then.
const ROUNDS: usize = 3;

pub(crate) fn a_server_stopped_in_a_claim_does_not_begin_it_late() -> Result<Completion, Failed> {
    let url = match store_of("late") {
        Ok(url) => url,
        Err(missing) => return Ok(Completion::ignored_with(missing)),
    };
    let it = Witnesses::called()?;
    let taker = it.watched(Launch::on_store(&url).accept_only()).start()?;
    let launch = it.watched(Launch::on_store(&url));
    for _ in 0..ROUNDS {
        if comes_late(&it, &taker, &launch)? {
            return Ok(Completion::Completed);
        }
    }
    Err(format!("{ROUNDS} times the answer itself was lost").into())
}

/// Stops a server in a claim until somebody else has run its task; returns whether the answer came to it at all: what it
/// had not read when it was stopped may be lost with its connection.
fn comes_late(it: &Witnesses, taker: &Server, launch: &Launch) -> Result<bool, Failed> {
    let (claimer, id) = stopped_in_a_claim(it, taker, launch)?;
    let other = launch.start()?;
    not_begun_again(it, taker, &id, || claimer.signal(Signal::CONT))?;
    let said = says_so(&claimer);
    let metrics = claimer.client().get("/metrics")?.text();
    let is_lost = said.is_err() && metrics.contains("longshore_tasks_late_total 0\n");
    if !is_lost {
        said?;
        if !metrics.contains("longshore_tasks_late_total 1\n") {
            return Err(format!("one task came late:\n{metrics}").into());
        }
    }
    // It goes on as any other, and the account of the task does not change any more.
    claimer.stop()?;
    other.stop()?;
    ended_once(it, &mut taker.client(), &id, 1)?;
    Ok(!is_lost)
}

/// A server that was stopped after a task was handed to it, and before it began: with the task.
fn stopped_in_a_claim(
    it: &Witnesses,
    taker: &Server,
    launch: &Launch,
) -> Result<(Server, String), Failed> {
    let slow = launch.clone().env("LONGSHORE_FAILPOINT", "consumer.claimed=delay@2");
    for _ in 0..TRIES {
        let claimer = slow.start()?;
        let mut client = taker.client();
        let first = it.submit(&mut client, 1, "1ms")?;
        it.begun(&first, 1, PATIENCE)?;
        let id = it.submit(&mut client, 1, "1ms")?.remove(0);
        eventually("it is handed out", PATIENCE, || {
            Ok((status(&mut client, &id)? != "pending").then_some(()))
        })?;
        claimer.signal(Signal::STOP)?;
        // What it had written down before is read by then.
        std::thread::sleep(Duration::from_millis(200));
        if status(&mut client, &id)? == "running" && it.effects.starts_of(&id) == 0 {
            return Ok((claimer, id));
        }
    }
    Err(format!("in {TRIES} tries no signal came between a claim and its task").into())
}

pub(crate) fn a_linked_worker_does_not_begin_what_comes_late() -> Result<(), Failed> {
    let it = Witnesses::called()?;
    let server = it.taker().start()?;
    let link = Proxy::start(server.addr)?;
    let from = format!("http://{}", link.addr());
    // With one slot it asks for one task at a time, and for none while that is on its way.
    let worker = it.watched(Launch::worker("--server", &from));
    let worker = worker.env("LONGSHORE__QUEUES__DEFAULT__SLOTS", "1").start()?;
    let mut client = server.client();
    let first = it.submit(&mut client, 1, "1ms")?;
    it.begun(&first, 1, PATIENCE)?;
    link.tell(Fault::BlackHole(Way::Back));
    let id = it.submit(&mut client, 1, "1ms")?.remove(0);
    eventually("it is handed out", PATIENCE, || {
        Ok((status(&mut client, &id)? == "running").then_some(()))
    })?;
    let other = it.linked(&server).start()?;
    not_begun_again(&it, &server, &id, || {
        link.tell(Fault::None);
        Ok(())
    })?;
    says_so(&worker)?;
    worker.stop()?;
    other.stop()?;
    ended_once(&it, &mut server.client(), &id, 0)
}

/// Waits until somebody else has run it, and then heals.
fn not_begun_again(
    it: &Witnesses,
    server: &Server,
    id: &str,
    heal: impl FnOnce() -> Result<(), Failed>,
) -> Result<(), Failed> {
    let mut client = server.client();
    eventually("somebody else runs it", AGAIN, || {
        Ok((status(&mut client, id)? == "success").then_some(()))
    })?;
    if it.effects.starts_of(id) != 1 {
        return Err(format!("begun {} times before it healed", it.effects.starts_of(id)).into());
    }
    heal()
}

/// It was begun once, and no attempt was charged; `deaths` of processes that held it were counted.
fn ended_once(it: &Witnesses, client: &mut Client, id: &str, deaths: u64) -> Result<(), Failed> {
    let task = task(client, id)?;
    let uncharged = task["attempt"] == 1 && task["crashes"] == deaths;
    if task["status"] != "success" || !uncharged || it.effects.starts_of(id) != 1 {
        return Err(format!("begun {} times: {task}", it.effects.starts_of(id)).into());
    }
    Ok(())
}

fn says_so(process: &Server) -> Result<(), Failed> {
    let said =
        eventually("it says so", PATIENCE, || Ok(process.stderr().contains(LATE).then_some(())));
    said.map_err(|_| format!("nothing of a late task in {}", process.stderr()).into())
}

fn task(client: &mut Client, id: &str) -> Result<Value, Failed> {
    Ok(client.get(&format!("{TASKS}/{id}"))?.data())
}

fn status(client: &mut Client, id: &str) -> Result<String, Failed> {
    Ok(task(client, id)?["status"].as_str().unwrap_or_default().to_owned())
}
