//! kill -9 between slots: each slot makes one task, whenever the process died.

use crate::client::Client;
use crate::observe::tasks;
use crate::server::{Launch, data, eventually, folder};
use fastrand::Rng;
use libtest_mimic::Failed;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const KILLS: usize = 6;
/// In milliseconds: more than one slot of a second.
const SHORT: std::ops::Range<u64> = 1..1_400;
/// So long that more than one slot is missed, and not only late.
const LONG: std::ops::Range<u64> = 4_200..5_000;
/// How long what was missed may take to be made up.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn kills_between_slots_lose_none_and_fire_none_twice() -> Result<(), Failed> {
    let folder = folder()?;
    let launch = Launch::new(data(&folder));
    let mut rng = Rng::with_seed(8);
    let server = launch.start()?;
    let made_up = plan(&mut server.client(), "all")?;
    let stood_for = plan(&mut server.client(), "one")?;
    let mut server = server;
    for kill in 0..KILLS {
        std::thread::sleep(Duration::from_millis(rng.u64(SHORT)));
        server.kill()?;
        let down = if kill % 2 == 0 { LONG } else { SHORT };
        std::thread::sleep(Duration::from_millis(rng.u64(down)));
        server = launch.start()?;
    }
    let mut client = server.client();
    // What was missed is made up, then nothing more comes.
    eventually("all slots that have come", PATIENCE, || {
        let next = client.get(&made_up)?.data()["next_slot"].clone();
        let now = client.post("/v1/tasks", &json!({"kind": "hello"}))?.data()["created_at"].clone();
        Ok((next.as_str() > now.as_str()).then_some(()))
    })?;
    for path in [&made_up, &stood_for] {
        client.post(&format!("{path}/pause"), &json!({}))?;
    }
    let (all, one) = (slots(&mut client, &made_up)?, slots(&mut client, &stood_for)?);
    server.stop()?;
    eprintln!("{KILLS} kills: {} slots made up, {} stood for", all.len(), one.len());
    for (slot, count) in all.iter().chain(&one) {
        if *count != 1 {
            return Err(format!("the slot {slot} made {count} tasks").into());
        }
    }
    let (first, last) = (all.keys().next(), all.keys().next_back());
    let (Some(first), Some(last)) = (first, last) else { return Err("no slot came".into()) };
    let expected = usize::try_from((last - first) / 1_000 + 1)?;
    if all.len() != expected || all.len() < KILLS {
        return Err(
            format!("{} slots of {expected} made a task: {:?}", all.len(), all.keys()).into()
        );
    }
    if one.len() >= all.len() || one.is_empty() {
        return Err(format!("{} slots stand for {}", one.len(), all.len()).into());
    }
    Ok(())
}

/// Makes a schedule that comes every second; returns its path.
fn plan(client: &mut Client, missed: &str) -> Result<String, Failed> {
    let plan = json!({"kind": "hello", "cron": "* * * * * *", "missed": missed});
    let made = client.post("/v1/schedules", &plan)?;
    let id = made.data()["id"].as_str().map(str::to_owned);
    let id = id.ok_or_else(|| format!("answered {}", made.text()))?;
    Ok(format!("/v1/schedules/{id}"))
}

/// The slots that made tasks, in milliseconds, and how many each made.
fn slots(client: &mut Client, path: &str) -> Result<BTreeMap<i64, usize>, Failed> {
    let mut slots = BTreeMap::new();
    for task in tasks(client)?.into_values() {
        let of = task["schedule_id"].as_str().unwrap_or_default();
        if !of.is_empty() && path.ends_with(of) {
            *slots.entry(slot(&task)?).or_default() += 1;
        }
    }
    Ok(slots)
}

fn slot(task: &Value) -> Result<i64, Failed> {
    let at = task["run_at"].as_str().and_then(longshore::core::Timestamp::parse);
    at.map(|at| at.0).ok_or_else(|| format!("no time in {task}").into())
}
