//! The bench a case works on: a rig, and the verbs that keep cases short.

use super::Rig;
use longshore_core::attempt::{Attempt, AttemptOutcome, TaskError};
use longshore_core::queue::Scope;
use longshore_core::store::{
    Act, ActKind, Acted, Claim, Ending, Extend, Hold, LeaseRef, LeaseState, Leased, Marked, Open,
    Opened, Outbox, Recorded, Refused, Relay, Store, Want,
};
use longshore_core::task::Accepted;
use longshore_core::{
    Clock, FaultClass, KindName, NewTask, Payload, QueueName, State, Task, TaskId, TenantName,
    Timestamp, Valid, Verdict,
};
use std::sync::Arc;
use std::time::Duration;

/// One day.
pub(super) const DAY: Duration = Duration::from_secs(86_400);
/// How long the leases of [`Bench::claim`] last.
pub(super) const LEASE: Duration = Duration::from_secs(15);

/// Seconds.
pub(super) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Lets what others do, and a store's threads, come to rest.
pub(super) async fn rest() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

pub(super) fn kind(name: &str) -> KindName {
    KindName::new(name).expect("a kind's name")
}

pub(super) fn queue(name: &str) -> QueueName {
    QueueName::new(name).expect("a queue's name")
}

pub(super) fn tenant(name: &str) -> TenantName {
    TenantName::new(name).expect("a tenant's name")
}

/// A task of kind `job` with every default. Its id was drawn; a case that sets another one says so.
pub(super) fn job() -> NewTask {
    NewTask { id_is_chosen: false, ..NewTask::new(kind("job")) }
}

/// A task of kind `job` in the lane `key`.
pub(super) fn in_lane(key: &str) -> NewTask {
    NewTask { order_key: Some(key.to_owned()), ..job() }
}

/// What a failing handler says.
pub(super) fn error(message: &str) -> TaskError {
    TaskError {
        class: FaultClass::Transient,
        code: Some("test.1".to_owned()),
        message: message.to_owned(),
        trace: None,
        at: Timestamp(1_767_225_600_000),
    }
}

/// Another attempt after `after`.
pub(super) fn retry(after: Duration) -> Verdict {
    Verdict::Retry { after }
}

/// A rig, and the verbs that keep cases short. What may fail for reasons of the store itself
/// panics here: a case is about single tasks.
pub(super) struct Bench {
    rig: Box<dyn Rig>,
}

impl Bench {
    pub(super) fn new(rig: Box<dyn Rig>) -> Self {
        Self { rig }
    }

    pub(super) fn operations(&self) -> usize {
        self.rig.operations()
    }

    pub(super) fn store(&self) -> Arc<dyn Store> {
        self.rig.store()
    }

    pub(super) fn clock(&self) -> Arc<crate::ManualClock> {
        self.rig.clock()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.rig.clock().now()
    }

    /// Lets time pass.
    pub(super) fn pass(&self, by: Duration) {
        self.rig.clock().advance(by);
    }

    /// Lets the process die, and opens what it left.
    pub(super) async fn reboot(&self) {
        self.rig.reboot().await;
    }

    // ---- intake

    /// Accepts a batch.
    pub(super) async fn accept(&self, tasks: Vec<NewTask>) -> Vec<Result<Accepted, Refused>> {
        let count = tasks.len();
        let tasks = tasks.into_iter().map(Valid::vouch).collect();
        let answers = self.store().accept(tasks).await.expect("accept answers");
        assert_eq!(answers.len(), count, "each task of a batch has its answer");
        answers
    }

    /// Asks for one task, which may be refused.
    pub(super) async fn ask(&self, task: NewTask) -> Result<Accepted, Refused> {
        self.accept(vec![task]).await.remove(0)
    }

    /// Submits one task, which must be accepted.
    pub(super) async fn submit(&self, task: NewTask) -> TaskId {
        self.ask(task).await.expect("the task is accepted").id
    }

    /// Submits so many tasks of kind `job`.
    pub(super) async fn submit_jobs(&self, count: usize) -> Vec<TaskId> {
        let answers = self.accept((0..count).map(|_| job()).collect()).await;
        answers.into_iter().map(|answer| answer.expect("accepted").id).collect()
    }

    /// Acts as the tenant `default`.
    pub(super) async fn act(&self, what: ActKind) -> Result<Acted, Refused> {
        self.act_as(TenantName::default(), what).await
    }

    pub(super) async fn act_as(&self, tenant: TenantName, what: ActKind) -> Result<Acted, Refused> {
        let act = Act { by: "the suite".to_owned(), tenant, what };
        self.store().act(vec![act]).await.expect("act answers").remove(0)
    }

    pub(super) async fn cancel(&self, id: TaskId) -> Result<Acted, Refused> {
        self.act(ActKind::Cancel { id, grace: secs(10) }).await
    }

    pub(super) async fn reopen(&self, id: TaskId) -> Result<Acted, Refused> {
        self.act(ActKind::Reopen { id }).await
    }

    pub(super) async fn discard(&self, id: TaskId) -> Result<Acted, Refused> {
        self.act(ActKind::Discard { id }).await
    }

    pub(super) async fn pause(&self, scope: Scope) {
        self.act(ActKind::Pause(scope)).await.expect("paused");
    }

    pub(super) async fn resume(&self, scope: Scope) {
        self.act(ActKind::Resume(scope)).await.expect("resumed");
    }

    /// Gives a queue to a broker, or back to the store.
    pub(super) async fn carry(&self, name: &str, carrier: Option<&str>) {
        let carrier = carrier.map(str::to_owned);
        self.act(ActKind::Carry { queue: queue(name), carrier }).await.expect("carried");
    }

    // ---- work

    /// A request for work of kinds `job`, `a`, `b` and `c` in the queue `default`, under leases of
    /// 15 s, that does not wait.
    pub(super) fn request(&self, slots: usize) -> Claim {
        Claim {
            worker: "worker-1".into(),
            hold: Hold::Lease { lasts: Some(LEASE) },
            wants: vec![self.want("default", slots)],
            wait: Duration::ZERO,
        }
    }

    /// Room for kinds `job`, `a`, `b` and `c`.
    pub(super) fn want(&self, name: &str, slots: usize) -> Want {
        let kinds = ["job", "a", "b", "c"].map(kind).into();
        Want {
            queue: queue(name),
            tenant: None,
            kinds,
            outside: [].into(),
            slots,
            limit: None,
            rate: None,
        }
    }

    pub(super) async fn claim_with(&self, claim: Claim) -> Vec<Leased> {
        self.store().claim(claim).await.expect("claim answers")
    }

    /// Claims at most so many under timed leases.
    pub(super) async fn claim(&self, slots: usize) -> Vec<Leased> {
        self.claim_with(self.request(slots)).await
    }

    /// Claims at most so many for as long as the process lives.
    pub(super) async fn claim_inside(&self, slots: usize) -> Vec<Leased> {
        self.claim_with(Claim { hold: Hold::Process, ..self.request(slots) }).await
    }

    /// Claims the only task that is ready.
    pub(super) async fn claim_one(&self) -> Leased {
        let mut leased = self.claim(10).await;
        assert_eq!(leased.len(), 1, "one task is ready");
        leased.remove(0)
    }

    /// Claims the next task and tells which that is.
    pub(super) async fn next(&self) -> Option<TaskId> {
        self.claim(1).await.first().map(|leased| leased.lease.id)
    }

    /// Claims everything that is ready, in order.
    pub(super) async fn all_ready(&self) -> Vec<TaskId> {
        self.claim(1_000).await.iter().map(|leased| leased.lease.id).collect()
    }

    /// Claims and completes one task after the other, and tells their order.
    pub(super) async fn work_off(&self) -> Vec<TaskId> {
        let mut order = Vec::new();
        while let Some(leased) = self.claim(1).await.pop() {
            self.end(&leased.lease, Verdict::Complete).await;
            order.push(leased.lease.id);
        }
        order
    }

    /// Records an end without a result; failures carry the error "no".
    pub(super) async fn try_end(&self, lease: &LeaseRef, verdict: Verdict) -> Recorded {
        let failed = matches!(verdict, Verdict::Retry { .. } | Verdict::Bury(_));
        let error = failed.then(|| error("no"));
        self.record(Ending { lease: *lease, verdict, result: None, error, then: Vec::new() }).await
    }

    /// Records an end, which must be applied. Returns where the task stands.
    pub(super) async fn end(&self, lease: &LeaseRef, verdict: Verdict) -> State {
        match self.try_end(lease, verdict).await {
            Recorded::Applied { state, .. } => state,
            Recorded::Stale => panic!("the lease on {} is not current", lease.id),
        }
    }

    pub(super) async fn record(&self, ending: Ending) -> Recorded {
        self.store().record(vec![ending]).await.expect("record answers").remove(0)
    }

    /// Ends a task as buried: submitted, claimed, failed for good. It must be the only ready one.
    pub(super) async fn bury(&self, task: NewTask) -> TaskId {
        let id = self.submit(task).await;
        let leased = self.claim_one().await;
        assert_eq!(leased.lease.id, id);
        self.end(&leased.lease, Verdict::Bury(longshore_core::retry::BuryReason::Exhausted)).await;
        id
    }

    /// The heartbeat of one lease.
    pub(super) async fn extend(&self, lease: &LeaseRef, progress: Option<Payload>) -> LeaseState {
        self.extend_with(Extend { lease: *lease, lasts: None, progress }).await
    }

    pub(super) async fn extend_with(&self, extend: Extend) -> LeaseState {
        self.store().extend(vec![extend]).await.expect("extend answers").remove(0)
    }

    /// Whether an opening is still held.
    pub(super) async fn holds(&self, lease: &LeaseRef) -> bool {
        self.extend(lease, None).await != LeaseState::Lost
    }

    /// Opens one task that a broker carried.
    pub(super) async fn open(&self, id: TaskId, hold: Hold) -> Opened {
        self.open_with(Open { hold, ..self.opening(vec![id]) }).await.remove(0)
    }

    /// A request to open tasks of the queue `default`, under leases of 15 s.
    pub(super) fn opening(&self, ids: Vec<TaskId>) -> Open {
        Open {
            ids,
            queue: queue("default"),
            worker: "carrier-1".into(),
            hold: Hold::Lease { lasts: Some(LEASE) },
            limit: None,
            rate: None,
        }
    }

    pub(super) async fn open_with(&self, want: Open) -> Vec<Opened> {
        self.store().open(want).await.expect("open answers")
    }

    // ---- upkeep

    /// Lets time pass, and makes ready what is due then.
    pub(super) async fn pass_and_make_ready(&self, by: Duration) {
        self.pass(by);
        self.store().make_ready().await.expect("make_ready answers");
    }

    /// A request for marks of the queue `default` that does not wait.
    pub(super) fn relay(&self) -> Relay {
        Relay { queue: queue("default"), window: 1_000, limit: 1_000, wait: Duration::ZERO }
    }

    pub(super) async fn outbox_with(&self, want: Relay) -> Outbox {
        self.store().outbox(want).await.expect("outbox answers")
    }

    /// What is to be given to the broker of the queue `default`.
    pub(super) async fn outbox(&self) -> Vec<TaskId> {
        self.marks().await.iter().map(|mark| mark.id).collect()
    }

    /// The same, with its marks.
    pub(super) async fn marks(&self) -> Vec<Marked> {
        self.outbox_with(self.relay()).await.marks
    }

    /// Notes that the broker has these.
    pub(super) async fn relayed(&self, marks: &[Marked]) {
        let marks = marks.iter().map(|marked| marked.mark).collect();
        self.store().relayed(marks).await.expect("noted");
    }

    // ---- reading

    /// Reads a task of the tenant `default`.
    pub(super) async fn task(&self, id: TaskId) -> Task {
        let task = self.store().get(TenantName::default(), id).await.expect("get answers");
        task.unwrap_or_else(|| panic!("task {id} is there"))
    }

    pub(super) async fn state(&self, id: TaskId) -> State {
        self.task(id).await.state
    }

    /// State and reason of a task.
    pub(super) async fn fate(&self, id: TaskId) -> (State, Option<String>) {
        let task = self.task(id).await;
        (task.state, task.reason)
    }

    pub(super) async fn attempts(&self, id: TaskId) -> Vec<Attempt> {
        let attempts = self.store().attempts(TenantName::default(), id).await;
        attempts.expect("attempts answers").unwrap_or_else(|| panic!("task {id} is there"))
    }

    /// How the openings of a task ended; nothing for one that runs.
    pub(super) async fn outcomes(&self, id: TaskId) -> Vec<Option<AttemptOutcome>> {
        self.attempts(id).await.iter().map(|attempt| attempt.outcome).collect()
    }
}

/// A state and a reason, to compare with [`Bench::fate`].
pub(super) fn fate(state: State, reason: &str) -> (State, Option<String>) {
    (state, Some(reason.to_owned()))
}
