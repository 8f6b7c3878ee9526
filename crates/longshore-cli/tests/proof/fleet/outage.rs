//! A database that is away for long: everybody waits, quietly, and goes on within seconds.

use super::singles::{PATIENCE, Witnesses};
use crate::load::submit;
use crate::observe::quiet;
use crate::server::{Launch, Server, eventually};
use crate::usage::{cpu, memory};
use libtest_mimic::{Completion, Failed};
use longshore_conformance::postgres::PostgresServer;
use serde_json::json;
use std::time::{Duration, Instant};

/// How many seconds it lasts; half an hour at most.
const LENGTH: &str = "LONGSHORE_OUTAGE";
/// What was under way has failed by then, and nobody does anything but wait.
const SETTLED: Duration = Duration::from_secs(15);
/// A process that waits uses less than this share of a processor, in an unoptimised build.
const SHARE: f64 = 0.05;
/// It holds so much more memory at the end than when it had settled, at most.
const GROWTH: u64 = 4 << 20;
/// Each of them begins work so soon after the database is back.
const BACK: Duration = Duration::from_secs(20);

pub(crate) fn a_long_outage_is_waited_out() -> Result<Completion, Failed> {
    let length = length()?;
    let mut database = match PostgresServer::start() {
        Ok(database) => database,
        Err(why) => return Ok(Completion::ignored_with(format!("needs PostgreSQL: {why}"))),
    };
    let it = Witnesses::called()?;
    let url = database.url();
    let server = it.watched(Launch::on_store(&url)).start()?;
    let stored = it.watched(Launch::worker("--store", &url)).start()?;
    let linked = it.linked(&server).start()?;
    let mut all = [server, stored, linked];
    works(&it, &all, PATIENCE)?;
    // What runs when it begins goes on, and its end is told when it is over.
    let running = it.submit(&mut all[0].client(), 4, "3s")?;
    it.begun(&running, 1, PATIENCE)?;

    database.stop()?;
    let settled = length.min(SETTLED);
    wait(&mut all, settled)?;
    let before = all.iter().map(usage).collect::<Result<Vec<_>, _>>()?;
    let measured = Instant::now();
    wait(&mut all, length - settled)?;
    let measured = measured.elapsed().as_secs_f64();
    let mut shares = Vec::new();
    for (one, (used, held)) in all.iter().zip(before) {
        let (used_now, held_now) = usage(one)?;
        let share = (used_now - used).as_secs_f64() / measured;
        let growth = held_now.saturating_sub(held);
        shares.push((share, growth));
    }
    if shares.iter().any(|(share, growth)| *share > SHARE || *growth > GROWTH) {
        return Err(format!("shares of a processor, and growth in bytes: {shares:.4?}").into());
    }

    database.restart()?;
    let back = Instant::now();
    works(&it, &all, BACK)?;
    let took = back.elapsed();
    // What was submitted until the last of them was back takes its time.
    quiet(&mut all[0].client(), 3 * PATIENCE)?;
    it.succeeded(&mut all[0].client(), 1)?;
    println!(
        "{}",
        json!({
            "proof": "outage", "seconds": length.as_secs(), "all_work_again_after": took.as_secs_f64(),
            "shares_of_a_processor": shares.iter().map(|(share, _)| share).collect::<Vec<_>>(),
            "growth_in_bytes": shares.iter().map(|(_, growth)| growth).collect::<Vec<_>>(),
        })
    );
    let [server, stored, linked] = all;
    [linked, stored, server].into_iter().try_for_each(|process| process.stop().map(drop))?;
    Ok(Completion::Completed)
}

fn length() -> Result<Duration, Failed> {
    let seconds: u64 = match std::env::var(LENGTH) {
        Ok(text) => text.parse().map_err(|error| format!("{LENGTH}: {error}"))?,
        Err(_) => 60,
    };
    if !(30..=1_800).contains(&seconds) {
        return Err(format!("{LENGTH}: {seconds} is not from 30 to 1800").into());
    }
    Ok(Duration::from_secs(seconds))
}

fn usage(process: &Server) -> Result<(Duration, u64), Failed> {
    Ok((cpu(process.pid())?, memory(process.pid())?))
}

/// Waits until each process has begun a task that was submitted from now on. They take so long that those who are
/// nearest have their hands full soon.
fn works(it: &Witnesses, all: &[Server], within: Duration) -> Result<(), Failed> {
    let mut client = all[0].client();
    let mut ids = Vec::new();
    eventually("each of them begins something", within, || {
        let work = json!({"kind": "demo.work", "payload": {"sleep": "3s"}});
        let answer = submit(&mut client, &it.ledger, work);
        if let Some(answer) = answer.filter(|answer| answer.status / 100 == 2) {
            ids.extend(answer.data()["id"].as_str().map(str::to_owned));
        }
        let begun = it.effects.all();
        let has_begun = |process: &Server| {
            let name = format!("{}-", process.pid());
            begun.iter().any(|effect| {
                let by = effect.told["incarnation"].as_str().unwrap_or_default();
                by.starts_with(&name) && ids.iter().any(|id| id == effect.id())
            })
        };
        Ok(all.iter().all(has_begun).then_some(()))
    })
}

/// The outage lasts so much longer: nobody ends, and whoever submits is refused and told when to come again.
fn wait(all: &mut [Server], longer: Duration) -> Result<(), Failed> {
    let began = Instant::now();
    while began.elapsed() < longer {
        for process in all.iter_mut() {
            if process.has_ended()? {
                return Err(format!("one ended by itself:\n{}", process.stderr()).into());
            }
        }
        let mut client = all[0].client();
        let alive = client.get("/livez")?.status;
        let work = json!({"kind": "demo.work", "payload": {"sleep": "1ms"}});
        let answer = client.post("/v1/tasks", &work)?;
        let is_refused = answer.status == 503 && answer.header("retry-after").is_some();
        if alive != 200 || !is_refused {
            return Err(format!("livez {alive}; {} {}", answer.status, answer.text()).into());
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}
