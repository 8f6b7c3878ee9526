//! The store as the floors above see it: requests go to the writer, questions to the readers.

use crate::audit;
use crate::list;
use crate::messages::EmbeddedBroker;
use crate::names::Names;
use crate::open::{self, OpenError, Options};
use crate::oversight;
use crate::read::{self, Readers};
use crate::tasks::{self, Done, Taken};
use crate::workers::Known;
use crate::writer::{self, Inbox, Job, Reply};
use async_trait::async_trait;
use longshore_core::store::{
    Act, Acted, AuditLine, Carriage, Carried, Claim, Condition, Controls, Count, Ending,
    ErrorClass, Extend, Filter, Fired, Firing, Intake, LeaseRef, LeaseState, Leased, Leases,
    Lifecycle, MarkRef, Moved, Open, Opened, Outbox, Oversight, Page, Pruned, QueueAge, Recorded,
    Refused, Relay, Result, Retention, Schedule, Schedules, StoreError, TaskQuery, Term, Upkeep,
    Work,
};
use longshore_core::task::{Accepted, Idempotency};
use longshore_core::{
    Attempt, Clock, NewTask, QueueName, Task, TaskId, TenantName, Timestamp, Valid,
};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

/// How long a call may take, beside the time that a claim waits.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// The longest that a claim waits.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// A data folder, opened by this process alone.
#[derive(Debug)]
pub struct EmbeddedStore {
    inbox: Arc<Inbox>,
    names: Arc<Names>,
    pub(crate) readers: Readers,
    pub(crate) known: Known,
    pub(crate) clock: Arc<dyn Clock>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Nobody sends anything: it is over when the writer has ended.
    ended: watch::Receiver<()>,
    epoch: u32,
    /// Numbers of subscriptions.
    numbers: Arc<AtomicU64>,
}

impl EmbeddedStore {
    /// Opens the folder. Returns once everything that was answered before is there, and what the
    /// last process held was taken back.
    pub fn open(options: &Options) -> std::result::Result<Self, OpenError> {
        let opened = open::open(options)?;
        let (path, names) = (opened.path.clone(), opened.names.clone());
        let epoch = opened.boot.epoch;
        let inbox = Arc::new(Inbox::default());
        let failed = |trouble: crate::error::Trouble| OpenError::NotOurs {
            path: path.clone(),
            why: trouble.to_string(),
        };
        let readers = Readers::start(&path).map_err(failed)?;
        let (writer, ended) =
            writer::start(opened, inbox.clone(), options.clock.clone()).map_err(failed)?;
        let (known, clock) = (Known::default(), options.clock.clone());
        let writer = Mutex::new(Some(writer));
        // A number is never given twice, over all boots.
        let numbers = Arc::new(AtomicU64::new(u64::from(epoch) << 32));
        Ok(Self { inbox, names, readers, known, clock, writer, ended, epoch, numbers })
    }

    /// Returns a broker over this file. Each can be closed without the others, and ends with the store.
    pub fn broker(&self) -> EmbeddedBroker {
        let (inbox, clock) = (self.inbox.clone(), self.clock.clone());
        EmbeddedBroker::new(inbox, clock, self.numbers.clone(), self.epoch)
    }

    pub(crate) async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T> {
        self.inbox.ask(DEADLINE, job).await
    }

    /// Goes on with an act until it is done. Others are served in between.
    async fn finish(&self, act: &Act, done: Done) -> Result<Acted> {
        let Done { mut acted, mut rest, .. } = done;
        while let Some(below) = rest {
            let act = Box::new(act.clone());
            let more = self.ask(|reply| Job::Purge { act, below, reply }).await;
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
}

/// A request for work that is waited for. Dropped with an answer on its way, it gives back what it was handed.
struct Pending<'a, T> {
    answer: oneshot::Receiver<Result<Vec<T>>>,
    inbox: &'a Inbox,
    lease: fn(&T) -> Option<LeaseRef>,
}

impl<T> Pending<'_, T> {
    /// What comes later than that is given back.
    async fn answered(mut self, until: Instant) -> Result<Vec<T>> {
        match tokio::time::timeout_at(until, &mut self.answer).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(Inbox::unanswered())),
            Err(_) => Err(StoreError::Deadline { waited: DEADLINE }),
        }
    }
}

impl<T> Drop for Pending<'_, T> {
    fn drop(&mut self) {
        self.answer.close();
        let Ok(Ok(given)) = self.answer.try_recv() else { return };
        let leases: Vec<_> = given.iter().filter_map(self.lease).collect();
        if leases.is_empty() {
            return;
        }
        let (reply, _) = oneshot::channel();
        if let Err(job) = self.inbox.push(Job::GiveBack { leases, reply }) {
            job.fail(StoreError::Closed); // then they are taken back at the next boot
        }
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        let (reply, _) = oneshot::channel();
        let _ = self.inbox.push(Job::Close { reply });
        self.readers.stop();
        if let Some(writer) = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = writer.join();
        }
    }
}

#[async_trait]
impl Intake for EmbeddedStore {
    async fn accept(&self, tasks: Vec<Valid<NewTask>>) -> Result<Vec<Result<Accepted, Refused>>> {
        // Held until the answer is there: memory that another thread frees costs this one dearly at its next
        // allocation, and a payload that is still held there costs the connection a new buffer.
        let tasks = Arc::new(tasks);
        let taken = self.ask(|reply| Job::Accept { tasks: tasks.clone(), reply }).await?;
        let answer = |(task, taken): (&Valid<NewTask>, std::result::Result<Taken, Refused>)| {
            taken.map(|taken| taken.accepted(task))
        };
        Ok(tasks.iter().zip(taken).map(answer).collect())
    }

    async fn replay(
        &self,
        tenant: TenantName,
        key: Idempotency,
    ) -> Result<Option<Result<Accepted, Refused>>> {
        self.ask(|reply| Job::Replay { tenant, key, reply }).await
    }

    async fn act(&self, acts: Vec<Act>) -> Result<Vec<Result<Acted, Refused>>> {
        let asked = acts.clone();
        let done = self.ask(|reply| Job::Act { acts, reply }).await?;
        let mut answers = Vec::with_capacity(done.len());
        for (act, done) in asked.iter().zip(done) {
            answers.push(match done {
                Ok(done) => Ok(self.finish(act, done).await?),
                Err(refused) => Err(refused),
            });
        }
        Ok(answers)
    }
}

#[async_trait]
impl Work for EmbeddedStore {
    async fn claim(&self, claim: Claim) -> Result<Vec<Leased>> {
        let (reply, answer) = oneshot::channel();
        let until = Instant::now() + claim.wait.min(LONGEST_WAIT) + DEADLINE;
        let lease = |leased: &Leased| Some(leased.lease);
        let pending = Pending { answer, inbox: &self.inbox, lease };
        self.inbox.enter(Job::Claim { claim, reply }, until).await?;
        pending.answered(until).await
    }

    async fn open(&self, want: Open) -> Result<Vec<Opened>> {
        let (reply, answer) = oneshot::channel();
        let until = Instant::now() + DEADLINE;
        let pending = Pending { answer, inbox: &self.inbox, lease: Opened::lease };
        let want = Box::new(want);
        self.inbox.enter(Job::Open { want, reply }, until).await?;
        pending.answered(until).await
    }

    async fn extend(&self, leases: Vec<Extend>) -> Result<Vec<LeaseState>> {
        self.ask(|reply| Job::Extend { leases, reply }).await
    }

    async fn record(&self, ends: Vec<Ending>) -> Result<Vec<Recorded>> {
        self.ask(|reply| Job::Record { ends, reply }).await
    }
}

#[async_trait]
impl Upkeep for EmbeddedStore {
    async fn make_ready(&self) -> Result<Moved> {
        self.ask(|reply| Job::MakeReady { reply }).await
    }

    async fn rescue(&self) -> Result<Moved> {
        self.ask(|reply| Job::Rescue { reply }).await
    }

    async fn expire(&self) -> Result<Moved> {
        self.ask(|reply| Job::Expire { reply }).await
    }

    async fn prune(&self, keep: &Retention) -> Result<Pruned> {
        let keep = keep.clone();
        self.ask(|reply| Job::Prune { keep, reply }).await
    }
}

#[async_trait]
impl Carriage for EmbeddedStore {
    async fn outbox(&self, want: Relay) -> Result<Outbox> {
        let until = Instant::now() + want.wait.min(LONGEST_WAIT);
        let bell = self.inbox.bells.of(&want.queue);
        loop {
            let mut rung = std::pin::pin!(bell.notified());
            rung.as_mut().enable();
            let outbox = self.ask(|reply| Job::Outbox { want: want.clone(), reply }).await?;
            if !outbox.marks.is_empty() || tokio::time::timeout_at(until, rung).await.is_err() {
                return Ok(outbox);
            }
        }
    }

    async fn relayed(&self, marks: Vec<MarkRef>) -> Result<()> {
        self.ask(|reply| Job::Relayed { marks, reply }).await
    }

    async fn carried(&self, queue: &QueueName) -> Result<Vec<Carried>> {
        let queue = queue.clone();
        self.ask(|reply| Job::Carried { queue, reply }).await
    }

    async fn lost(&self, marks: Vec<MarkRef>) -> Result<usize> {
        self.ask(|reply| Job::Lost { marks, reply }).await
    }
}

#[async_trait]
impl TaskQuery for EmbeddedStore {
    async fn get(&self, tenant: TenantName, id: TaskId) -> Result<Option<Task>> {
        let names = self.names.clone();
        let found = self.readers.ask(move |db| tasks::read_task(db, &names, id)).await?;
        Ok(found.filter(|task| task.tenant == tenant))
    }

    async fn page(&self, filter: Filter) -> Result<Page> {
        let names = self.names.clone();
        self.readers.ask(move |db| list::page(db, &names, &filter)).await
    }

    async fn counters(&self) -> Result<Vec<Count>> {
        let names = self.names.clone();
        self.readers.ask(move |db| read::counters(db, &names)).await
    }

    async fn attempts(&self, tenant: TenantName, id: TaskId) -> Result<Option<Vec<Attempt>>> {
        let names = self.names.clone();
        self.readers.ask(move |db| tasks::read_attempts(db, &names, &tenant, id)).await
    }
}

#[async_trait]
impl Oversight for EmbeddedStore {
    async fn controls(&self) -> Result<Controls> {
        let names = self.names.clone();
        self.readers.ask(move |db| oversight::controls(db, &names)).await
    }

    async fn audit(&self, before: Option<u64>, limit: usize) -> Result<Vec<AuditLine>> {
        self.readers.ask(move |db| audit::read(db, before, limit)).await
    }

    async fn ages(&self) -> Result<Vec<QueueAge>> {
        let names = self.names.clone();
        self.readers.ask(move |db| oversight::ages(db, &names)).await
    }
}

#[async_trait]
impl Schedules for EmbeddedStore {
    async fn put_schedule(
        &self,
        schedule: Schedule,
        before: Option<u64>,
    ) -> Result<Result<Schedule, Refused>> {
        let schedule = Box::new(schedule);
        Ok(*self.ask(|reply| Job::PutSchedule { schedule, before, reply }).await?)
    }

    async fn remove_schedule(&self, tenant: &TenantName, id: uuid::Uuid) -> Result<bool> {
        let tenant = tenant.clone();
        self.ask(|reply| Job::RemoveSchedule { tenant, id, reply }).await
    }

    async fn schedules(&self, tenant: Option<TenantName>) -> Result<Vec<Schedule>> {
        let names = self.names.clone();
        self.readers.ask(move |db| tasks::read_schedules(db, &names, tenant.as_ref())).await
    }

    async fn due_schedules(&self, limit: usize) -> Result<(Vec<Schedule>, Option<Timestamp>)> {
        self.ask(|reply| Job::DueSchedules { limit, reply }).await
    }

    async fn fire(&self, firings: Vec<Firing>) -> Result<Vec<Fired>> {
        self.ask(|reply| Job::Fire { firings, reply }).await
    }
}

#[async_trait]
impl Leases for EmbeddedStore {
    async fn acquire(&self, name: &str, holder: &str, lasts: Duration) -> Result<Option<Term>> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.ask(|reply| Job::Acquire { name, holder, lasts, reply }).await
    }

    async fn renew(&self, term: &Term, lasts: Duration) -> Result<bool> {
        let term = term.clone();
        self.ask(|reply| Job::Renew { term, lasts, reply }).await
    }
}

#[async_trait]
impl Lifecycle for EmbeddedStore {
    async fn condition(&self) -> Result<Condition> {
        self.ask(|reply| Job::Condition { reply }).await
    }

    async fn close(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        // It finishes what was asked before, but for claims and openings, and must get in even when there is no room.
        let closed = match self.inbox.push(Job::Close { reply }) {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(Inbox::unanswered())),
            Err(_) => Err(StoreError::Closed),
        };
        // It ends by itself: what is left is to copy the log. Who closes it at the same time, or again, returns no sooner.
        while self.ended.clone().changed().await.is_ok() {}
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            return Err(StoreError::Unknown { why: "the writer did not end cleanly".into() });
        }
        self.readers.close();
        match closed {
            Err(StoreError::Closed) => Ok(()),
            closed => closed,
        }
    }
}
