//! Workers that pull, killed with `kill -9`: while they wait, just when a task comes, and while they
//! hold tasks. Nothing is swallowed, and nobody is charged for it.
//!
//! The worker that is killed is `curl`, which is a process of its own.

use crate::client::Client;
use crate::server::{Launch, Server, data, eventually, folder};
use fastrand::Rng;
use libtest_mimic::{Completion, Failed};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const KIND: &str = "proof.pulled";
const LEASE: Duration = Duration::from_secs(10);
/// After its lease a task is found and handed out within this.
const MARGIN: Duration = Duration::from_secs(5);
const KILLS: usize = 100;
/// So many of the killed must have been handed a task, or nothing was shown.
const HIT: usize = 10;
/// A poller that is killed is by then on its way, or waits; it has to start, too.
const POLLING: std::ops::Range<u64> = 10..90;
/// The moments around an accept in which a poller is killed, in microseconds.
const AROUND: std::ops::Range<u64> = 0..12_000;

pub(crate) fn a_killed_poller_swallows_and_charges_nothing() -> Result<Completion, Failed> {
    if !has_curl() {
        return Ok(Completion::ignored_with("needs curl"));
    }
    let rig = Rig::start()?;
    let mut client = rig.server.client();
    let mut rng = Rng::with_seed(5);
    let starting = starting()?;
    let (mut ids, mut done) = (Vec::new(), 0);
    for number in 0..KILLS {
        let mut poller = poller(rig.server.addr, 1)?;
        std::thread::sleep(starting + Duration::from_millis(rng.u64(POLLING)));
        let after = Duration::from_micros(rng.u64(AROUND));
        let killed = std::thread::spawn(move || {
            std::thread::sleep(after);
            poller.kill().and_then(|()| poller.wait())
        });
        // Half of them come while somebody is killed, half when he is gone.
        if number % 2 == 0 {
            ids.push(rig.submit(number)?);
            ended(killed)?;
        } else {
            ended(killed)?;
            ids.push(rig.submit(number)?);
        }
        // What nobody was handed is done at once, so that the next one waits.
        done += Rig::good(&mut client)?;
    }
    let (last, at_once) = (Instant::now(), done);
    eventually("a good worker does the rest", 6 * LEASE, || {
        done += Rig::good(&mut client)?;
        Ok((done == KILLS).then_some(()))
    })?;
    let took = last.elapsed();

    let mut outcomes = Vec::new();
    for id in &ids {
        is_unharmed(&client.get(&format!("/v1/tasks/{id}"))?.data())?;
        outcomes.extend(rig.outcomes(id)?);
    }
    let count = |what: &str| outcomes.iter().filter(|outcome| *outcome == what).count();
    let (back, lost) = (count("released"), count("lost"));
    eprintln!(
        "{KILLS} pollers killed: {at_once} tasks were done meanwhile; of the hand-outs {back} came back at once, {lost} after the lease; all was done {took:.1?} after the last kill"
    );
    if back + lost < HIT {
        return Err(format!("only {} of the killed were handed a task", back + lost).into());
    }
    if took > LEASE + MARGIN {
        return Err(format!("all were done only after {took:?}").into());
    }
    rig.server.stop()?;
    Ok(Completion::Completed)
}

pub(crate) fn what_a_killed_worker_held_runs_again_after_its_lease() -> Result<Completion, Failed> {
    const HELD: usize = 5;
    if !has_curl() {
        return Ok(Completion::ignored_with("needs curl"));
    }
    let rig = Rig::start()?;
    let ids = (0..HELD).map(|number| rig.submit(number)).collect::<Result<Vec<_>, _>>()?;
    let mut worker = holder(rig.server.addr, HELD)?;
    let mut answer = String::new();
    BufReader::new(worker.stdout.take().ok_or("no stdout")?).read_line(&mut answer)?;
    let answer: Value = serde_json::from_str(&answer)?;
    let held = answer["data"]["tasks"].as_array().ok_or("an answer without tasks")?;
    if held.len() != HELD {
        return Err(format!("it should hold {HELD} tasks: {answer}").into());
    }
    worker.kill()?;
    worker.wait()?;
    let killed = Instant::now();

    let mut client = rig.server.client();
    let mut again = Vec::new();
    while again.len() < HELD {
        if killed.elapsed() > LEASE + MARGIN {
            return Err(format!("only {} of {HELD} ran again in time", again.len()).into());
        }
        again.extend(lease(&mut client, "good", HELD)?);
    }
    let took = killed.elapsed();
    eprintln!("{HELD} tasks of a killed worker ran again after {took:.1?}");
    if let Some(charged) = again.iter().find(|task| task["attempt"] != 1) {
        return Err(format!("an attempt was charged: {charged}").into());
    }
    // Neither while another holds them nor after they have ended do its words count.
    refused(&mut client, held)?;
    for task in &again {
        tell(&mut client, task, &json!({ "result": "good" }), 200)?;
    }
    refused(&mut client, held)?;
    for id in &ids {
        let task = client.get(&format!("/v1/tasks/{id}"))?.data();
        is_unharmed(&task)?;
        if task["result"] != "good" {
            return Err(format!("a late end changed something: {task}").into());
        }
        let outcomes = rig.outcomes(id)?;
        if outcomes != ["lost", "success"] {
            return Err(format!("{id} went through {outcomes:?}").into());
        }
    }
    rig.server.stop()?;
    Ok(Completion::Completed)
}

/// How long such a process takes to start: the least of three, for the machine may stand still at one.
fn starting() -> Result<Duration, Failed> {
    let mut least = Duration::MAX;
    for _ in 0..3 {
        let began = Instant::now();
        Command::new("curl").arg("--version").stdout(Stdio::null()).status()?;
        least = least.min(began.elapsed());
    }
    Ok(least)
}

fn refused(client: &mut Client, held: &[Value]) -> Result<(), Failed> {
    held.iter().try_for_each(|task| tell(client, task, &json!({ "result": "late" }), 409))
}

fn ended(
    killed: std::thread::JoinHandle<std::io::Result<std::process::ExitStatus>>,
) -> Result<(), Failed> {
    killed.join().map_err(|_| "the killing panicked")??;
    Ok(())
}

fn is_unharmed(task: &Value) -> Result<(), Failed> {
    let right =
        json!({ "status": "success", "attempt": 1, "run": 1, "crashes": 0, "worker": "good" });
    match right.as_object().into_iter().flatten().find(|(name, value)| task[*name] != **value) {
        None => Ok(()),
        Some((name, _)) => Err(format!("{name} is wrong: {task}").into()),
    }
}

/// A server that knows the kind, since a worker has asked for it.
struct Rig {
    server: Server,
    _folder: tempfile::TempDir,
}

impl Rig {
    fn start() -> Result<Self, Failed> {
        let folder = folder()?;
        let server = Launch::plain(data(&folder)).start()?;
        lease(&mut server.client(), "first", 1)?;
        Ok(Self { server, _folder: folder })
    }

    fn submit(&self, number: usize) -> Result<String, Failed> {
        let body = json!({ "kind": KIND, "payload": number });
        let answer = self.server.client().post("/v1/tasks", &body)?;
        let id = answer.data()["id"].as_str().map(str::to_owned);
        id.ok_or_else(|| answer.text().into())
    }

    /// A good worker does what is ready; returns how many that were.
    fn good(client: &mut Client) -> Result<usize, Failed> {
        let tasks = lease(client, "good", KILLS)?;
        for task in &tasks {
            tell(client, task, &json!({ "result": task["payload"] }), 200)?;
        }
        Ok(tasks.len())
    }

    /// How each opening of a task ended.
    fn outcomes(&self, id: &str) -> Result<Vec<String>, Failed> {
        let data = self.server.client().get(&format!("/v1/tasks/{id}/attempts"))?.data();
        let items = data["items"].as_array().ok_or("no attempts")?;
        Ok(items.iter().filter_map(|it| it["outcome"].as_str().map(str::to_owned)).collect())
    }
}

fn asking(worker: &str, max: usize, wait: &str) -> Value {
    json!({
        "kinds": [KIND], "max": max, "wait": wait, "worker": worker, "lease": LEASE.as_secs(),
    })
}

/// Asks for tasks without waiting long.
fn lease(client: &mut Client, worker: &str, max: usize) -> Result<Vec<Value>, Failed> {
    let answer = client.post("/v1/leases", &asking(worker, max, "100ms"))?;
    let tasks = answer.data()["tasks"].as_array().cloned();
    tasks.ok_or_else(|| answer.text().into())
}

/// Tells the end of a task; it must be answered so.
fn tell(client: &mut Client, task: &Value, end: &Value, status: u16) -> Result<(), Failed> {
    let lease = task["lease"].as_str().ok_or("a task without a lease")?;
    let answer = client.post(&format!("/v1/leases/{lease}/complete"), end)?;
    if answer.status == status {
        return Ok(());
    }
    Err(format!("answered {} instead of {status}: {}", answer.status, answer.text()).into())
}

/// A process that asks for tasks.
fn poller(addr: SocketAddr, max: usize) -> Result<Child, Failed> {
    Ok(calling(Command::new("curl"), addr, max).spawn()?)
}

/// A process that asks for tasks, prints the answer, and holds what it was given.
fn holder(addr: SocketAddr, max: usize) -> Result<Child, Failed> {
    let mut shell = Command::new("sh");
    shell.args(["-c", "curl \"$@\"; exec sleep 60", "worker"]);
    Ok(calling(shell, addr, max).spawn()?)
}

fn calling(mut command: Command, addr: SocketAddr, max: usize) -> Command {
    command.args(["-s", "-w", "\n", "-H", "content-type: application/json", "-d"]);
    command.arg(asking("killed", max, "20s").to_string());
    command.arg(format!("http://{addr}/v1/leases"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn has_curl() -> bool {
    let mut command = Command::new("curl");
    command.arg("--version").stdout(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
