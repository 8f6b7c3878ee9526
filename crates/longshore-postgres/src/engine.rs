//! Running requests: a transaction each, within a deadline, again where that helps.

use crate::base::Base;
use crate::error::Trouble;
use crate::gates::Gates;
use crate::holds::Holds;
use crate::hub::Hub;
use crate::jobs::SignOff;
use crate::links::{Link, Links};
use crate::proof::Proof;
use crate::pulse::{Beat, Pulse};
use crate::tasks::{After, Desk, Line, Note, PruneCursor};
use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use longshore_core::failpoint;
use longshore_core::store::{Ending, Recorded, Refused, StoreError};
use longshore_core::task::Accepted;
use longshore_core::{NewTask, Valid};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, watch};

/// How long a call may take, beside the time that a claim waits.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// How often a transaction that met another one head on is done again.
const AGAIN: u32 = 8;

/// Calls that are under way at once, at most; closing waits for all of them.
const CALLS: u32 = 1 << 20;

/// A request that is one transaction.
#[async_trait]
pub(crate) trait Job: Send + 'static {
    /// What it is answered with.
    type Answer: Send + 'static;
    /// Whether it is one statement that commits itself. Done twice, or without anybody learning of it, it must do
    /// no harm.
    const ALONE: bool = false;

    /// Does it. May be called again if nothing of it was kept.
    async fn apply(&self, desk: &mut Desk<'_>) -> Result<Self::Answer, Trouble>;
}

/// Plain and other accepts, with the answers to each request.
pub(crate) type Accepts = crate::flight::Terminal<Valid<NewTask>, Vec<Result<Accepted, Refused>>>;

/// Ends, with the answers to each request.
pub(crate) type Records = crate::flight::Terminal<Ending, Vec<Recorded>>;

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) base: Arc<Base>,
    pub(crate) links: Links,
    pub(crate) hub: Hub,
    pub(crate) holds: Holds,
    pub(crate) gates: Gates,
    pub(crate) pulse: Pulse,
    pub(crate) proof: Proof,
    pub(crate) accepts: Accepts,
    pub(crate) records: Records,
    pub(crate) handle: Handle,
    /// Held while a claim may hand out a suspect: at most one runs in this process.
    pub(crate) isolation: Mutex<()>,
    pub(crate) prune: Mutex<PruneCursor>,
    /// The name this server was opened under.
    pub(crate) name: Option<String>,
    closed: AtomicBool,
    calls: Arc<Semaphore>,
}

/// Which connections a question takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Those for reading: long lists may keep all of them busy.
    Reading,
    /// Those for work: for what must not wait for lists.
    Work,
}

/// Whether a transaction is being committed: then its outcome may be unknown.
#[derive(Debug, Default)]
pub(crate) struct Phase(AtomicBool);

impl Phase {
    pub(crate) fn commits(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn begins(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    pub(crate) fn is_commit(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Engine {
    pub(crate) fn new(
        base: Arc<Base>,
        links: Links,
        pulse: Pulse,
        name: Option<String>,
        handle: Handle,
    ) -> Self {
        Self {
            base,
            links,
            hub: Hub::default(),
            holds: Holds::default(),
            gates: Gates::default(),
            pulse,
            proof: Proof::default(),
            accepts: Accepts::default(),
            records: Records::default(),
            handle,
            isolation: Mutex::default(),
            prune: Mutex::default(),
            name,
            closed: AtomicBool::new(false),
            calls: Arc::new(Semaphore::new(CALLS as usize)),
        }
    }

    /// Begins a call, unless the store was closed.
    pub(crate) async fn enter(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        if self.is_closed() {
            return Err(StoreError::Closed);
        }
        let permit = self.calls.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        if self.is_closed() { Err(StoreError::Closed) } else { Ok(permit) }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Begins to close the store, on its own threads. What is returned is true once that was done.
    pub(crate) fn begin_end(self: &Arc<Self>) -> watch::Receiver<bool> {
        let (ending, ended) = watch::channel(false);
        let engine = self.clone();
        self.handle.spawn(async move {
            engine.end().await;
            ending.send_replace(true);
        });
        ended
    }

    /// Lets what is under way end, gives back what nobody can end any more, and signs off.
    async fn end(&self) {
        self.shut().await;
        self.give_back_last_strays().await;
        self.pulse.end().await;
        let signed_off = self.perform(&SignOff { epoch: self.base.epoch() }).await;
        if let Err(error) = signed_off {
            // Then others find out by themselves, a lease later.
            tracing::warn!(%error, "the store could not sign off");
        }
        self.links.close();
    }

    /// Refuses calls from here on; returns once those under way are answered, or what they were handed is given back.
    async fn shut(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.hub.wake_all();
        if let Ok(all) = self.calls.acquire_many(CALLS).await {
            all.forget();
        }
        self.calls.close();
    }

    /// Runs something on the store's own threads: a caller's runtime may be blocked, or end.
    pub(crate) async fn spawned<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.handle.spawn(future).await {
            Ok(answer) => answer,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(StoreError::Closed),
        }
    }

    /// Runs a request, on the store's own threads.
    pub(crate) async fn run<J: Job + Sync>(
        self: &Arc<Self>,
        job: J,
    ) -> Result<J::Answer, StoreError> {
        let _call = self.enter().await?;
        let engine = self.clone();
        self.spawned(async move { engine.perform(&job).await }).await
    }

    /// Runs a request here, within the deadline.
    pub(crate) async fn perform<J: Job + Sync>(&self, job: &J) -> Result<J::Answer, StoreError> {
        self.attempt(job).await.map_err(|trouble| trouble.into_error(DEADLINE))
    }

    /// The same, and tells what was in the way.
    pub(crate) async fn attempt<J: Job + Sync>(&self, job: &J) -> Result<J::Answer, Trouble> {
        let phase = Phase::default();
        let done = in_time(&phase, self.again(&phase, job)).await;
        done.inspect_err(|trouble| self.proof.doubt(trouble))
    }

    async fn again<J: Job + Sync>(&self, phase: &Phase, job: &J) -> Result<J::Answer, Trouble> {
        let mut tries = 0;
        loop {
            phase.begins();
            match self.transact(phase, job).await {
                Err(Trouble::Again(_)) if tries < AGAIN => {
                    tries += 1;
                    pause(tries).await;
                }
                answer => return answer,
            }
        }
    }

    async fn transact<J: Job + Sync>(&self, phase: &Phase, job: &J) -> Result<J::Answer, Trouble> {
        let mut link = self.links.work().await?;
        link.soil();
        if J::ALONE {
            let mut desk = Desk::new(Line::Ours(&link), self.base.clone());
            let answer = job.apply(&mut desk).await?;
            let (after, tick) = (desk.after, desk.tick);
            link.cleanse();
            self.settle(after, tick);
            return Ok(answer);
        }
        failpoint::pass("store.before_begin")?;
        // Whoever lets a broker carry a queue waits for all that lock the table so.
        link.client().batch_execute("BEGIN; LOCK TABLE tasks IN ROW EXCLUSIVE MODE").await?;
        let mut desk = Desk::new(Line::Ours(&link), self.base.clone());
        let applied = async {
            let answer = job.apply(&mut desk).await?;
            desk.write_marks().await?;
            failpoint::pass("store.before_commit")?;
            Ok(answer)
        };
        let answer = match applied.await {
            Ok(answer) => answer,
            Err(trouble) => {
                drop(desk);
                give_up(link).await;
                return Err(trouble);
            }
        };
        let (after, tick) = (desk.after, desk.tick);
        phase.commits();
        link.client().batch_execute("COMMIT").await.map_err(|error| Trouble::of_commit(&error))?;
        link.cleanse();
        let committed = failpoint::pass("store.committed");
        committed.map_err(|injected| Trouble::Unknown(injected.to_string()))?;
        self.settle(after, tick);
        Ok(answer)
    }

    /// Remembers and tells what a transaction has changed, once it is committed.
    pub(crate) fn settle(&self, after: After, tick: Duration) {
        if !after.notes.is_empty() {
            let mut watch = self.base.watches.lock();
            for note in after.notes {
                match note {
                    Note::Leased { held, renewals } => watch.leases.set(held, renewals, tick),
                    Note::Moved { token, lies } => self.holds.moved(token, lies),
                    Note::Cancel { held, version, grace } => {
                        watch.cancel(held, version, grace, tick);
                    }
                    Note::Term { name, holder, lasts, count } => {
                        watch.set_term(name, holder, count, lasts, tick);
                    }
                    Note::Worker { id, said } => watch.workers.set(id, said, tick),
                }
            }
        }
        if after.suspects {
            self.base.note_suspect();
        }
        self.base.count_set_aside(after.set_aside);
        if after.is_written {
            self.proof.note_write();
        }
        if let Some(sent) = after.beats {
            self.pulse.beat(sent, Beat::Along);
        }
        if after.stirs {
            self.hub.stir();
        }
        if after.wake_all {
            self.hub.ring_everybody();
        } else {
            self.hub.ring_all(after.woken.iter());
            after.room.iter().for_each(|queue| self.hub.tell_of_room(queue.as_str()));
        }
    }

    /// Asks the database something, on the store's own threads.
    pub(crate) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(Arc<Self>, Link) -> BoxFuture<'static, Result<T, Trouble>>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        self.ask_over(Way::Reading, question).await
    }

    /// The same, over connections of that sort.
    pub(crate) async fn ask_over<T: Send + 'static>(
        self: &Arc<Self>,
        way: Way,
        question: impl FnOnce(Arc<Self>, Link) -> BoxFuture<'static, Result<T, Trouble>>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        let _call = self.enter().await?;
        let engine = self.clone();
        let asked = async move {
            let answer = async {
                let link = match way {
                    Way::Reading => engine.links.read().await?,
                    Way::Work => engine.links.work().await?,
                };
                question(engine.clone(), link).await
            };
            in_time(&Phase::default(), answer).await.map_err(|trouble| trouble.into_error(DEADLINE))
        };
        self.spawned(asked).await
    }
}

/// Keeps the deadline. What is dropped half-way is undone with its connection.
pub(crate) async fn in_time<T>(
    phase: &Phase,
    work: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(answer) => answer,
        Err(_) if phase.is_commit() => {
            Err(Trouble::Unknown(format!("the commit was not answered within {DEADLINE:?}")))
        }
        Err(_) => Err(Trouble::Late("the database did not answer".to_owned())),
    }
}

/// Makes a trouble of a panic: what it had done by then is not known.
pub(crate) async fn unless_it_panics<T>(
    work: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("the store panicked: standard error says where");
        Err(Trouble::Unknown("the store panicked".to_owned()))
    })
}

/// Undoes a transaction; the connection is kept if that worked.
pub(crate) async fn give_up(mut link: Link) {
    if link.client().batch_execute("ROLLBACK").await.is_ok() {
        link.cleanse();
    }
}

/// Waits a little before the next try: longer each time, and never as long as the other one.
pub(crate) async fn pause(tries: u32) {
    let most = 5_u64 << tries.min(7);
    tokio::time::sleep(Duration::from_millis(fastrand::u64(1..=most))).await;
}
