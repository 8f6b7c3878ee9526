//! The store as the floors above see it.

use crate::engine::{Engine, Way};
use crate::error::{OpenError, Trouble};
use crate::index::first_due;
use crate::jobs::*;
use crate::open::{self, Threads};
use crate::options::Options;
use crate::survey::Survey;
use crate::{audit, list, oversight, overview, tasks};
use async_trait::async_trait;
use longshore_core::store::{
    Act, Acted, AuditLine, Carriage, Carried, Claim, Condition, Controls, Count, Ending,
    ErrorClass, Extend, Filter, Fired, Firing, Intake, KnownKind, LeaseState, Leased, Leases,
    Lifecycle, MarkRef, Moved, Open, Opened, Outbox, Oversight, Overview, Page, Pruned, QueueAge,
    Recorded, Refused, Relay, Result, Retention, Schedule, Schedules, SeenWorker, StoreError,
    TaskQuery, Term, Told, Upkeep, Work, Worker, Workers,
};
use longshore_core::task::{Accepted, Idempotency};
use longshore_core::{Attempt, NewTask, QueueName, Task, TaskId, TenantName, Timestamp, Valid};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// A store in a PostgreSQL database, opened by this process beside others.
#[derive(Debug)]
pub struct PostgresStore {
    engine: Arc<Engine>,
    /// Nothing once it was closed.
    threads: Mutex<Option<Threads>>,
    /// True at the end of a close that has begun; then nobody sends any more.
    ending: Mutex<Option<watch::Receiver<bool>>>,
}

impl PostgresStore {
    /// Opens the database: makes its schema or brings it up to this version, signs in, and takes back what
    /// an earlier opening under the same name held. Does not wait for a database that is away: see
    /// [`OpenError::may_pass`].
    pub async fn open(options: Options) -> std::result::Result<Self, OpenError> {
        let (engine, threads) = open::open(options).await?;
        Ok(Self { engine, threads: Mutex::new(Some(threads)), ending: Mutex::default() })
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Goes on with an act until it is done. Others are served in between.
    async fn finish(&self, act: &Act, done: tasks::Done) -> Result<Acted> {
        let tasks::Done { mut acted, mut rest, .. } = done;
        while let Some(below) = rest {
            let more = self.engine.run(PurgeOn { act: act.clone(), below }).await;
            let more = more.map_err(|error| match error.class() {
                ErrorClass::Final => error,
                _ => StoreError::Unknown { why: format!("a purge was broken off: {error}") },
            })?;
            acted.count += more.acted.count;
            acted.events.extend(more.acted.events);
            rest = more.rest;
        }
        Ok(acted)
    }

    async fn survey(&self) -> Result<Survey> {
        let seen = self.before_a_look();
        let survey = self
            .engine
            .ask(|engine, link| Box::pin(async move { Survey::take(&link, &engine.base).await }))
            .await;
        let survey = survey.inspect_err(|_| self.engine.pulse.note_absence())?;
        self.after_a_look(&survey, seen);
        Ok(survey)
    }

    /// Whoever was away gives the others time. Returns what is known of suspects.
    fn before_a_look(&self) -> u64 {
        let base = &self.engine.base;
        if self.engine.pulse.take_absence() {
            base.watches.lock().grant_grace(base.clock.monotonic());
        }
        base.suspects()
    }

    fn after_a_look(&self, survey: &Survey, seen: u64) {
        if survey.suspects {
            self.engine.base.note_suspect();
        } else {
            self.engine.base.note_no_suspect(seen);
        }
        self.engine.hub.note_peers(survey.peers);
    }
}

#[async_trait]
impl Intake for PostgresStore {
    async fn accept(&self, tasks: Vec<Valid<NewTask>>) -> Result<Vec<Result<Accepted, Refused>>> {
        self.engine.accept(tasks).await
    }

    async fn replay(
        &self,
        tenant: TenantName,
        key: Idempotency,
    ) -> Result<Option<Result<Accepted, Refused>>> {
        self.engine.run(Replay { tenant, key }).await
    }

    async fn act(&self, acts: Vec<Act>) -> Result<Vec<Result<Acted, Refused>>> {
        let done = self.engine.run(Acts { acts: acts.clone() }).await?;
        let mut answers = Vec::with_capacity(done.len());
        for (act, done) in acts.iter().zip(done) {
            answers.push(match done {
                Ok(done) => Ok(self.finish(act, done).await?),
                Err(refused) => Err(refused),
            });
        }
        Ok(answers)
    }
}

#[async_trait]
impl Work for PostgresStore {
    async fn claim(&self, claim: Claim) -> Result<Vec<Leased>> {
        self.engine.claim(claim).await
    }

    async fn open(&self, want: Open) -> Result<Vec<Opened>> {
        self.engine.open(want).await
    }

    async fn extend(&self, leases: Vec<Extend>) -> Result<Vec<LeaseState>> {
        self.engine.run(Heartbeats { asked: leases }).await
    }

    async fn record(&self, ends: Vec<Ending>) -> Result<Vec<Recorded>> {
        self.engine.record(ends).await
    }
}

#[async_trait]
impl Upkeep for PostgresStore {
    async fn make_ready(&self) -> Result<Moved> {
        let now = self.engine.base.clock.now();
        match self.earliest(first_due!()).await? {
            Some(next) if next <= now => self.engine.run(MakeReady {}).await,
            next => Ok(Moved { next, ..Moved::default() }),
        }
    }

    async fn rescue(&self) -> Result<Moved> {
        let survey = self.survey().await?;
        if survey.is_littered() {
            // Whoever folds at the same moment does it too; a failure leaves more lines to the next.
            let _ = self.engine.run(FoldCounts {}).await;
        }
        if survey.is_calm() {
            return Ok(Moved::default());
        }
        let Survey { over, silent, .. } = survey;
        self.engine.run(Rescue { over, silent }).await
    }

    async fn expire(&self) -> Result<Moved> {
        let now = self.engine.base.clock.now();
        let sql = "SELECT min(expires_at) FROM tasks WHERE expires_at IS NOT NULL";
        match self.earliest(sql).await? {
            Some(next) if next <= now => self.engine.run(Expire {}).await,
            next => Ok(Moved { next, ..Moved::default() }),
        }
    }

    async fn prune(&self, keep: &Retention) -> Result<Pruned> {
        let mut cursor = self.engine.prune.lock().await;
        let job = Prune { keep: keep.clone(), from: *cursor };
        let (pruned, next) = self.engine.run(job).await?;
        *cursor = next;
        Ok(pruned)
    }
}

#[async_trait]
impl Carriage for PostgresStore {
    async fn outbox(&self, want: Relay) -> Result<Outbox> {
        let until = Instant::now() + want.wait;
        let bell = self.engine.hub.marks(&want.queue);
        loop {
            let mut rung = std::pin::pin!(bell.notified());
            rung.as_mut().enable();
            let asked = want.clone();
            let look = move |_, link| -> futures_util::future::BoxFuture<'static, _> {
                Box::pin(async move { tasks::outbox(&link, &asked).await })
            };
            let outbox = self.engine.ask_over(Way::Work, look).await?;
            if !outbox.marks.is_empty() || tokio::time::timeout_at(until, rung).await.is_err() {
                return Ok(outbox);
            }
        }
    }

    async fn relayed(&self, marks: Vec<MarkRef>) -> Result<()> {
        self.engine.run(Relayed { marks }).await
    }

    async fn carried(&self, queue: &QueueName) -> Result<Vec<Carried>> {
        let queue = queue.clone();
        self.engine
            .ask(|_, link| Box::pin(async move { tasks::carried(&link, &queue).await }))
            .await
    }

    async fn lost(&self, marks: Vec<MarkRef>) -> Result<usize> {
        self.engine.run(Lost { marks }).await
    }
}

impl PostgresStore {
    async fn earliest(&self, sql: &'static str) -> Result<Option<Timestamp>> {
        self.engine
            .ask(move |_, link| {
                Box::pin(async move {
                    let rows = link.query(sql, &[]).await?;
                    let at: Option<i64> = rows.first().map_or(Ok(None), |row| row.try_get(0))?;
                    Ok::<_, Trouble>(at.map(Timestamp))
                })
            })
            .await
    }
}

#[async_trait]
impl TaskQuery for PostgresStore {
    async fn get(&self, tenant: TenantName, id: TaskId) -> Result<Option<Task>> {
        let found = self
            .engine
            .ask(move |engine, link| {
                Box::pin(async move { tasks::read_task(&link, id, engine.base.durability).await })
            })
            .await?;
        Ok(found.filter(|task| task.tenant == tenant))
    }

    async fn page(&self, filter: Filter) -> Result<Page> {
        self.engine
            .ask(move |engine, mut link| {
                Box::pin(
                    async move { list::page(&mut link, &filter, engine.base.durability).await },
                )
            })
            .await
    }

    async fn counters(&self) -> Result<Vec<Count>> {
        self.engine.ask(|_, link| Box::pin(async move { oversight::counters(&link).await })).await
    }

    async fn attempts(&self, tenant: TenantName, id: TaskId) -> Result<Option<Vec<Attempt>>> {
        self.engine
            .ask(move |_, link| {
                Box::pin(async move { tasks::read_attempts(&link, &tenant, id).await })
            })
            .await
    }
}

#[async_trait]
impl Oversight for PostgresStore {
    async fn controls(&self) -> Result<Controls> {
        self.engine.ask(|_, link| Box::pin(async move { oversight::controls(&link).await })).await
    }

    async fn audit(&self, before: Option<u64>, limit: usize) -> Result<Vec<AuditLine>> {
        self.engine
            .ask(move |_, link| Box::pin(async move { audit::read(&link, before, limit).await }))
            .await
    }

    async fn ages(&self) -> Result<Vec<QueueAge>> {
        self.engine.ask(|_, link| Box::pin(async move { oversight::ages(&link).await })).await
    }
}

#[async_trait]
impl Leases for PostgresStore {
    async fn acquire(&self, name: &str, holder: &str, lasts: Duration) -> Result<Option<Term>> {
        let (name, holder) = (tasks::text(name), tasks::text(holder));
        let base = &self.engine.base;
        let tick = base.clock.monotonic();
        if base.watches.lock().officer(&name, tick).is_some_and(|of| of != holder) {
            return Ok(None); // by what was seen of it, his term cannot be over
        }
        self.engine.run(Acquire { name, holder, lasts }).await
    }

    async fn renew(&self, term: &Term, lasts: Duration) -> Result<bool> {
        let base = &self.engine.base;
        let tick = base.clock.monotonic();
        let lasts_on = base.watches.lock().officer(&term.name, tick) == Some(term.holder.as_str());
        if lasts_on && self.engine.run(RenewAtOnce { term: term.clone(), lasts }).await? {
            return Ok(true);
        }
        self.engine.run(Renew { term: term.clone(), lasts }).await
    }
}

#[async_trait]
impl Lifecycle for PostgresStore {
    fn is_shared(&self) -> bool {
        true
    }

    async fn condition(&self) -> Result<Condition> {
        let (used_bytes, full) = match self.engine.run(UsedBytes {}).await {
            Ok(used_bytes) => (used_bytes, false),
            Err(StoreError::Full) => (0, true),
            Err(error) => return Err(error),
        };
        let set_aside = self.engine.base.set_aside();
        Ok(Condition { used_bytes, log_bytes: 0, full, set_aside })
    }

    async fn overview(&self) -> Result<Option<Overview>> {
        let seen = self.before_a_look();
        let taken = self
            .engine
            .ask_over(Way::Work, |engine, link| {
                Box::pin(async move { overview::take(&engine, &link).await })
            })
            .await;
        let (survey, mut overview) = taken.inspect_err(|_| self.engine.pulse.note_absence())?;
        self.after_a_look(&survey, seen);
        if !self.engine.proof.is_writable() {
            overview.condition = self.condition().await?;
        }
        Ok(Some(overview))
    }

    async fn stirred(&self) {
        tokio::select! {
            () = self.engine.hub.stirred.notified() => {}
            () = self.engine.proof.doubts.notified() => {}
        }
    }

    async fn close(&self) -> Result<()> {
        // Who closes it at the same time, or again after a close that was dropped, waits for the same end.
        let mut ended = {
            let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
            ending.get_or_insert_with(|| self.engine.begin_end()).clone()
        };
        while ended.changed().await.is_ok() {}
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        if *ended.borrow() {
            Ok(())
        } else {
            Err(StoreError::Unknown { why: "the store did not end cleanly".to_owned() })
        }
    }
}

#[async_trait]
impl Workers for PostgresStore {
    async fn announce(
        &self,
        worker: Worker,
        kinds: Vec<KnownKind>,
        lasts: Duration,
    ) -> Result<Told> {
        self.engine.run(Announce { worker, kinds, lasts }).await
    }

    async fn leave(&self, id: &str) -> Result<()> {
        self.engine.run(Leave { id: id.to_owned() }).await
    }

    async fn drain(&self, id: &str) -> Result<bool> {
        self.engine.run(Drain { id: id.to_owned() }).await
    }

    async fn workers(&self) -> Result<Vec<SeenWorker>> {
        self.engine.run(ReadWorkers {}).await
    }

    async fn known_kinds(&self) -> Result<Vec<KnownKind>> {
        self.engine.run(ReadKinds {}).await
    }
}

#[async_trait]
impl Schedules for PostgresStore {
    async fn put_schedule(
        &self,
        schedule: Schedule,
        before: Option<u64>,
    ) -> Result<Result<Schedule, Refused>> {
        self.engine.run(PutSchedule { schedule, before }).await
    }

    async fn remove_schedule(&self, tenant: &TenantName, id: uuid::Uuid) -> Result<bool> {
        self.engine.run(RemoveSchedule { tenant: tenant.clone(), id }).await
    }

    async fn schedules(&self, tenant: Option<TenantName>) -> Result<Vec<Schedule>> {
        self.engine
            .ask(move |_, link| {
                Box::pin(async move { tasks::read_schedules(&link, tenant.as_ref()).await })
            })
            .await
    }

    async fn due_schedules(&self, limit: usize) -> Result<(Vec<Schedule>, Option<Timestamp>)> {
        self.engine.run(DueSchedules { limit }).await
    }

    async fn fire(&self, firings: Vec<Firing>) -> Result<Vec<Fired>> {
        self.engine.run(Fire { firings }).await
    }
}
