//! Publishes the ready tasks of one queue, with confirms, as far as the window has room.
//!
//! A confirm that the store is not told of makes a double, and so does one that the broker did not get to say: its
//! envelope is opened once, and acknowledged the second time. An envelope holds no more than the task's name: the truth
//! is in the store.

use super::carrier::Carrier;
use super::evidence::Evidence;
use super::office::{Office, Turn};
use crate::live::at_once;
use crate::upkeep::Leader;
use longshore_core::broker::{BrokerError, Envelope, GroupName, Outgoing, PublishError, header};
use longshore_core::store::{ErrorClass, Marked, Outbox, Relay as Want, StoreError};
use longshore_core::{KindName, QueueName};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// A window is never smaller, and so many times the slots that are known.
const WINDOW: (usize, usize) = (1_000, 4);
/// So many are published at a time.
const BATCH: usize = 512;
/// How long the store may wait for the first task: what nobody tells of is seen within that time.
const WAIT: Duration = Duration::from_secs(1);
/// While a window is nearly full there is no hurry: a few more can be gathered first, for longer while it stays full.
const GATHER: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));
/// Pause after a failure, doubled up to the longest. A change of the link ends it early.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How often it is asked how many slots there are.
const SLOTS: Duration = Duration::from_secs(10);

/// Why a step was not done.
enum Trouble {
    Store(StoreError),
    Broker(BrokerError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Relays one queue.
pub(super) struct Relay {
    carrier: Arc<Carrier>,
    queue: QueueName,
    stop: CancellationToken,
    office: Office,
    evidence: Evidence,
    /// Groups that are there, as far as is known.
    groups: HashMap<KindName, GroupName>,
    /// How many slots there are, and when that was asked.
    slots: Option<(usize, Instant)>,
    gather: Duration,
    /// What went wrong last, so that it is told once.
    told: Option<String>,
}

impl Relay {
    pub(super) fn new(
        carrier: Arc<Carrier>,
        queue: QueueName,
        leader: Leader,
        stop: CancellationToken,
    ) -> Self {
        Self {
            carrier,
            queue,
            stop,
            office: Office::new(leader),
            evidence: Evidence::default(),
            groups: HashMap::new(),
            slots: None,
            gather: Duration::ZERO,
            told: None,
        }
    }

    /// Relays until it is stopped. What is being published is noted first.
    pub(super) async fn run(mut self) {
        self.carrier.cx.telemetry.relayed(&self.queue, 0); // shown from the start
        let mut pause = PAUSE.0;
        while !self.stop.is_cancelled() {
            match self.step().await {
                Ok(()) => {
                    self.told = None;
                    pause = PAUSE.0;
                }
                Err(Trouble::Store(error)) if error.class() == ErrorClass::Final => {
                    self.stop.cancelled().await;
                }
                Err(trouble) => {
                    self.tell(&trouble);
                    self.rest(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
        }
        self.carrier.cx.telemetry.carried(&self.queue, 0);
    }

    async fn rest(&self, pause: Duration) {
        let broker = &self.carrier.broker;
        let moved = broker.link_changed(broker.link().version);
        let _ = self.stop.run_until_cancelled(tokio::time::timeout(pause, moved)).await;
    }

    fn tell(&mut self, trouble: &Trouble) {
        let (queue, broker) = (&self.queue, &*self.carrier.name);
        let error = match trouble {
            Trouble::Store(error) => error.to_string(),
            Trouble::Broker(error) => error.to_string(),
        };
        if self.told.as_ref() != Some(&error) {
            tracing::warn!(%queue, broker, error, "tasks wait in the store, and are relayed later");
            self.told = Some(error);
        }
    }

    /// One look at what there is to do.
    async fn step(&mut self) -> Result<(), Trouble> {
        self.repay().await?;
        if !self.carrier.is_up() {
            // Whoever waits for it learns of evidence too.
            self.wait_for(self.carrier.link_moves(WAIT)).await;
            return Ok(());
        }
        let (wait, leads) = match self.office.turn().await? {
            Turn::Lead => (WAIT, true),
            Turn::Look => (Duration::ZERO, false),
            Turn::Wait(pause) => {
                self.wait_for(tokio::time::sleep(pause.min(WAIT))).await;
                return Ok(());
            }
        };
        if leads {
            let lost = self.evidence.look(&self.carrier, &self.queue).await?;
            self.carrier.cx.telemetry.republished(&self.queue, lost);
            self.wait_for(tokio::time::sleep(self.gather)).await;
        }
        let window = self.window().await?;
        let want = Want { queue: self.queue.clone(), window, limit: BATCH, wait };
        let store = self.carrier.cx.store.clone();
        let Some(outbox) = self.wait_for(store.outbox(want)).await else { return Ok(()) };
        let Outbox { marks, carried } = outbox?;
        let with_broker: usize = carried.values().sum();
        self.gather = self.pause_of(marks.len(), carried.values().max().copied(), window);
        let marks = if leads { marks } else { self.office.lying(marks) };
        let published = self.publish(marks).await?;
        self.carrier.cx.telemetry.carried(&self.queue, with_broker + published);
        Ok(())
    }

    /// Tells the store of what is known to be lost.
    async fn repay(&self) -> Result<(), StoreError> {
        let lost = Evidence::repay(&self.carrier, &self.queue).await?;
        self.carrier.cx.telemetry.republished(&self.queue, lost);
        Ok(())
    }

    /// Waits, unless it is stopped or there is evidence of a loss.
    async fn wait_for<T>(&self, what: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            () = self.carrier.found.notified() => None,
            done = what => Some(done),
        }
    }

    /// How long to gather before the next look.
    fn pause_of(&self, found: usize, fullest: Option<usize>, window: usize) -> Duration {
        let is_nearly_full = fullest.unwrap_or(0) >= window - window / 4;
        match found {
            _ if !is_nearly_full || found == BATCH => Duration::ZERO,
            0 => (self.gather * 2).clamp(GATHER.0, GATHER.1),
            _ => GATHER.0,
        }
    }

    /// How many tasks of each kind may be with the broker.
    async fn window(&mut self) -> Result<usize, StoreError> {
        if let Some((slots, asked)) = self.slots
            && asked.elapsed() < SLOTS
        {
            return Ok(WINDOW.0.max(WINDOW.1 * slots));
        }
        let cx = &self.carrier.cx;
        let workers = cx.store.workers().await?;
        let alive = workers.iter().filter(|seen| !seen.lost && *seen.worker.id != *cx.worker);
        let shares = alive.flat_map(|seen| &seen.worker.queues);
        let of = shares.filter(|share| share.queue == self.queue);
        let others: usize = of.map(|share| share.slots as usize).sum();
        let slots = others + at_once(&cx.live.now().settings(&self.queue));
        self.slots = Some((slots, Instant::now()));
        Ok(WINDOW.0.max(WINDOW.1 * slots))
    }

    /// Publishes, and tells the store what was confirmed. Returns how many.
    async fn publish(&mut self, marks: Vec<Marked>) -> Result<usize, Trouble> {
        if marks.is_empty() {
            return Ok(0);
        }
        let mut batch = Vec::with_capacity(marks.len());
        for marked in &marks {
            let group = self.group(&marked.kind).await?;
            batch.push(Outgoing::to_group(group, envelope(marked)));
        }
        // A group that was made just now has none of what was published before, and all of what is published now.
        self.repay().await?;
        let answers = self.carrier.broker.publish(batch).await;
        let mut confirmed = Vec::with_capacity(marks.len());
        let (mut failure, mut gone) = (None, HashSet::new());
        for (marked, answer) in marks.iter().zip(answers) {
            match answer {
                Ok(_) => confirmed.push(marked.mark),
                Err(error) => {
                    if matches!(error, PublishError::Unroutable { .. }) {
                        gone.insert(marked.kind.clone());
                    }
                    failure.get_or_insert(error);
                }
            }
        }
        // They are declared once more before the next try.
        self.groups.retain(|kind, _| !gone.contains(kind));
        let count = confirmed.len();
        if count > 0 {
            self.carrier.cx.store.relayed(confirmed).await?;
            self.carrier.cx.telemetry.relayed(&self.queue, count);
        }
        match failure {
            None => Ok(count),
            Some(error) => Err(Trouble::Broker(meaning(error))),
        }
    }

    /// The group of a kind; sees to it once that it is there.
    async fn group(&mut self, kind: &KindName) -> Result<GroupName, Trouble> {
        if let Some(name) = self.groups.get(kind) {
            return Ok(name.clone());
        }
        let line = (self.queue.clone(), kind.clone());
        let name = self.carrier.declare(&line).await.map_err(Trouble::Broker)?;
        self.groups.insert(kind.clone(), name.clone());
        Ok(name)
    }
}

fn meaning(error: PublishError) -> BrokerError {
    let why = error.to_string();
    if error.is_temporary() {
        BrokerError::Unavailable { why }
    } else {
        BrokerError::Refused { why }
    }
}

/// What travels.
fn envelope(marked: &Marked) -> Envelope {
    let envelope = Envelope::default()
        .with(header::ID, marked.id.to_string())
        .with(header::KIND, marked.kind.as_str())
        .with(header::TENANT, marked.tenant.as_str());
    match &marked.traceparent {
        Some(traceparent) => envelope.with(header::TRACEPARENT, traceparent.clone()),
        None => envelope,
    }
}
