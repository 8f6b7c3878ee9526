//! The verbs of work, sent to a server.

use crate::builder::LEASE;
use crate::client::{Class, Client, ClientError};
use async_trait::async_trait;
use longshore_core::QueueName;
use longshore_core::queue::QueueSettings;
use longshore_core::store::{
    Claim, Condition, Controls, Ending, Extend, Hold, KnownKind, LeaseState, Leased, Lifecycle,
    Open, Opened, Recorded, Result, SeenWorker, StoreError, Told, Work, Worker, Workers,
};
use longshore_runtime::link::wire::{
    AnnounceAnswer, AnnounceSaid, ClaimAnswer, ClaimSaid, EndSaid, ExtendSaid, Garbled, HeldSaid,
    LeasedSaid, RecordedSaid, WantSaid, millis,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A server, seen by a worker that gets its tasks there.
#[derive(Debug)]
pub(crate) struct Linked {
    client: Client,
    /// What operators have set on queues, as the server told last.
    queues: Mutex<BTreeMap<QueueName, QueueSettings>>,
}

impl Linked {
    /// Links to the server of that client. Nothing is sent yet.
    pub(crate) fn to(client: Client) -> Arc<Self> {
        Arc::new(Self { client, queues: Mutex::default() })
    }

    async fn say<T: DeserializeOwned>(
        &self,
        verb: &str,
        said: &impl Serialize,
        wait: Duration,
    ) -> Result<T> {
        let body = serde_json::to_vec(said).map_err(|error| unavailable(&error))?;
        let ask = self.client.post(&["v1", "link", verb]).body(body).wait(wait);
        ask.read().await.map_err(|error| of(&error))
    }

    /// Returns what operators have set, as the server told last.
    pub(super) fn controls(&self) -> Controls {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // What is paused is not handed out by the server.
        Controls { queues, ..Controls::default() }
    }
}

fn unavailable(why: &impl ToString) -> StoreError {
    StoreError::Unavailable { why: why.to_string() }
}

/// What an error of the client means to the engine. None is final: a key may be given back, a server may
/// come back, and a worker waits for that.
fn of(error: &ClientError) -> StoreError {
    match error.class() {
        Class::Unknown => StoreError::Unknown { why: error.to_string() },
        _ => unavailable(error),
    }
}

fn garbled(garbled: Garbled) -> StoreError {
    unavailable(&format!("the server's answer: {garbled}"))
}

#[async_trait]
impl Work for Linked {
    async fn claim(&self, claim: Claim) -> Result<Vec<Leased>> {
        let lasts = match claim.hold {
            Hold::Lease { lasts: Some(lasts) } => lasts,
            _ => LEASE,
        };
        let said = ClaimSaid {
            worker: claim.worker,
            wants: claim.wants.iter().map(WantSaid::of).collect(),
            wait: millis(claim.wait),
            lease: millis(lasts),
        };
        let asked = Instant::now();
        let ClaimAnswer { tasks } = self.say("claim", &said, claim.wait).await?;
        let leased = |said: LeasedSaid| said.into_leased(asked);
        tasks.into_iter().map(leased).collect::<Result<_, _>>().map_err(garbled)
    }

    async fn open(&self, want: Open) -> Result<Vec<Opened>> {
        // Nothing is carried to a linked worker.
        Ok(want.ids.iter().map(|_| Opened::NotReady).collect())
    }

    async fn extend(&self, leases: Vec<Extend>) -> Result<Vec<LeaseState>> {
        let count = leases.len();
        let said: Vec<ExtendSaid> = leases.into_iter().map(ExtendSaid::of).collect();
        let states: Vec<HeldSaid> = self.say("extend", &said, Duration::ZERO).await?;
        complete(states.into_iter().map(LeaseState::from).collect(), count)
    }

    async fn record(&self, ends: Vec<Ending>) -> Result<Vec<Recorded>> {
        let count = ends.len();
        let said: Vec<EndSaid> = ends.into_iter().map(EndSaid::of).collect();
        let recorded: Vec<RecordedSaid> = self.say("record", &said, Duration::ZERO).await?;
        complete(recorded.into_iter().map(Recorded::from).collect(), count)
    }
}

/// Each thing that was said has its answer, or none has.
fn complete<T>(answers: Vec<T>, count: usize) -> Result<Vec<T>> {
    if answers.len() == count {
        return Ok(answers);
    }
    let why = format!("{} answers to {count} things came from the server", answers.len());
    Err(StoreError::Unknown { why })
}

#[async_trait]
impl Workers for Linked {
    async fn announce(
        &self,
        worker: Worker,
        kinds: Vec<KnownKind>,
        lasts: Duration,
    ) -> Result<Told> {
        let said = AnnounceSaid { worker, kinds, lasts: millis(lasts) };
        let AnnounceAnswer { drain, queues } = self.say("announce", &said, Duration::ZERO).await?;
        *self.queues.lock().unwrap_or_else(PoisonError::into_inner) = queues;
        Ok(Told { drain })
    }

    async fn leave(&self, id: &str) -> Result<()> {
        let _: serde_json::Value = self.say("leave", &id, Duration::ZERO).await?;
        Ok(())
    }

    async fn drain(&self, _: &str) -> Result<bool> {
        Ok(false)
    }

    async fn workers(&self) -> Result<Vec<SeenWorker>> {
        Ok(Vec::new())
    }

    async fn known_kinds(&self) -> Result<Vec<KnownKind>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Lifecycle for Linked {
    /// The server has it, with others.
    fn is_shared(&self) -> bool {
        true
    }

    async fn condition(&self) -> Result<Condition> {
        let ask = self.client.get(&["livez"]);
        ask.answer().await.and_then(|answer| answer.success()).map_err(|error| of(&error))?;
        Ok(Condition::default())
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
