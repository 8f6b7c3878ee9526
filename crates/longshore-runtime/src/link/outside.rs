//! What workers outside may ask for.

use crate::consumer::Context;
use crate::intake::OURS;
use crate::registry::Kind;
use longshore_core::attempt::TaskError;
use longshore_core::rule::apply;
use longshore_core::store::{
    Act, ActKind, Claim, Ending, Extend, Hold, KnownKind, LeaseRef, LeaseState, Leased, Recorded,
    Share, StoreError, Told, Want, Worker,
};
use longshore_core::{
    Budget, Fault, KindName, Outcome, Payload, QueueName, RetryPolicy, Span, State, Task,
    TenantName, Timestamp, Token, Verdict, decide,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The shortest lease.
pub const MIN_LEASE: Duration = Duration::from_secs(5);
/// A worker that asks again and again is noted this often.
const NOTED_EVERY: Duration = Duration::from_secs(5);
/// With more hand-outs remembered than that, those whose lease has ended are forgotten.
const REMEMBERED: usize = 10_000;
/// What a lease of no named length lasts beyond the task's timeout.
const BEYOND_TIMEOUT: Duration = Duration::from_secs(10);

/// What a worker asks for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its name.
    pub worker: Arc<str>,
    /// What it says of itself, such as a program's name and version.
    pub version: String,
    /// Where it is.
    pub host: String,
    /// Whose tasks it may have; nothing means everybody's.
    pub tenant: Option<TenantName>,
    /// From these queues, the first one first.
    pub queues: Vec<QueueName>,
    /// Of these kinds.
    pub kinds: Arc<[KindName]>,
    /// At most so many.
    pub max: usize,
    /// How long to wait for the first.
    pub wait: Duration,
    /// How long it holds them without another word; nothing means their timeout and 10 s.
    pub lease: Option<Duration>,
}

/// Where a task stands after an end that was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub state: State,
    /// When it is due again, if it is.
    pub next_at: Option<Timestamp>,
}

/// The lease is not held any more: nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LateLease;

/// Why nothing became of what a worker told.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LeaseRefused {
    /// It comes too late.
    #[error("the lease is not held any more: nothing was changed")]
    Late,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Tasks that are on their way to a worker: dropped, they are given back.
struct Hand {
    leased: Vec<Leased>,
    context: Arc<Context>,
}

impl Drop for Hand {
    fn drop(&mut self) {
        let leases: Vec<LeaseRef> = self.leased.iter().map(|leased| leased.lease).collect();
        if let (false, Ok(threads)) = (leases.is_empty(), tokio::runtime::Handle::try_current()) {
            let context = self.context.clone();
            threads.spawn(async move { give_back(leases, &context).await });
        }
    }
}

async fn give_back(leases: Vec<LeaseRef>, cx: &Context) {
    let back = |lease| ending(lease, Verdict::Release, None, None);
    if let Err(error) = cx.store.record(leases.into_iter().map(back).collect()).await {
        tracing::warn!(%error, "tasks that did not reach their worker come back when their lease ends");
    }
}

/// Serves workers outside of this process.
#[derive(Debug)]
pub struct Outside {
    context: Arc<Context>,
    /// When each worker was noted last, and whether it is to take nothing new.
    noted: Mutex<HashMap<Arc<str>, (Instant, bool)>>,
    /// What was handed out here, for the metrics.
    given: Mutex<HashMap<Token, Given>>,
}

#[derive(Debug)]
struct Given {
    tenant: TenantName,
    queue: QueueName,
    kind: KindName,
    ready_at: Timestamp,
    started_at: Timestamp,
    expires_at: Option<Timestamp>,
}

impl Outside {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self { context, noted: Mutex::default(), given: Mutex::default() }
    }

    /// Hands ready tasks out. Dropping the future hands out nothing.
    pub async fn lease(&self, mut asked: Asked) -> Result<Vec<Leased>, StoreError> {
        // What the server does itself is nobody's to take.
        if asked.kinds.iter().any(|kind| kind.as_str().starts_with(OURS)) {
            let others = asked.kinds.iter().filter(|kind| !kind.as_str().starts_with(OURS));
            asked.kinds = others.cloned().collect();
        }
        let cx = &self.context;
        let drain = self.note(&asked).await?;
        if drain {
            // It is told by getting nothing.
            tokio::time::sleep(asked.wait).await;
            return Ok(Vec::new());
        }
        let now = cx.live.now();
        let hold = Hold::Lease { lasts: asked.lease.map(|lease| lease.max(MIN_LEASE)) };
        // What it holds is given back if this is broken off.
        let mut hand = Hand { leased: Vec::new(), context: cx.clone() };
        // Each queue may be asked for all; what one gives is missing in the others.
        let wants = |left: usize| {
            let want = |queue: &QueueName| Want {
                queue: queue.clone(),
                tenant: asked.tenant.clone(),
                kinds: asked.kinds.clone(),
                outside: [].into(),
                slots: left,
                limit: now.settings(queue).limit,
                rate: now.settings(queue).rate,
            };
            asked.queues.iter().map(want).collect::<Vec<_>>()
        };
        let claim = |wants, wait| Claim { worker: asked.worker.clone(), hold, wants, wait };
        for want in wants(asked.max) {
            let left = asked.max - hand.leased.len();
            if left == 0 {
                break;
            }
            let want = Want { slots: left, ..want };
            match cx.store.claim(claim(vec![want], Duration::ZERO)).await {
                Ok(more) => hand.leased.extend(more),
                Err(error) if hand.leased.is_empty() => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "a worker's request was served in part");
                    break;
                }
            }
        }
        if hand.leased.is_empty() && !asked.wait.is_zero() {
            // Whatever comes first: one queue alone may give all that there is room for.
            let share = asked.max.div_ceil(asked.queues.len().max(1));
            hand.leased = cx.store.claim(claim(wants(share), asked.wait)).await?;
            let leased = hand.leased.split_off(hand.leased.len().min(asked.max));
            drop(Hand { leased, context: cx.clone() }); // more than there is room for
        }
        self.remember(&hand.leased);
        Ok(std::mem::take(&mut hand.leased))
    }

    /// Hands tasks out to a linked worker. Dropping the future hands out nothing.
    pub async fn claim(&self, claim: Claim) -> Result<Vec<Leased>, StoreError> {
        let leased = self.context.store.claim(claim).await?;
        self.remember(&leased);
        Ok(leased)
    }

    /// Takes the ends that a linked worker tells.
    pub async fn record_all(&self, ends: Vec<Ending>) -> Result<Vec<Recorded>, StoreError> {
        let leases: Vec<LeaseRef> = ends.iter().map(|end| end.lease).collect();
        let recorded = self.context.store.record(ends).await?;
        for (lease, recorded) in leases.iter().zip(&recorded) {
            self.emit(lease, recorded);
        }
        Ok(recorded)
    }

    /// Notes that a linked worker lives, and which kinds it runs.
    pub async fn announce(
        &self,
        worker: Worker,
        kinds: Vec<KnownKind>,
        lasts: Duration,
    ) -> Result<Told, StoreError> {
        let cx = &self.context;
        let registry = cx.live.registry();
        let news = kinds.iter().any(|kind| registry.kind(kind.name.as_str()).is_none());
        let told = cx.store.announce(worker, kinds, lasts).await?;
        if news {
            cx.live.learn(&*cx.store).await?;
        }
        Ok(told)
    }

    /// Tells those who wait, and counts.
    fn emit(&self, lease: &LeaseRef, recorded: &Recorded) {
        let cx = &self.context;
        match recorded {
            Recorded::Applied { state, next_at, others, .. } => {
                cx.hub.emit(lease.id, *state);
                cx.hub.emit_all(others);
                if let Some(at) = next_at {
                    cx.nudge.due(*at);
                }
                self.count(lease, *state);
            }
            Recorded::Stale => cx.telemetry.stale(),
        }
    }

    fn remember(&self, leased: &[Leased]) {
        let now = self.context.clock.now();
        let mut given = self.given();
        if given.len() > REMEMBERED {
            given.retain(|_, given| given.expires_at.is_some_and(|at| at > now));
        }
        for Leased { lease, tenant, kind, queue, ready_at, started_at, expires_at, .. } in leased {
            let (tenant, queue, kind) = (tenant.clone(), queue.clone(), kind.clone());
            let (ready_at, started_at, expires_at) = (*ready_at, *started_at, *expires_at);
            let task = Given { tenant, queue, kind, ready_at, started_at, expires_at };
            given.insert(lease.token, task);
        }
    }

    /// Counts an end; of one that another server handed out little is known.
    fn count(&self, lease: &LeaseRef, became: State) {
        let Context { telemetry, clock, .. } = &*self.context;
        let given = self.given().remove(&lease.token);
        match given {
            Some(Given { queue, kind, ready_at, started_at, .. }) => {
                let (waited, ran) = (started_at.since(ready_at), clock.now().since(started_at));
                telemetry.attempt(&queue, &kind, became, waited, ran);
            }
            None => telemetry.elsewhere(became),
        }
    }

    /// Returns the queue of the task of a lease, if it is the tenant's.
    pub async fn queue_of(
        &self,
        tenant: TenantName,
        lease: &LeaseRef,
    ) -> Result<Option<QueueName>, StoreError> {
        let here = self
            .given()
            .get(&lease.token)
            .map(|given| (given.tenant == tenant, given.queue.clone()));
        match here {
            Some((own, queue)) => Ok(own.then_some(queue)),
            None => Ok(self.context.store.get(tenant, lease.id).await?.map(|task| task.queue)),
        }
    }

    /// Asks a worker to begin nothing new; false if there is none of that name.
    pub async fn drain(
        &self,
        by: &str,
        tenant: TenantName,
        worker: &str,
    ) -> Result<bool, StoreError> {
        let found = self.context.store.drain(worker).await?;
        if found {
            let (act, target) = ("drain".to_owned(), Some(format!("worker {worker}")));
            let what = ActKind::Note { act, target, before: None, after: None };
            self.context.store.act(vec![Act { by: by.to_owned(), tenant, what }]).await?;
        }
        Ok(found)
    }

    /// Gives tasks back that did not reach their worker.
    pub async fn give_back(&self, leases: Vec<LeaseRef>) {
        give_back(leases, &self.context).await;
    }

    /// Notes a success.
    pub async fn complete(
        &self,
        lease: LeaseRef,
        result: Option<Payload>,
    ) -> Result<Standing, LeaseRefused> {
        self.record(ending(lease, Verdict::Complete, result, None)).await
    }

    /// Gives a task back: it costs no attempt.
    pub async fn release(&self, lease: LeaseRef) -> Result<Standing, LeaseRefused> {
        self.record(ending(lease, Verdict::Release, None, None)).await
    }

    /// Notes a failure, and decides what follows.
    pub async fn fail(
        &self,
        tenant: TenantName,
        lease: LeaseRef,
        fault: Fault,
    ) -> Result<Standing, LeaseRefused> {
        let cx = &self.context;
        let task = cx.store.get(tenant, lease.id).await?.ok_or(LeaseRefused::Late)?;
        if task.state != State::Running || task.token != Some(lease.token) {
            return Err(LeaseRefused::Late);
        }
        let registry = cx.live.registry();
        let kind = registry.kind(task.kind.as_str());
        let outcome = Outcome::Fault(fault);
        let outcome = match kind {
            Some(kind) => apply(&kind.on_error, outcome),
            None => outcome,
        };
        let budget = Budget {
            max_attempts: Some(task.max_attempts),
            total_left: self.total_left(&task).await?,
            cancel_asked: false, // the store knows, and goes before this
        };
        let default = RetryPolicy::default();
        let policy = kind.map_or(&default, |kind| &kind.retry);
        let verdict = decide(&outcome, task.attempt, policy, budget, fastrand::u64(..));
        let error = match outcome {
            Outcome::Fault(Fault { class, code, message, trace, .. }) => {
                Some(TaskError { class, code, message, trace, at: cx.clock.now() })
            }
            _ => None,
        };
        self.record(ending(lease, verdict, None, error)).await
    }

    /// Holds a lease on, and tells whether somebody asked to cancel, and until when it is held.
    pub async fn extend(
        &self,
        lease: LeaseRef,
        lasts: Option<Duration>,
        progress: Option<Payload>,
    ) -> Result<(bool, Option<Timestamp>), LeaseRefused> {
        let lasts = lasts.map(|lasts| lasts.max(MIN_LEASE));
        let extend = Extend { lease, lasts, progress };
        match self.context.store.extend(vec![extend]).await?.pop() {
            Some(LeaseState::Held { cancel_asked, expires_at }) => Ok((cancel_asked, expires_at)),
            Some(LeaseState::Lost) | None => Err(LeaseRefused::Late),
        }
    }

    async fn record(&self, ending: Ending) -> Result<Standing, LeaseRefused> {
        match self.record_all(vec![ending]).await?.pop() {
            Some(Recorded::Applied { state, next_at, .. }) => {
                Ok(Standing { state, next_at: next_at.filter(|_| !state.is_end()) })
            }
            Some(Recorded::Stale) | None => Err(LeaseRefused::Late),
        }
    }

    /// What is left of the total timeout: it runs from the first opening of this run.
    async fn total_left(&self, task: &Task) -> Result<Option<Duration>, StoreError> {
        let Some(Span(total)) = task.total_timeout else { return Ok(None) };
        let attempts = self.context.store.attempts(task.tenant.clone(), task.id).await?;
        let of_run = attempts.into_iter().flatten().find(|attempt| attempt.run == task.run);
        let began = of_run.map(|attempt| attempt.started_at).or(task.started_at);
        let spent = began.map_or(Duration::ZERO, |began| self.context.clock.now().since(began));
        Ok(Some(total.saturating_sub(spent)))
    }

    /// Notes who asks, and kinds that nobody else knows.
    async fn note(&self, asked: &Asked) -> Result<bool, StoreError> {
        let cx = &self.context;
        let registry = cx.live.registry();
        let known = |kind: &KindName| registry.kind(kind.as_str()).is_some();
        let queue = || asked.queues.first().cloned().unwrap_or_default();
        let news: Vec<KnownKind> = asked
            .kinds
            .iter()
            .filter(|kind| !known(kind))
            .map(|kind| Kind::pulled(kind.clone()).queue(queue()).to_be_known())
            .collect();
        if news.is_empty()
            && let Some(drain) = self.noted_before(&asked.worker)
        {
            return Ok(drain);
        }
        let share = |queue: &QueueName| Share {
            queue: queue.clone(),
            slots: u32::try_from(asked.max).unwrap_or(u32::MAX),
            used: 0,
        };
        let worker = Worker {
            id: asked.worker.clone(),
            host: asked.host.clone(),
            pid: 0,
            version: asked.version.clone(),
            started_at: cx.clock.now(),
            kinds: asked.kinds.to_vec(),
            queues: asked.queues.iter().map(share).collect(),
            tasks: Vec::new(),
            draining: false,
        };
        let lasts = asked.wait + asked.lease.unwrap_or(BEYOND_TIMEOUT) + NOTED_EVERY;
        let is_new = !news.is_empty();
        let told = cx.store.announce(worker, news, lasts).await?;
        self.noted().insert(asked.worker.clone(), (Instant::now(), told.drain));
        if is_new {
            cx.live.learn(&*cx.store).await?;
        }
        Ok(told.drain)
    }

    /// What a worker was told when it was noted just now: whether it is to take nothing new.
    fn noted_before(&self, worker: &str) -> Option<bool> {
        let mut noted = self.noted();
        noted.retain(|_, (at, _)| at.elapsed() < NOTED_EVERY);
        noted.get(worker).map(|(_, drain)| *drain)
    }

    fn given(&self) -> MutexGuard<'_, HashMap<Token, Given>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<Arc<str>, (Instant, bool)>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ending(
    lease: LeaseRef,
    verdict: Verdict,
    result: Option<Payload>,
    error: Option<TaskError>,
) -> Ending {
    Ending { lease, verdict, result, error, then: Vec::new() }
}
