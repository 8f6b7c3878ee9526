//! SIGTERM in every phase of a server's life: it ends in good order, and nobody is charged.

use crate::accounts::settle;
use crate::client::Client;
use crate::ledger::{Effects, Ledger};
use crate::load::{Load, submit};
use crate::mix::healthy_task;
use crate::observe::quiet;
use crate::processes::family;
use crate::server::{Launch, Server, data, eventually, folder};
use fastrand::Rng;
use libtest_mimic::Failed;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rounds through all phases; 50 signals and more.
const ROUNDS: usize = 7;
/// Nothing is begun so long after the signal,
const FETCHING: Duration = Duration::from_millis(100);
/// or so long after it where a step of the store is held up for 100 ms,
const HELD_UP: Duration = Duration::from_millis(250);
/// How long ending may take when it is told twice.
const HURRIED: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(30);
/// A kind that a command runs.
const NAP: &str = "nap";

/// Where a server stands when it is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before the store is open, or just after.
    Starting(&'static str),
    Idle,
    /// Clients submit, tasks are claimed and run.
    Busy,
    /// Ends wait to be recorded.
    Recording,
    /// More runs than there are slots.
    Full,
    /// Told already, and something long still runs.
    Draining,
    Commands,
}

impl Phase {
    fn begins_for(self) -> Duration {
        match self {
            Self::Recording => HELD_UP,
            _ => FETCHING,
        }
    }
}

const PHASES: [Phase; 8] = [
    Phase::Starting("boot.migrated"),
    Phase::Starting("boot.recovered"),
    Phase::Idle,
    Phase::Busy,
    Phase::Recording,
    Phase::Full,
    Phase::Draining,
    Phase::Commands,
];

fn work(client: &mut Client, ledger: &Ledger, rng: &mut Rng) -> Option<()> {
    submit(client, ledger, healthy_task(rng, 1..60)).map(drop)
}

/// One server after the other on the same data.
struct Rig {
    launch: Launch,
    ledger: Arc<Ledger>,
    effects: Effects,
    rng: Rng,
    folder: tempfile::TempDir,
    /// The latest start after a signal.
    latest: Duration,
    /// Commands write down no effects, so they have a server and a ledger of their own.
    naps: (Launch, Arc<Ledger>),
}

pub(crate) fn sigterm_in_each_phase_loses_and_charges_nothing() -> Result<(), Failed> {
    let folder = folder()?;
    let ledger = Ledger::new(None);
    let effects = Effects::collect(folder.path(), &ledger)?;
    let launch = Launch::new(data(&folder)).env("LONGSHORE_EFFECTS", &effects.socket);
    let nap = json!({"command": ["sleep", "1"]});
    let naps = (Launch::new(folder.path().join("naps")).kind(NAP, &nap), Ledger::new(None));
    let rng = Rng::with_seed(7);
    let mut rig = Rig { launch, ledger, effects, rng, folder, latest: Duration::ZERO, naps };
    let began = Instant::now();
    for _ in 0..ROUNDS {
        for phase in PHASES {
            rig.stop_in(phase).map_err(|failed| {
                Failed::from(format!("{phase:?}: {}", failed.message().unwrap_or_default()))
            })?;
        }
    }
    let took = began.elapsed();
    let report = settle(&rig.launch, &rig.ledger, &rig.effects)?;
    let (_, mut all) = rig.ledger.looks().pop().ok_or("nobody looked")?;
    let (naps, asked) = (rig.naps.0.start()?, rig.naps.1.accepted().len());
    let napped = quiet(&mut naps.client(), PATIENCE)?;
    naps.stop()?;
    if napped.len() != asked || asked == 0 {
        return Err(format!("{} of {asked} commands are there", napped.len()).into());
    }
    all.extend(napped);
    let charged =
        |task: &&Value| task["status"] != "success" || task["attempt"] != 1 || task["crashes"] != 0;
    if let Some(task) = all.values().find(charged) {
        return Err(format!("charged: {task}").into());
    }
    eprintln!(
        "{} signals in {took:.0?}: {} tasks accepted, but for stores held up nothing was begun later than {:?} after a signal",
        ROUNDS * PHASES.len(),
        report.accepted,
        rig.latest,
    );
    Ok(())
}

impl Rig {
    fn stop_in(&mut self, phase: Phase) -> Result<(), Failed> {
        match phase {
            Phase::Starting(point) => self.stop_while_starting(phase, point),
            Phase::Idle => {
                let server = self.launch.start()?;
                self.told(server, phase, PATIENCE)
            }
            Phase::Busy => self.stop_under_load(phase, &self.launch.clone()),
            Phase::Recording => {
                let armed = "store.record_applied=delay@9";
                self.stop_under_load(phase, &self.launch.clone().env("LONGSHORE_FAILPOINT", armed))
            }
            Phase::Full => {
                let server = self.launch.start()?;
                begin_each(&server, &self.ledger, 24, || {
                    healthy_task(&mut self.rng, 1_000..1_500)
                })?;
                self.told(server, phase, PATIENCE)
            }
            Phase::Draining => {
                let server = self.launch.start()?;
                begin_each(&server, &self.ledger, 4, || healthy_task(&mut self.rng, 5_000..5_100))?;
                server.signal(Signal::TERM)?;
                // A second signal that comes before the first was taken is none.
                eventually("no longer ready", PATIENCE, || {
                    let ready = server.client().get("/readyz");
                    Ok((!ready.is_ok_and(|answer| answer.status == 200)).then_some(()))
                })?;
                std::thread::sleep(Duration::from_millis(self.rng.u64(1..150)));
                self.told(server, phase, HURRIED)
            }
            Phase::Commands => {
                let (launch, ledger) = self.naps.clone();
                let server = launch.start()?;
                begin_each(&server, &ledger, 4, || json!({"kind": NAP}))?;
                self.told(server, phase, PATIENCE)?;
                let last = ledger.accepted();
                let left = last.iter().rev().take(4).filter_map(|entry| entry.id.as_deref());
                let left: Vec<_> = left.flat_map(family).collect();
                if left.is_empty() { Ok(()) } else { Err(format!("left: {left:?}").into()) }
            }
        }
    }

    /// The step lasts 100 ms; the signal comes somewhere in it, before, or after.
    fn stop_while_starting(&mut self, phase: Phase, point: &str) -> Result<(), Failed> {
        let launch = self.launch.clone().env("LONGSHORE_FAILPOINT", format!("{point}=delay"));
        let (server, _told) = launch.begin()?;
        let pid = server.pid().to_string();
        let lock = data(&self.folder).join("lock");
        eventually("it takes the lock", PATIENCE, || Ok(holds(&lock, &pid).then_some(())))?;
        std::thread::sleep(Duration::from_millis(self.rng.u64(0..160)));
        self.told(server, phase, PATIENCE)
    }

    fn stop_under_load(&mut self, phase: Phase, launch: &Launch) -> Result<(), Failed> {
        let server = launch.start()?;
        let (pause, seed) = (Duration::from_millis(10), self.rng.u64(..));
        let load = Load::of(work, server.addr, &self.ledger, 3, pause, seed);
        std::thread::sleep(Duration::from_millis(self.rng.u64(20..250)));
        let stopped = self.told(server, phase, PATIENCE);
        load.stop();
        stopped
    }

    /// Tells a server to stop: it obeys in time, and begins nothing any more.
    fn told(&mut self, mut server: Server, phase: Phase, within: Duration) -> Result<(), Failed> {
        server.signal(Signal::TERM)?;
        let signal = self.ledger.now();
        let status = server.wait(within)?;
        if !status.success() {
            return Err(format!("{status} after SIGTERM\n{}", server.stderr()).into());
        }
        let starts = self.effects.all().into_iter().filter(crate::ledger::Effect::is_start);
        let last = starts.map(|effect| effect.at.saturating_sub(signal)).max().unwrap_or_default();
        if phase.begins_for() == FETCHING {
            self.latest = self.latest.max(last);
        }
        if last > phase.begins_for() {
            return Err(format!("something was begun {last:?} after the signal").into());
        }
        Ok(())
    }
}

/// Submits tasks, and waits until one is begun.
fn begin_each(
    server: &Server,
    ledger: &Ledger,
    count: usize,
    mut task: impl FnMut() -> Value,
) -> Result<(), Failed> {
    let mut client = server.client();
    for _ in 0..count {
        submit(&mut client, ledger, task()).ok_or("not answered")?;
    }
    eventually("one is begun", PATIENCE, || {
        let data = client.get("/v1/tasks?status=running&limit=1")?.data();
        Ok(data["items"].as_array().is_some_and(|items| !items.is_empty()).then_some(()))
    })
}

/// Whether the lock names that process.
fn holds(lock: &Path, pid: &str) -> bool {
    std::fs::read_to_string(lock).is_ok_and(|text| text.trim() == pid)
}
