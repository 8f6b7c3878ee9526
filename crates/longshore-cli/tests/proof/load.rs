//! Clients that submit tasks as fast as they are answered, and write down what they were told.

use crate::client::{Answer, Client};
use crate::ledger::{Entry, Ledger, Told};
use fastrand::Rng;
use libtest_mimic::Failed;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Clients at work, until they are stopped or their server is gone.
#[derive(Debug)]
pub(crate) struct Load {
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

impl Load {
    /// Lets `clients` clients loose; each waits up to `pause` between two requests.
    pub(crate) fn start(
        addr: SocketAddr,
        ledger: &Arc<Ledger>,
        clients: usize,
        pause: Duration,
        seed: u64,
    ) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let clients = (0..clients).map(|number| {
            let (ledger, over) = (Arc::clone(ledger), Arc::clone(&over));
            let mut rng = Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(number as u64));
            std::thread::spawn(move || {
                let mut client = Client::new(addr);
                while !over.load(Ordering::Relaxed) {
                    let body = any_task(&mut rng);
                    // The server is gone: so is its client.
                    if submit(&mut client, &ledger, body).is_none() {
                        break;
                    }
                    std::thread::sleep(pause.mul_f64(rng.f64()));
                }
            })
        });
        let clients = clients.collect();
        Self { over, clients }
    }

    /// Waits for the clients, once they have their last answers.
    pub(crate) fn stop(self) {
        self.over.store(true, Ordering::Relaxed);
        for client in self.clients {
            let _ = client.join();
        }
    }
}

/// Submits one task under a new key, and writes down the answer; `None` if there was none.
pub(crate) fn submit(client: &mut Client, ledger: &Ledger, body: Value) -> Option<Answer> {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let key = format!("proof-{number}");
    let mut body = body;
    body["name"] = Value::from(key.as_str());
    ask(client, ledger, key, body).ok()
}

/// Sends a task with its key, and writes down what was answered.
fn ask(client: &mut Client, ledger: &Ledger, key: String, body: Value) -> std::io::Result<Answer> {
    let sent = ledger.now();
    let answer = send(client, &key, &body);
    ledger.add(Entry {
        told: answer.as_ref().map_or(Told::Nothing, told),
        id: answer.as_ref().ok().and_then(id),
        replayed: answer.as_ref().is_ok_and(|it| it.header("idempotency-replayed").is_some()),
        answered: ledger.now(),
        journal: ledger.journal_len(),
        key,
        body,
        sent,
    });
    answer
}

/// Asks again, with the same keys, whatever was not answered; returns how many that were.
pub(crate) fn resolve(client: &mut Client, ledger: &Ledger) -> Result<usize, Failed> {
    let entries = ledger.entries();
    let known = entries.iter().filter(|entry| !entry.told.is_unknown());
    let known: BTreeSet<&str> = known.map(|entry| entry.key.as_str()).collect();
    let unknown: BTreeMap<&str, &Entry> = (entries.iter())
        .filter(|entry| !known.contains(entry.key.as_str()))
        .map(|entry| (entry.key.as_str(), entry))
        .collect();
    for (key, entry) in &unknown {
        let answer = ask(client, ledger, (*key).to_owned(), entry.body.clone())?;
        if told(&answer) != Told::Accepted {
            return Err(format!("{key} was answered {}", answer.text()).into());
        }
    }
    Ok(unknown.len())
}

/// Sends a task with its idempotency key.
pub(crate) fn send(client: &mut Client, key: &str, body: &Value) -> std::io::Result<Answer> {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    client.send("POST", "/v1/tasks", &headers, body.to_string().as_bytes())
}

fn told(answer: &Answer) -> Told {
    match answer.status {
        200 | 201 => Told::Accepted,
        status @ 400..500 => Told::Refused(status),
        status => Told::Broken(status),
    }
}

fn id(answer: &Answer) -> Option<String> {
    if told(answer) != Told::Accepted {
        return None;
    }
    answer.data()["id"].as_str().map(str::to_owned)
}

/// A task of some sort: quick, slow, failing, late, big.
fn any_task(rng: &mut Rng) -> Value {
    let mut task = match rng.u8(0..10) {
        0..4 => json!({"kind": "hello", "payload": {"name": "proof"}}),
        4..7 => {
            let sleep = format!("{}ms", rng.u32(1..60));
            json!({"kind": "demo.work", "payload": {"sleep": sleep, "result": rng.u32(..)}})
        }
        7 => json!({"kind": "demo.work", "payload": {"fail_times": 1, "fail": "transient"}}),
        8 => json!({"kind": "demo.work", "payload": {"fail_times": 1, "fail": "bad_data"}}),
        _ => {
            let text = "x".repeat(rng.usize(1_000..12_000));
            json!({"kind": "hello", "payload": {"name": "proof", "ballast": text}})
        }
    };
    if rng.u8(0..8) == 0 {
        task["delay"] = Value::from(format!("{}ms", rng.u32(10..400)));
    }
    if rng.u8(0..4) == 0 {
        task["priority"] = Value::from(rng.u8(0..10));
    }
    task
}
