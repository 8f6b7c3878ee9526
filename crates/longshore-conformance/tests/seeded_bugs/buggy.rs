//! The model with a bug put before it.

use longshore_conformance::{ModelStore, async_trait};
use longshore_core::attempt::{Attempt, Token};
use longshore_core::store::{
    Act, ActKind, Acted, AuditLine, Carriage, Carried, Claim, Condition, Controls, Count, Ending,
    Extend, Filter, Fired, Firing, Intake, KnownKind, LeaseRef, LeaseState, Leased, Leases,
    Lifecycle, MarkRef, Moved, Open, Opened, Outbox, Oversight, Page, Pruned, QueueAge, Recorded,
    Refused, Relay, Result, Retention, Schedule, Schedules, SeenWorker, TaskQuery, Term, Told,
    Upkeep, Work, Worker, Workers,
};
use longshore_core::task::{Accepted, AcceptedHow, Durability, Idempotency};
use longshore_core::{
    NewTask, QueueName, State, Task, TaskId, TenantName, Timestamp, Valid, Verdict,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Nothing.
    None,
    /// Accepts are synced to the disk only now and then.
    SkippedFsync,
    /// An end is applied whatever its token, even after another end.
    DoubleRecord,
    /// Now and then, an accept is answered and forgotten.
    AckWithoutCommit,
    /// Tokens count from one at each boot.
    ReusedToken,
    /// Leases are judged by the wall clock.
    WallClockLease,
    /// Idempotency keys are not looked at.
    ForgottenKey,
    /// Lanes are not looked at.
    IgnoredLane,
    /// A failed attempt is given back instead of counted.
    UncountedAttempt,
    /// Now and then, a failure is stored as a success.
    FailureCalledSuccess,
    /// Now and then, a task is stored and its client is refused.
    RefusedButStored,
    /// Unique keys are not looked at.
    IgnoredUnique,
    /// A cancel of a waiting task is answered and not done.
    ForgottenCancel,
    /// A retry is answered and not done.
    ForgottenRetry,
    /// A replay opens the old task again, too.
    ReplayReopens,
    /// The last task that was taken in is cancelled in place of the one that was named.
    WrongOneCancelled,
}

/// Every how many calls a bug of the sort "now and then" strikes.
const NOW_AND_THEN: u32 = 20;

/// The model with a bug put before it.
#[derive(Debug)]
pub(crate) struct Buggy {
    bug: Bug,
    inner: Arc<ModelStore>,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    calls: u32,
    /// What was told outside → the model's own token.
    tokens: HashMap<(TaskId, Token), Token>,
    openings: u64,
    /// Ends that replaced others.
    replaced: HashMap<TaskId, State>,
    /// The last task that was taken in.
    accepted: Option<TaskId>,
}

impl Buggy {
    pub(crate) fn new(bug: Bug, inner: Arc<ModelStore>) -> Self {
        Self { bug, inner, notes: Mutex::default() }
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().expect("no test panics in here")
    }

    /// Whether this is the bug, and now is the time.
    fn strikes(&self, bug: Bug) -> bool {
        if self.bug != bug {
            return false;
        }
        let mut notes = self.notes();
        notes.calls += 1;
        notes.calls.is_multiple_of(NOW_AND_THEN)
    }

    fn bend(&self, task: Valid<NewTask>) -> Valid<NewTask> {
        let mut task = task.into_inner();
        if self.bug == Bug::ForgottenKey {
            task.idempotency = None;
        }
        if self.bug == Bug::IgnoredLane {
            task.order_key = None;
        }
        if self.bug == Bug::IgnoredUnique {
            task.unique = None;
        }
        Valid::vouch(task)
    }

    /// What is answered to an act that is not done.
    async fn made_up_act(&self, act: &Act) -> Option<Acted> {
        let (id, from, to, run) = match (self.bug, &act.what) {
            (Bug::ForgottenCancel, ActKind::Cancel { id, .. }) => {
                (*id, State::Pending, State::Cancelled, 0)
            }
            (Bug::ForgottenRetry, ActKind::Reopen { id }) => {
                (*id, State::Cancelled, State::Pending, 1)
            }
            _ => return None,
        };
        let task = self.inner.get(act.tenant.clone(), id).await.expect("the model reads")?;
        let told = Task { state: to, run: task.run + run, ..task.clone() };
        (task.state == from).then(|| Acted { task: Some(told), count: 1, events: Vec::new() })
    }

    fn misled(&self, act: Act) -> Act {
        let mut notes = self.notes();
        match (self.bug, &act.what) {
            (Bug::WrongOneCancelled, ActKind::Cancel { grace, .. }) => {
                let (grace, other) = (*grace, notes.accepted.take());
                other.map_or(act.clone(), |id| Act { what: ActKind::Cancel { id, grace }, ..act })
            }
            _ => act,
        }
    }

    fn told_token(&self, mut leased: Leased) -> Leased {
        if self.bug == Bug::ReusedToken {
            let mut notes = self.notes();
            notes.openings += 1;
            let told = Token::new(0, notes.openings);
            notes.tokens.insert((leased.lease.id, told), leased.lease.token);
            leased.lease.token = told;
        }
        leased
    }

    fn own_token(&self, lease: LeaseRef) -> LeaseRef {
        let token = self.notes().tokens.get(&(lease.id, lease.token)).copied();
        LeaseRef { token: token.unwrap_or(lease.token), ..lease }
    }

    /// Applies an end that the model called stale.
    async fn force(&self, ending: Ending) -> Recorded {
        let id = ending.lease.id;
        let task = self.inner.get(TenantName::default(), id).await;
        let Some(task) = task.expect("the model reads") else { return Recorded::Stale };
        let (State::Running, Some(token)) = (task.state, task.token) else {
            let state = State::Cancelled;
            self.notes().replaced.insert(id, state);
            let (at, next_at) = (Timestamp::default(), None);
            return Recorded::Applied { state, at, next_at, then: Vec::new(), others: Vec::new() };
        };
        let lease = LeaseRef { token, ..ending.lease };
        self.inner.record(vec![Ending { lease, ..ending }]).await.expect("recorded").remove(0)
    }

    fn shown(&self, task: Task) -> Task {
        let state = self.notes().replaced.get(&task.id).copied();
        Task { state: state.unwrap_or(task.state), ..task }
    }
}

/// An answer to something that was not done.
fn made_up(task: &NewTask) -> Accepted {
    Accepted {
        id: task.id,
        kind: task.kind.clone(),
        queue: task.queue.clone(),
        state: State::Pending,
        run_at: Timestamp::default(),
        created_at: Timestamp::default(),
        durability: Durability::Disk,
        how: AcceptedHow::New,
        others: Vec::new(),
    }
}

#[async_trait]
impl Intake for Buggy {
    async fn accept(&self, tasks: Vec<Valid<NewTask>>) -> Result<Vec<Result<Accepted, Refused>>> {
        let mut answers = Vec::new();
        for task in tasks {
            if self.strikes(Bug::AckWithoutCommit) {
                answers.push(Ok(made_up(&task)));
                continue;
            }
            self.notes().accepted = Some(task.id);
            let (tenant, old) = (task.tenant.clone(), task.replay_of);
            let answer = self.inner.accept(vec![self.bend(task)]).await?.remove(0);
            if let (Bug::ReplayReopens, Some(id)) = (self.bug, old) {
                let what = ActKind::Reopen { id };
                // Of one that succeeded, it is refused.
                let _ = self.inner.act(vec![Act { by: "bug".to_owned(), tenant, what }]).await?;
            }
            let refuse = self.strikes(Bug::RefusedButStored);
            answers.push(if refuse { Err(Refused::KeyReused) } else { answer });
        }
        Ok(answers)
    }

    async fn replay(
        &self,
        tenant: TenantName,
        key: Idempotency,
    ) -> Result<Option<Result<Accepted, Refused>>> {
        self.inner.replay(tenant, key).await
    }

    async fn act(&self, acts: Vec<Act>) -> Result<Vec<Result<Acted, Refused>>> {
        let mut answers = Vec::new();
        for act in acts {
            answers.push(match self.made_up_act(&act).await {
                Some(acted) => Ok(acted),
                None => self.inner.act(vec![self.misled(act)]).await?.remove(0),
            });
        }
        Ok(answers)
    }
}

#[async_trait]
impl Work for Buggy {
    async fn claim(&self, want: Claim) -> Result<Vec<Leased>> {
        let leased = self.inner.claim(want).await?;
        Ok(leased.into_iter().map(|leased| self.told_token(leased)).collect())
    }

    async fn open(&self, want: Open) -> Result<Vec<Opened>> {
        self.inner.open(want).await
    }

    async fn extend(&self, leases: Vec<Extend>) -> Result<Vec<LeaseState>> {
        let own = |asked: Extend| Extend { lease: self.own_token(asked.lease), ..asked };
        self.inner.extend(leases.into_iter().map(own).collect()).await
    }

    async fn record(&self, ends: Vec<Ending>) -> Result<Vec<Recorded>> {
        let mut answers = Vec::new();
        for mut ending in ends {
            ending.lease = self.own_token(ending.lease);
            if matches!(ending.verdict, Verdict::Retry { .. }) {
                if self.bug == Bug::UncountedAttempt {
                    ending.verdict = Verdict::Release;
                } else if self.strikes(Bug::FailureCalledSuccess) {
                    ending.verdict = Verdict::Complete;
                }
            }
            let mut answer = self.inner.record(vec![ending.clone()]).await?.remove(0);
            if answer == Recorded::Stale && self.bug == Bug::DoubleRecord {
                answer = self.force(ending).await;
            }
            answers.push(answer);
        }
        Ok(answers)
    }
}

#[async_trait]
impl Upkeep for Buggy {
    async fn make_ready(&self) -> Result<Moved> {
        self.inner.make_ready().await
    }

    async fn rescue(&self) -> Result<Moved> {
        self.inner.rescue().await
    }

    async fn expire(&self) -> Result<Moved> {
        self.inner.expire().await
    }

    async fn prune(&self, keep: &Retention) -> Result<Pruned> {
        self.inner.prune(keep).await
    }
}

#[async_trait]
impl Carriage for Buggy {
    async fn outbox(&self, want: Relay) -> Result<Outbox> {
        self.inner.outbox(want).await
    }

    async fn relayed(&self, marks: Vec<MarkRef>) -> Result<()> {
        self.inner.relayed(marks).await
    }

    async fn carried(&self, queue: &QueueName) -> Result<Vec<Carried>> {
        self.inner.carried(queue).await
    }

    async fn lost(&self, marks: Vec<MarkRef>) -> Result<usize> {
        self.inner.lost(marks).await
    }
}

#[async_trait]
impl TaskQuery for Buggy {
    async fn get(&self, tenant: TenantName, id: TaskId) -> Result<Option<Task>> {
        Ok(self.inner.get(tenant, id).await?.map(|task| self.shown(task)))
    }

    async fn page(&self, filter: Filter) -> Result<Page> {
        let Page { items, next } = self.inner.page(filter).await?;
        Ok(Page { items: items.into_iter().map(|task| self.shown(task)).collect(), next })
    }

    async fn counters(&self) -> Result<Vec<Count>> {
        self.inner.counters().await
    }

    async fn attempts(&self, tenant: TenantName, id: TaskId) -> Result<Option<Vec<Attempt>>> {
        self.inner.attempts(tenant, id).await
    }
}

#[async_trait]
impl Oversight for Buggy {
    async fn controls(&self) -> Result<Controls> {
        self.inner.controls().await
    }

    async fn audit(&self, before: Option<u64>, limit: usize) -> Result<Vec<AuditLine>> {
        self.inner.audit(before, limit).await
    }

    async fn ages(&self) -> Result<Vec<QueueAge>> {
        self.inner.ages().await
    }
}

#[async_trait]
impl Schedules for Buggy {
    async fn put_schedule(
        &self,
        schedule: Schedule,
        before: Option<u64>,
    ) -> Result<Result<Schedule, Refused>> {
        self.inner.put_schedule(schedule, before).await
    }

    async fn remove_schedule(&self, tenant: &TenantName, id: uuid::Uuid) -> Result<bool> {
        self.inner.remove_schedule(tenant, id).await
    }

    async fn schedules(&self, tenant: Option<TenantName>) -> Result<Vec<Schedule>> {
        self.inner.schedules(tenant).await
    }

    async fn due_schedules(&self, limit: usize) -> Result<(Vec<Schedule>, Option<Timestamp>)> {
        self.inner.due_schedules(limit).await
    }

    async fn fire(&self, firings: Vec<Firing>) -> Result<Vec<Fired>> {
        self.inner.fire(firings).await
    }
}

#[async_trait]
impl Leases for Buggy {
    async fn acquire(
        &self,
        name: &str,
        holder: &str,
        lasts: std::time::Duration,
    ) -> Result<Option<Term>> {
        self.inner.acquire(name, holder, lasts).await
    }

    async fn renew(&self, term: &Term, lasts: std::time::Duration) -> Result<bool> {
        self.inner.renew(term, lasts).await
    }
}

#[async_trait]
impl Lifecycle for Buggy {
    async fn condition(&self) -> Result<Condition> {
        self.inner.condition().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

#[async_trait]
impl Workers for Buggy {
    async fn announce(
        &self,
        worker: Worker,
        kinds: Vec<KnownKind>,
        lasts: std::time::Duration,
    ) -> Result<Told> {
        self.inner.announce(worker, kinds, lasts).await
    }

    async fn leave(&self, id: &str) -> Result<()> {
        self.inner.leave(id).await
    }

    async fn drain(&self, id: &str) -> Result<bool> {
        self.inner.drain(id).await
    }

    async fn workers(&self) -> Result<Vec<SeenWorker>> {
        self.inner.workers().await
    }

    async fn known_kinds(&self) -> Result<Vec<KnownKind>> {
        self.inner.known_kinds().await
    }
}
