//! Clients that submit tasks, cancel, retry and replay them, as fast as they are answered, and
//! write down what they were told.

use crate::client::{Answer, Client};
use crate::ledger::{Act, Entry, Known, Ledger, Told};
use crate::mix::{Next, any_task};
use crate::observe::{PATIENCE, answered};
use fastrand::Rng;
use libtest_mimic::Failed;
use longshore_conformance::accounting::Wanted;
use serde_json::Value;
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

/// What a client does next; `None` if there was no answer.
pub(crate) type Step = fn(&mut Client, &Ledger, &mut Rng) -> Option<()>;

/// Where tasks are.
pub(crate) const TASKS: &str = "/v1/tasks";

/// How long a client that knows other servers waits for an answer, and before it asks the next one at most.
const ROAMING: Duration = Duration::from_secs(4);
const ROAMING_PAUSE: Duration = Duration::from_millis(500);

static NEXT: AtomicUsize = AtomicUsize::new(0);

impl Load {
    /// Lets `clients` clients loose with everything there is in [`mix`](crate::mix); each waits up
    /// to `pause` between two requests.
    pub(crate) fn start(
        addr: SocketAddr,
        ledger: &Arc<Ledger>,
        clients: usize,
        pause: Duration,
        seed: u64,
    ) -> Self {
        Self::of(step, addr, ledger, clients, pause, seed)
    }

    /// Lets clients loose that do one sort of thing.
    pub(crate) fn of(
        step: Step,
        addr: SocketAddr,
        ledger: &Arc<Ledger>,
        clients: usize,
        pause: Duration,
        seed: u64,
    ) -> Self {
        Self::with(ledger, clients, seed, move |_, ledger, over, rng| {
            let mut client = Client::new(addr);
            // The server is gone: so is its client.
            while !over.load(Ordering::Relaxed) && step(&mut client, ledger, rng).is_some() {
                std::thread::sleep(pause.mul_f64(rng.f64()));
            }
        })
    }

    /// Lets clients loose that know several servers: whose step gives nothing goes to the next one.
    pub(crate) fn roaming(
        step: Step,
        servers: &[SocketAddr],
        ledger: &Arc<Ledger>,
        clients: usize,
        pause: Duration,
        seed: u64,
    ) -> Self {
        let servers = servers.to_vec();
        Self::with(ledger, clients, seed, move |number, ledger, over, rng| {
            for addr in servers.iter().cycle().skip(number) {
                let mut client = Client::patient(*addr, ROAMING);
                while !over.load(Ordering::Relaxed) && step(&mut client, ledger, rng).is_some() {
                    std::thread::sleep(pause.mul_f64(rng.f64()));
                }
                if over.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::sleep(ROAMING_PAUSE.mul_f64(rng.f64()));
            }
        })
    }

    /// Lets clients loose, each with its number and dice of its own.
    fn with(
        ledger: &Arc<Ledger>,
        clients: usize,
        seed: u64,
        life: impl Fn(usize, &Ledger, &AtomicBool, &mut Rng) + Send + Sync + 'static,
    ) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let life = Arc::new(life);
        let clients = (0..clients).map(|number| {
            let (ledger, over, life) = (Arc::clone(ledger), Arc::clone(&over), Arc::clone(&life));
            let mut rng = Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(number as u64));
            std::thread::spawn(move || life(number, &ledger, &over, &mut rng))
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

/// Does one thing of all there are.
fn step(client: &mut Client, ledger: &Ledger, rng: &mut Rng) -> Option<()> {
    match anything(client, ledger, rng, any_task) {
        Told::Nothing => None,
        _ => Some(()),
    }
}

/// Does one thing of all there are, and returns what was told; a new task is drawn by `task`.
pub(crate) fn anything(
    client: &mut Client,
    ledger: &Ledger,
    rng: &mut Rng,
    task: fn(&mut Rng) -> Value,
) -> Told {
    let known = ledger.known();
    let (last, any) = (known.last(), rng.choice(&known));
    match (Next::any(rng), last, any) {
        (Next::Cancel, Some(last), _) => act(client, ledger, Wanted::Cancel, &last.id),
        (Next::Retry, _, Some(any)) => act(client, ledger, Wanted::Retry, &any.id),
        (Next::Replay, _, Some(any)) => told_by(replay(client, ledger, any)),
        _ => told_by(submit(client, ledger, task(rng))),
    }
}

fn new_key() -> String {
    format!("proof-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Submits one task under a new key, and writes down the answer; `None` if there was none.
pub(crate) fn submit(client: &mut Client, ledger: &Ledger, body: Value) -> Option<Answer> {
    let key = new_key();
    let mut body = body;
    body["name"] = Value::from(key.as_str());
    let lane = body["order_key"].as_str().map(str::to_owned);
    let request = Request { key, path: TASKS.to_owned(), body, lane };
    ask(client, ledger, request).ok()
}

/// Submits a task like one that exists.
fn replay(client: &mut Client, ledger: &Ledger, old: &Known) -> Option<Answer> {
    let path = format!("{TASKS}/{}/replay", old.id);
    let request =
        Request { key: new_key(), path, body: serde_json::json!({}), lane: old.lane.clone() };
    ask(client, ledger, request).ok()
}

/// Asks for something to be done to a task, and writes down the answer.
fn act(client: &mut Client, ledger: &Ledger, wanted: Wanted, id: &str) -> Told {
    let word = match wanted {
        Wanted::Cancel => "cancel",
        Wanted::Retry => "retry",
    };
    let sent = ledger.now();
    let answer = client.send("POST", &format!("{TASKS}/{id}/{word}"), &[], b"");
    let shown = answer.as_ref().map(Answer::data).unwrap_or_default();
    let told = told_by(answer.ok());
    ledger.add_act(Act {
        id: id.to_owned(),
        wanted,
        told,
        run: shown["run"].as_u64().and_then(|run| u32::try_from(run).ok()),
        ended: crate::observe::has_ended(&shown),
        sent,
        answered: ledger.now(),
        journal: ledger.journal_len(),
    });
    told
}

/// A request whose answer is a task.
#[derive(Debug, Clone)]
struct Request {
    key: String,
    path: String,
    body: Value,
    lane: Option<String>,
}

/// Sends a request with its key, and writes down what was answered.
fn ask(client: &mut Client, ledger: &Ledger, request: Request) -> std::io::Result<Answer> {
    let sent = ledger.now();
    let Request { key, path, body, lane } = request;
    let answer = send_to(client, &path, &key, &body);
    let replayed = answer.as_ref().is_ok_and(|it| it.header("idempotency-replayed").is_some());
    ledger.add(Entry {
        told: answer.as_ref().map_or(Told::Nothing, told),
        id: answer.as_ref().ok().and_then(id),
        replayed,
        existing: !replayed && answer.as_ref().is_ok_and(|it| it.status == 200),
        answered: ledger.now(),
        journal: ledger.journal_len(),
        key,
        path,
        body,
        lane,
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
    for entry in unknown.values() {
        let Entry { key, path, body, lane, .. } = (*entry).clone();
        let request = Request { key, path, body, lane };
        let answer = answered(PATIENCE, || ask(client, ledger, request.clone()))?;
        if told(&answer) != Told::Accepted {
            return Err(format!("{} was answered {}", entry.key, answer.text()).into());
        }
    }
    Ok(unknown.len())
}

/// Sends a task with its idempotency key.
pub(crate) fn send(client: &mut Client, key: &str, body: &Value) -> std::io::Result<Answer> {
    send_to(client, TASKS, key, body)
}

fn send_to(client: &mut Client, path: &str, key: &str, body: &Value) -> std::io::Result<Answer> {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    client.send("POST", path, &headers, body.to_string().as_bytes())
}

fn told_by(answer: Option<Answer>) -> Told {
    answer.map_or(Told::Nothing, |answer| told(&answer))
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
