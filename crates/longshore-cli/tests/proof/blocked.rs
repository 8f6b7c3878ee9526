//! Handlers that never yield: the door, the store and the others go on.

use crate::ledger::{Effects, Ledger};
use crate::load::{TASKS, submit};
use crate::observe::tasks;
use crate::server::{Launch, Server, data, eventually, folder};
use libtest_mimic::Failed;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long each handler blocks its thread: much longer than it may.
const BLOCKS: &str = "20s";
const MAY: &str = "1s";
/// The slowest of so many answers, but for the slowest hundredth. An idle machine answers within a few ms.
const P99: Duration = Duration::from_millis(500);
const ANSWERS: usize = 300;
/// On a machine that syncs slowly there are fewer.
const MEASURED: Duration = Duration::from_secs(8);

pub(crate) fn the_door_answers_while_handlers_block_their_threads() -> Result<(), Failed> {
    let folder = folder()?;
    let ledger = Ledger::new(None);
    let effects = Effects::collect(folder.path(), &ledger)?;
    let server = Launch::new(data(&folder)).env("LONGSHORE_EFFECTS", &effects.socket).start()?;
    let mut client = server.client();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let block = json!({"sleep": BLOCKS, "fail_times": 1, "fail": "block"});
    for _ in 0..=threads {
        let task = json!({"kind": "demo.work", "payload": block, "timeout": MAY});
        submit(&mut client, &ledger, task).ok_or("not answered")?;
    }
    eventually("every thread is blocked", Duration::from_secs(15), || {
        Ok((effects.all().len() >= threads).then_some(()))
    })?;

    let blocked: Vec<String> = ledger.accepted().into_iter().filter_map(|it| it.id).collect();
    let (alive, accepts) = measured(&server, &ledger)?;
    eventually("it says that no handler can run", Duration::from_secs(10), || {
        Ok((client.get("/readyz")?.status == 503).then_some(()))
    })?;
    let alive_p99 = p99(alive);
    let accept_p99 = p99(accepts);
    let figures = format!("p99 of /livez {alive_p99:?}, of accepts {accept_p99:?}");
    eprintln!("{threads} threads blocked: {figures}");
    if alive_p99 > P99 || accept_p99 > P99 {
        return Err(figures.into());
    }
    let timeouts = |id: &String| -> Result<usize, Failed> {
        let attempts = client_attempts(&server, id)?;
        Ok(attempts.iter().filter(|attempt| attempt["error"]["class"] == "timeout").count())
    };
    // Those that came to run; the others were given back.
    eventually("a timeout is recorded for each thread", Duration::from_secs(10), || {
        let mut timed_out = 0;
        for id in &blocked {
            timed_out += usize::from(timeouts(id)? > 0);
        }
        Ok((timed_out >= threads).then_some(()))
    })?;

    // The threads come back, and with them everybody else.
    eventually("all is done", Duration::from_secs(90), || {
        let all = tasks(&mut client)?;
        Ok(all.values().all(|task| task["status"] == "success").then_some(()))
    })?;
    eventually("ready again", Duration::from_secs(15), || {
        Ok((client.get("/readyz")?.status == 200).then_some(()))
    })?;
    server.stop()?;
    Ok(())
}

/// Asks and submits for a while; how long each answer took.
fn measured(server: &Server, ledger: &Ledger) -> Result<(Vec<Duration>, Vec<Duration>), Failed> {
    let (mut alive, mut accepts) = (Vec::new(), Vec::new());
    let mut client = server.client();
    let until = Instant::now() + MEASURED;
    while Instant::now() < until && alive.len() < ANSWERS {
        let asked = Instant::now();
        let answer = client.get("/livez")?;
        alive.push(asked.elapsed());
        if answer.status != 200 {
            return Err(format!("not alive: {}", answer.text()).into());
        }
        let asked = Instant::now();
        let answer = submit(&mut client, ledger, json!({"kind": "hello"})).ok_or("no answer")?;
        accepts.push(asked.elapsed());
        if answer.status != 201 {
            return Err(format!("not accepted: {}", answer.text()).into());
        }
        // Otherwise this would be a benchmark, and starve everybody else on the machine.
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok((alive, accepts))
}

fn client_attempts(server: &Server, id: &str) -> Result<Vec<Value>, Failed> {
    let data = server.client().get(&format!("{TASKS}/{id}/attempts"))?.data();
    Ok(data["items"].as_array().ok_or("attempts without items")?.clone())
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}
