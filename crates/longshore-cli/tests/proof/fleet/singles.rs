//! One fault each: a worker killed, a worker's server away, a worker asked to stop, a server that stood still.

use crate::client::Client;
use crate::ledger::{Effects, Ledger};
use crate::load::{TASKS, submit};
use crate::observe::{ends_refused, quiet};
use crate::server::{Launch, Server, data, eventually, folder};
use libtest_mimic::{Completion, Failed};
use longshore_conformance::postgres;
use longshore_conformance::proxy::Proxy;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The leader makes ready what is due with no more delay than a busy machine brings; the least of several tells.
const PUNCTUAL: Duration = Duration::from_millis(1_500);
/// When those become due, in seconds: after the term of the one that stands still.
const DUE: [u64; 5] = [25, 27, 29, 31, 33];
/// A leader that stands still for so long has lost its term, and others have noticed.
const TERM_OVER: Duration = Duration::from_secs(20);
/// What a killed worker ran is begun elsewhere within this.
pub(super) const AGAIN: Duration = Duration::from_secs(20);
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A folder, the ledger of clients, and the ledger of handlers.
pub(super) struct Witnesses {
    folder: tempfile::TempDir,
    pub(super) ledger: Arc<Ledger>,
    pub(super) effects: Effects,
}

impl Witnesses {
    pub(super) fn called() -> Result<Self, Failed> {
        let (folder, ledger) = (folder()?, Ledger::new(None));
        let effects = Effects::collect(folder.path(), &ledger)?;
        Ok(Self { folder, ledger, effects })
    }

    pub(super) fn watched(&self, launch: Launch) -> Launch {
        launch.env("LONGSHORE_EFFECTS", &self.effects.socket)
    }

    /// A server that takes in and runs nothing.
    pub(super) fn taker(&self) -> Launch {
        self.watched(Launch::new(data(&self.folder)).accept_only())
    }

    pub(super) fn linked(&self, server: &Server) -> Launch {
        self.watched(Launch::worker("--server", &format!("http://{}", server.addr)))
    }

    /// Submits tasks that take so long.
    pub(super) fn submit(
        &self,
        client: &mut Client,
        count: usize,
        sleep: &str,
    ) -> Result<Vec<String>, Failed> {
        let work = json!({"kind": "demo.work", "payload": {"sleep": sleep}, "timeout": "60s"});
        let one = |_| {
            let answer = submit(client, &self.ledger, work.clone()).ok_or("no answer")?;
            let id = answer.data()["id"].as_str().map(str::to_owned);
            Ok(id.ok_or_else(|| format!("not accepted: {}", answer.text()))?)
        };
        (0..count).map(one).collect()
    }

    /// Waits until each of them was begun so often.
    pub(super) fn begun(
        &self,
        ids: &[String],
        times: usize,
        within: Duration,
    ) -> Result<(), Failed> {
        eventually(&format!("all are begun {times} times"), within, || {
            Ok(ids.iter().all(|id| self.effects.starts_of(id) == times).then_some(()))
        })
    }

    /// Waits until all have ended, and demands of each that it succeeded at its first attempt, no death
    /// counted, begun so often.
    pub(super) fn succeeded(&self, client: &mut Client, times: usize) -> Result<(), Failed> {
        let accepted = self.ledger.accepted().len();
        let all = quiet(client, PATIENCE)?;
        let wrong = |(id, task): &(&String, &Value)| {
            let uncharged = task["attempt"] == 1 && task["crashes"] == 0;
            task["status"] != "success" || !uncharged || self.effects.starts_of(id) > times
        };
        if let Some((id, task)) = all.iter().find(wrong) {
            return Err(format!("begun {} times: {task}", self.effects.starts_of(id)).into());
        }
        if all.len() != accepted || all.is_empty() {
            return Err(format!("{} of {accepted} tasks", all.len()).into());
        }
        Ok(())
    }
}

/// A schema of its own in the database that these proofs share; tells what is missing.
pub(crate) fn store_of(proof: &str) -> Result<String, String> {
    let server = postgres::shared()?;
    let separator = if server.contains('?') { '&' } else { '?' };
    Ok(format!("{server}{separator}schema={proof}_{}", std::process::id()))
}

pub(crate) fn a_killed_linked_workers_tasks_run_again() -> Result<(), Failed> {
    let it = Witnesses::called()?;
    let server = it.taker().start()?;
    let launch = it.linked(&server);
    killed_and_run_again(&it, &server, &launch, 0)
}

pub(crate) fn a_killed_workers_tasks_on_the_store_run_again() -> Result<Completion, Failed> {
    let url = match store_of("killed") {
        Ok(url) => url,
        Err(missing) => return Ok(Completion::ignored_with(missing)),
    };
    let it = Witnesses::called()?;
    let server = it.watched(Launch::on_store(&url).accept_only()).start()?;
    let launch = it.watched(Launch::worker("--store", &url));
    // Its handlers were inside of what died: that is counted, as at any server.
    killed_and_run_again(&it, &server, &launch, 1)?;
    Ok(Completion::Completed)
}

fn killed_and_run_again(
    it: &Witnesses,
    server: &Server,
    launch: &Launch,
    deaths: u64,
) -> Result<(), Failed> {
    let worker = launch.start()?;
    let mut client = server.client();
    let ids = it.submit(&mut client, 4, "10s")?;
    it.begun(&ids, 1, PATIENCE)?;
    let other = launch.start()?;
    worker.kill()?;
    let killed = Instant::now();
    it.begun(&ids, 2, AGAIN)?;
    eprintln!("begun again {:.1?} after the kill", killed.elapsed());
    // An idle connection is closed by then.
    for (id, task) in quiet(&mut server.client(), PATIENCE)? {
        let uncharged = task["attempt"] == 1 && task["crashes"] == deaths;
        if task["status"] != "success" || !uncharged || it.effects.starts_of(&id) != 2 {
            return Err(format!("begun {} times: {task}", it.effects.starts_of(&id)).into());
        }
    }
    other.stop()?;
    Ok(())
}

pub(crate) fn a_linked_worker_outlives_its_server() -> Result<(), Failed> {
    let it = Witnesses::called()?;
    let launch = it.taker();
    let server = launch.start()?;
    // A server that starts again listens elsewhere: the door stays.
    let door = Proxy::start(server.addr)?;
    let from = format!("http://{}", door.addr());
    let worker = it.watched(Launch::worker("--server", &from)).start()?;
    let mut client = server.client();
    let running = it.submit(&mut client, 4, "3s")?;
    it.begun(&running, 1, PATIENCE)?;
    let waiting = it.submit(&mut client, 40, "1ms")?;
    server.kill()?;
    // The fault itself lasts that long: what runs ends meanwhile, and cannot be told.
    std::thread::sleep(Duration::from_secs(10));
    let server = launch.start()?;
    door.lead_to(server.addr)?;

    let mut client = server.client();
    let late = it.submit(&mut client, 1, "1ms")?;
    // One that was being handed out when the server died is handed out again.
    it.succeeded(&mut client, 2)?;
    for id in running.iter().chain(&late) {
        if it.effects.starts_of(id) != 1 {
            return Err(format!("{id} was begun {} times", it.effects.starts_of(id)).into());
        }
    }
    let begun = waiting.iter().map(|id| it.effects.starts_of(id)).sum::<usize>();
    eprintln!("{} tasks that waited were begun {begun} times", waiting.len());
    worker.stop()?;
    Ok(())
}

pub(crate) fn sigterm_of_a_linked_worker_gives_back_uncharged() -> Result<(), Failed> {
    let it = Witnesses::called()?;
    let server = it.taker().start()?;
    let launch = it.linked(&server);
    let worker = launch.clone().env("LONGSHORE__SERVER__DRAIN", "1s").start()?;
    let mut client = server.client();
    let ids = it.submit(&mut client, 4, "12s")?;
    it.begun(&ids, 1, PATIENCE)?;
    let asked = Instant::now();
    worker.stop()?;
    let took = asked.elapsed();
    if took > Duration::from_secs(10) {
        return Err(format!("it took {took:?} to stop").into());
    }
    // Given back, not left to a lease that runs out.
    for id in &ids {
        let task = client.get(&format!("{TASKS}/{id}"))?.data();
        let attempts = client.get(&format!("{TASKS}/{id}/attempts"))?.data();
        let given_back = attempts.to_string().contains(r#""released""#);
        if task["status"] != "pending" || task["attempt"] != 1 || !given_back {
            return Err(format!("{task}\n{attempts}").into());
        }
    }
    let other = launch.start()?;
    it.succeeded(&mut client, 2)?;
    other.stop()?;
    Ok(())
}

pub(crate) fn a_stopped_server_comes_back_and_its_late_ends_are_refused()
-> Result<Completion, Failed> {
    let url = match store_of("stopped") {
        Ok(url) => url,
        Err(missing) => return Ok(Completion::ignored_with(missing)),
    };
    let it = Witnesses::called()?;
    let launch = it.watched(Launch::on_store(&url));
    let zombie = launch.start()?;
    let ids = it.submit(&mut zombie.client(), 4, "8s")?;
    it.begun(&ids, 1, PATIENCE)?;
    let other = launch.start()?;
    zombie.signal(Signal::STOP)?;
    it.begun(&ids, 2, AGAIN)?;
    let ended = quiet(&mut other.client(), PATIENCE)?;
    zombie.signal(Signal::CONT)?;

    eventually("its handlers end, too", PATIENCE, || {
        let ends = it.effects.all().into_iter().filter(|effect| !effect.is_start()).count();
        Ok((ends == 2 * ids.len()).then_some(()))
    })?;
    // It goes on as a server like any other: what it takes in is done.
    let new = it.submit(&mut zombie.client(), 1, "1ms")?;
    it.begun(&new, 1, PATIENCE)?;
    let mut now = quiet(&mut zombie.client(), PATIENCE)?;
    now.retain(|id, _| ids.contains(id));
    if now != ended || ended.len() != ids.len() {
        return Err(format!("{ended:?} became {now:?}").into());
    }
    for (id, task) in &ended {
        let attempts = other.client().get(&format!("{TASKS}/{id}/attempts"))?.data();
        // A server that is blocked for a moment gives back what it is handed meanwhile.
        let openings = attempts["items"].as_array().ok_or("no attempts")?.iter();
        let outcomes = openings.filter_map(|opening| opening["outcome"].as_str());
        let outcomes: Vec<_> = outcomes.filter(|outcome| *outcome != "released").collect();
        if task["attempt"] != 1 || outcomes != ["crashed", "success"] {
            return Err(format!("{task}\n{attempts}").into());
        }
    }
    let refused = ends_refused(&mut zombie.client())?;
    if refused == 0 {
        return Err("no late end was refused".into());
    }
    eprintln!("{refused} late ends were refused");
    zombie.stop()?;
    other.stop()?;
    Ok(Completion::Completed)
}

pub(crate) fn the_duties_of_a_stopped_leader_are_taken_over() -> Result<Completion, Failed> {
    let url = match store_of("leader") {
        Ok(url) => url,
        Err(missing) => return Ok(Completion::ignored_with(missing)),
    };
    let it = Witnesses::called()?;
    let launch = it.watched(Launch::on_store(&url));
    // Who is alone leads.
    let leader = launch.start()?;
    let other = launch.start()?;
    let mut client = leader.client();
    let mut take = |more: Value| -> Result<String, Failed> {
        let mut work = json!({"kind": "demo.work", "payload": {"sleep": "1ms"}});
        if let (Some(work), Some(more)) = (work.as_object_mut(), more.as_object()) {
            work.extend(more.clone());
        }
        let answer = submit(&mut client, &it.ledger, work).ok_or("no answer")?;
        let id = answer.data()["id"].as_str().map(str::to_owned);
        Ok(id.ok_or_else(|| format!("not accepted: {}", answer.text()))?)
    };
    let soon = take(json!({"delay": "6s"}))?;
    let expires = take(json!({"delay": "1h", "expires_in": "8s"}))?;
    let mut later = Vec::new();
    for due in DUE {
        let id = take(json!({"delay": format!("{due}s")}))?;
        later.push((id, Instant::now() + Duration::from_secs(due)));
    }
    leader.signal(Signal::STOP)?;
    let stopped = Instant::now();
    it.begun(std::slice::from_ref(&soon), 1, AGAIN)?;
    let mut client = other.client();
    eventually("the one that is late expires", AGAIN, || {
        let task = client.get(&format!("{TASKS}/{expires}"))?.data();
        Ok((task["status"] == "expired").then_some(()))
    })?;
    // The other one has taken the office by now: what is due comes without being late first.
    let mut late = Vec::new();
    for (id, due) in &later {
        it.begun(std::slice::from_ref(id), 1, TERM_OVER + AGAIN)?;
        late.push(due.elapsed());
        if stopped.elapsed() < TERM_OVER {
            return Err(format!("{late:?} before its time, or the term was not over").into());
        }
    }
    if late.iter().min().is_none_or(|least| *least > PUNCTUAL) {
        return Err(format!("what was due was begun late: {late:?}").into());
    }
    leader.signal(Signal::CONT)?;
    let all = quiet(&mut leader.client(), PATIENCE)?;
    for id in later.iter().map(|(id, _)| id).chain([&soon]) {
        let task = &all[id];
        let starts = it.effects.starts_of(id);
        if task["status"] != "success" || task["attempt"] != 1 || starts != 1 {
            return Err(format!("begun {starts} times: {task}").into());
        }
    }
    leader.stop()?;
    other.stop()?;
    Ok(Completion::Completed)
}
