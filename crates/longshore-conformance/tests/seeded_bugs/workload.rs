//! Clients, handlers and an observer around a server that dies now and then; each keeps a ledger.

use crate::buggy::Bug;
use crate::server::Server;
use fastrand::Rng;
use longshore_conformance::ManualClock;
use longshore_conformance::accounting::{
    ActEntry, ClientEntry, Did, EffectEntry, FaultEntry, Ledgers, Observation, Recorded, Status,
    Told, Wanted,
};
use longshore_core::attempt::TaskError;
use longshore_core::store::{Act, ActKind, Claim, Ending, Extend, Hold, Leased, Want};
use longshore_core::task::{AcceptedHow, Idempotency, OnConflict, Unique, UniqueWhile};
use longshore_core::{
    Budget, Clock, Fault, KindName, NewTask, Outcome, Payload, QueueName, RetryPolicy, TaskId,
    TenantName, Valid, decide,
};
use longshore_core::{FaultClass, store};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Attempts of every task.
pub(crate) const MAX_ATTEMPTS: u32 = 3;

const STEPS: usize = 3_000;
const LEASE: Duration = Duration::from_secs(15);

/// Drives a store with `bug` through the workload that `seed` stands for, heals everything, lets
/// it come to rest, and returns what was written down.
pub(crate) fn run(bug: Bug, seed: u64) -> Ledgers {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(async {
        let mut world = World::new(bug, seed);
        for _ in 0..STEPS {
            world.step().await;
        }
        world.come_to_rest().await;
        world.ledgers
    })
}

/// One opening that a handler works on.
struct Running {
    leased: Leased,
    /// Its entry in the ledger.
    entry: usize,
    /// It hangs, and does not renew its lease.
    hangs: bool,
}

/// A request without an answer, which its client may repeat.
struct Unanswered {
    task: NewTask,
    key: String,
}

struct World {
    random: Rng,
    clock: Arc<ManualClock>,
    server: Server,
    ledgers: Ledgers,
    running: Vec<Running>,
    unanswered: Vec<Unanswered>,
    keys: u32,
    /// Ticks between two moves of the clock, so that no two entries have the same time.
    ticks: u64,
    incarnation: u32,
    /// Whether the wall clock is an hour ahead.
    is_ahead: bool,
    known: BTreeSet<TaskId>,
    /// What clients were told is accepted, and cancelled.
    accepted: Vec<TaskId>,
    cancelled: Vec<TaskId>,
}

impl World {
    fn new(bug: Bug, seed: u64) -> Self {
        let clock = Arc::new(ManualClock::new());
        Self {
            random: Rng::with_seed(seed),
            server: Server::start(bug, Arc::clone(&clock)),
            clock,
            ledgers: Ledgers::default(),
            running: Vec::new(),
            unanswered: Vec::new(),
            keys: 0,
            ticks: 0,
            incarnation: 1,
            is_ahead: false,
            known: BTreeSet::new(),
            accepted: Vec::new(),
            cancelled: Vec::new(),
        }
    }

    async fn step(&mut self) {
        match self.random.u32(0..1_000) {
            0..200 => self.submit().await,
            200..230 => self.repeat().await,
            230..480 => self.claim().await,
            480..800 => self.finish_one().await,
            800..890 => {
                let by = Duration::from_millis(self.random.u64(1..4_000));
                self.pass(by).await;
            }
            890..925 => self.observe_one().await,
            925..945 => self.cancel().await,
            945..958 => self.retry().await,
            958..970 => self.repeat_ended().await,
            970..976 => self.hang_one(),
            976..988 => self.jump_wall().await,
            988..994 => {
                self.fault("kill");
                self.server.kill();
                self.handlers_inside_die();
            }
            _ => {
                self.fault("power_cut");
                self.server.cut_power();
                self.handlers_inside_die();
            }
        }
    }

    /// Nothing breaks any more: all work is done, the late come last, everything is looked at.
    async fn come_to_rest(&mut self) {
        // What was put off while the wall clock was ahead is due by then.
        self.pass(Duration::from_secs(7_200)).await;
        for _ in 0..400 {
            self.claim().await;
            while let Some(n) = self.running.iter().position(|running| !running.hangs) {
                self.finish(n).await;
            }
            self.pass(Duration::from_secs(3)).await;
            if self.all_have_ended().await {
                break;
            }
        }
        self.observe_all().await;
        while !self.running.is_empty() {
            self.finish(0).await;
        }
        self.observe_all().await;
    }

    async fn all_have_ended(&self) -> bool {
        let counters = self.server.store().counters().await.expect("counters answer");
        counters.iter().all(|count| count.state.is_end())
    }

    fn now(&mut self) -> u64 {
        self.ticks += 1;
        self.clock.monotonic().as_nanos() as u64 + self.ticks
    }

    fn fault(&mut self, name: &str) {
        let at = self.now();
        self.ledgers.faults.push(FaultEntry { name: name.to_owned(), at });
    }

    // ---- clients

    async fn submit(&mut self) {
        self.keys += 1;
        let key = format!("k{}", self.keys);
        let lane = self.random.u32(0..12);
        let task = NewTask {
            priority: self.random.u8(0..10),
            max_attempts: MAX_ATTEMPTS,
            order_key: (lane < 4).then(|| format!("lane-{lane}")),
            unique: (lane == 11).then(|| Unique {
                key: "one".to_owned(),
                hold: UniqueWhile::Active,
                on_conflict: OnConflict::Existing,
            }),
            idempotency: Some(Idempotency {
                route: "/v1/tasks",
                key: key.clone(),
                fingerprint: [0; 32],
            }),
            payload: Payload::from_json(format!("\"{key}\"")),
            ..NewTask::new(KindName::new("job").expect("a name"))
        };
        self.send(Unanswered { task, key }).await;
    }

    /// A client without an answer asks again, as a new request under the same key.
    async fn repeat(&mut self) {
        if let Some(mut request) = self.unanswered.pop() {
            request.task.id = TaskId::fresh();
            self.send(request).await;
        }
    }

    /// Cancels one of the last tasks.
    async fn cancel(&mut self) {
        let last = self.accepted.len().saturating_sub(8);
        if let Some(id) = self.random.choice(self.accepted[last..].to_vec()) {
            let grace = Duration::from_secs(10);
            if self.act(id, Wanted::Cancel, ActKind::Cancel { id, grace }).await {
                self.cancelled.push(id);
            }
        }
    }

    /// Opens a task again that was cancelled.
    async fn retry(&mut self) {
        if let Some(id) = self.cancelled.pop() {
            self.act(id, Wanted::Retry, ActKind::Reopen { id }).await;
        }
    }

    async fn act(&mut self, task: TaskId, wanted: Wanted, what: ActKind) -> bool {
        let sent_at = self.now();
        let act = Act { by: "client".to_owned(), tenant: TenantName::default(), what };
        let answer = self.server.store().act(vec![act]).await.expect("act answers").remove(0);
        let answered_at = self.now();
        let told = if answer.is_ok() { Told::Ok } else { Told::Failed };
        let shown = answer.ok().and_then(|acted| acted.task);
        self.ledgers.acts.push(ActEntry {
            task,
            wanted,
            told,
            run: shown.as_ref().map(|task| task.run),
            ended: shown.is_some_and(|task| task.state.is_end()),
            sent_at,
            answered_at,
        });
        told == Told::Ok
    }

    /// Submits a task like one that was cancelled.
    async fn repeat_ended(&mut self) {
        let Some(old) = self.random.choice(self.cancelled.clone()) else { return };
        self.keys += 1;
        let key = format!("k{}", self.keys);
        let task = NewTask {
            max_attempts: MAX_ATTEMPTS,
            replay_of: Some(old),
            idempotency: Some(Idempotency {
                route: "/v1/tasks/{id}/replay",
                key: key.clone(),
                fingerprint: [0; 32],
            }),
            payload: Payload::from_json(format!("\"{key}\"")),
            ..NewTask::new(KindName::new("job").expect("a name"))
        };
        self.send(Unanswered { task, key }).await;
    }

    async fn send(&mut self, request: Unanswered) {
        let sent_at = self.now();
        let tasks = vec![Valid::vouch(request.task.clone())];
        let answer = self.server.store().accept(tasks).await.expect("accept answers").remove(0);
        self.server.accepted();
        self.known.insert(request.task.id);
        let answered_at = self.now();
        let mut entry = ClientEntry {
            key: request.key.clone(),
            task: None,
            told: Told::Unknown,
            sent_at,
            answered_at,
            order_key: request.task.order_key.clone(),
            replayed: false,
            unique: request.task.unique.as_ref().map(|unique| unique.key.clone()),
            existing: false,
        };
        if self.random.u32(0..10) == 0 {
            self.unanswered.push(request);
        } else if let Ok(accepted) = answer {
            entry.told = Told::Ok;
            entry.task = Some(accepted.id);
            entry.replayed = accepted.how.is_replayed();
            entry.existing = accepted.how == AcceptedHow::Existing;
            self.accepted.push(accepted.id);
        } else {
            entry.told = Told::Failed;
        }
        self.ledgers.clients.push(entry);
    }

    // ---- handlers

    async fn claim(&mut self) {
        let inside = self.random.bool();
        let hold = if inside { Hold::Process } else { Hold::Lease { lasts: Some(LEASE) } };
        let place = if inside { "inside" } else { "outside" };
        let incarnation = format!("{place}-{}", self.incarnation);
        let kinds = [KindName::new("job").expect("a name")].into();
        let want = Want {
            queue: QueueName::default(),
            kinds,
            tenant: None,
            outside: [].into(),
            slots: self.random.usize(1..6),
            limit: None,
            rate: None,
        };
        let worker = incarnation.as_str().into();
        let claim = Claim { worker, hold, wants: vec![want], wait: Duration::ZERO };
        for leased in self.server.store().claim(claim).await.expect("claim answers") {
            let start = self.now();
            let entry = self.ledgers.effects.len();
            self.ledgers.effects.push(EffectEntry {
                task: leased.lease.id,
                run: leased.run,
                attempt: leased.attempt,
                token: leased.lease.token.number(),
                key: leased.payload.as_str().trim_matches('"').to_owned(),
                sequence: entry as u64,
                incarnation: incarnation.clone(),
                inside,
                start,
                end: None,
                did: None,
                recorded: Recorded::Unknown,
            });
            self.running.push(Running { leased, entry, hangs: false });
        }
    }

    async fn finish_one(&mut self) {
        if !self.running.is_empty() {
            let n = self.random.usize(0..self.running.len());
            if !self.running[n].hangs || self.random.u32(0..20) == 0 {
                self.finish(n).await;
            }
        }
    }

    async fn finish(&mut self, n: usize) {
        let Running { leased, entry, .. } = self.running.swap_remove(n);
        let outcome = match self.random.u32(0..10) {
            0..3 => Outcome::Fault(Fault::transient("no")),
            _ => Outcome::Success(None),
        };
        let did = if matches!(outcome, Outcome::Success(_)) { Did::Success } else { Did::Failure };
        let budget = Budget { max_attempts: Some(MAX_ATTEMPTS), ..Budget::default() };
        let policy = RetryPolicy::fixed(Duration::from_secs(2));
        let verdict = decide(&outcome, leased.attempt, &policy, budget, self.random.u64(..));
        let error = (did == Did::Failure).then(|| TaskError {
            class: FaultClass::Transient,
            code: None,
            message: "no".to_owned(),
            trace: None,
            at: self.clock.now(),
        });
        let ending = Ending { lease: leased.lease, verdict, result: None, error, then: Vec::new() };
        let end = self.now();
        let answer = self.server.store().record(vec![ending]).await.expect("record answers");
        let entry = &mut self.ledgers.effects[entry];
        entry.end = Some(end);
        entry.did = Some(did);
        entry.recorded = match answer[0] {
            store::Recorded::Applied { .. } => Recorded::Applied,
            store::Recorded::Stale => Recorded::Stale,
        };
    }

    fn handlers_inside_die(&mut self) {
        self.incarnation += 1;
        let effects = &self.ledgers.effects;
        self.running.retain(|running| !effects[running.entry].inside);
    }

    /// An outside handler stops renewing its lease.
    fn hang_one(&mut self) {
        let effects = &self.ledgers.effects;
        let outside = |running: &&mut Running| !effects[running.entry].inside && !running.hangs;
        if let Some(running) = self.running.iter_mut().find(outside) {
            running.hangs = true;
            self.fault("hang");
        }
    }

    // ---- time

    /// Lets time pass; those who do not hang renew their leases, and upkeep does its rounds.
    async fn pass(&mut self, by: Duration) {
        self.clock.advance(by);
        self.heartbeat().await;
        self.upkeep().await;
    }

    /// Sets the wall clock an hour ahead, or back again. No time passes: nobody owes a heartbeat.
    async fn jump_wall(&mut self) {
        let hour = 3_600_000;
        self.is_ahead = !self.is_ahead;
        self.clock.jump_wall(if self.is_ahead { hour } else { -hour });
        self.fault("clock_jump");
        self.upkeep().await;
    }

    async fn heartbeat(&mut self) {
        let awake = self.running.iter().filter(|running| !running.hangs);
        let beat =
            |running: &Running| Extend { lease: running.leased.lease, lasts: None, progress: None };
        self.server.store().extend(awake.map(beat).collect()).await.expect("extend answers");
    }

    async fn upkeep(&mut self) {
        let store = self.server.store();
        store.make_ready().await.expect("make_ready answers");
        store.rescue().await.expect("rescue answers");
    }

    // ---- the observer

    async fn observe_one(&mut self) {
        let n = self.random.usize(0..self.known.len().max(1));
        if let Some(task) = self.known.iter().nth(n).copied() {
            self.observe(task).await;
        }
    }

    async fn observe_all(&mut self) {
        for task in self.known.clone() {
            self.observe(task).await;
        }
    }

    async fn observe(&mut self, id: TaskId) {
        let task = self.server.store().get(TenantName::default(), id).await.expect("get answers");
        let at = self.now();
        let look = match task {
            Some(task) => {
                let (status, run, attempt) = (Status::Is(task.state), task.run, task.attempt);
                Observation { task: id, status, run, attempt, at }
            }
            None => Observation { task: id, status: Status::Absent, run: 0, attempt: 0, at },
        };
        self.ledgers.observations.push(look);
    }
}
