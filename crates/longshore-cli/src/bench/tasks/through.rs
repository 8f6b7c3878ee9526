//! Whole lives through a server: tasks come in over HTTP, and are counted until the last has
//! succeeded.

use super::Tasks;
use crate::bench::load::{self, Plan};
use crate::bench::report::{Report, histogram};
use crate::child::{Server, usage};
use crate::failure::Failure;
use longshore::Client;
use longshore::client::{ClientError, Submit};
use std::time::{Duration, Instant};

/// Connections that bring the load.
const CONNECTIONS: usize = 64;
/// A server that ends nothing for so long has lost something.
const PATIENCE: Duration = Duration::from_secs(30);
/// The kind that commands run under.
const COMMAND: &str = "bench.command";

/// Measures: as many as come in `seconds`; commands are `number` tasks that lie there at once.
pub(super) fn measure(wish: &Tasks, seconds: f64) -> Result<Report, Failure> {
    wish.place
        .serve(&configuration(wish), async |server: &Server| lives(wish, seconds, server).await)
}

async fn lives(wish: &Tasks, seconds: f64, server: &Server) -> Result<Report, Failure> {
    let client = Client::connect(&format!("http://{}", server.addr)).map_err(failed)?;
    let before = (usage("self").0, server.usage().0);
    let began = Instant::now();
    let (times, all) = if wish.command.is_empty() {
        let plan = Plan { connections: CONNECTIONS, seconds, rate: wish.rate, size: wish.size };
        let done = load::post(server.addr, "hello", plan).await?;
        if done.errors > 0 {
            return Err(Failure::Bench(format!("{} requests failed", done.errors)));
        }
        (done.times, done.all)
    } else {
        submit(&client, wish.number).await?;
        (histogram(), wish.number)
    };
    until_done(&client, all).await?;
    let took = began.elapsed();
    let what = if wish.command.is_empty() { "lives over HTTP" } else { "commands" };
    let mut report = Report::new(what, load_of(wish), &times, took);
    report.n = all;
    report.rate = all as f64 / took.as_secs_f64();
    let (server_cpu, peak) = server.usage();
    report.client_cpu_us = Some(report.per_item(usage("self").0.saturating_sub(before.0), all));
    report.server_cpu_us = Some(report.per_item(server_cpu.saturating_sub(before.1), all));
    report.start_ms = Some(server.start.as_secs_f64() * 1e3);
    report.peak_mib = peak as f64 / f64::from(1 << 20);
    Ok(report)
}

fn load_of(wish: &Tasks) -> String {
    let slots = wish.slots.unwrap_or(wish.in_flight);
    match wish.rate {
        Some(rate) => format!("{rate}/s, {slots} slots"),
        None => format!("{CONNECTIONS} connections, {slots} slots"),
    }
}

fn configuration(wish: &Tasks) -> String {
    let slots = wish.slots.unwrap_or(wish.in_flight);
    let mut text = format!("queues: {{ default: {{ slots: {slots} }} }}\n");
    if !wish.command.is_empty() {
        // A JSON array is YAML too.
        let argv = serde_json::to_string(&wish.command).unwrap_or_default();
        text.push_str(&format!("kinds: {{ {COMMAND}: {{ command: {argv} }} }}\n"));
    }
    text
}

async fn submit(client: &Client, number: u64) -> Result<(), Failure> {
    let mut left = number;
    while left > 0 {
        let batch = left.min(5_000);
        let tasks = (0..batch).map(|_| Submit::new(COMMAND)).collect();
        let answers = client.submit_all(tasks).await.map_err(failed)?;
        if let Some(Err(rejected)) = answers.into_iter().find(Result::is_err) {
            return Err(Failure::Bench(format!("a task was refused: {rejected:?}")));
        }
        left -= batch;
    }
    Ok(())
}

/// Returns once so many tasks have succeeded.
async fn until_done(client: &Client, all: u64) -> Result<(), Failure> {
    let mut last = (0, Instant::now());
    loop {
        let queue = client.queues().get("default").await.map_err(failed)?;
        let done = queue.tasks.get("success").copied().unwrap_or(0);
        if done >= all {
            return Ok(());
        }
        if done > last.0 {
            last = (done, Instant::now());
        } else if last.1.elapsed() > PATIENCE {
            return Err(Failure::Bench(format!("{done} of {all} tasks succeeded, then nothing")));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn failed(error: ClientError) -> Failure {
    Failure::Bench(error.to_string())
}
