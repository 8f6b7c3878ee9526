//! The broker as the floors above see it: requests go to the writer.

use super::deliveries::HandedOut;
use super::hand::{Hand, Place};
use super::parcel::Parcel;
use super::publish::MAX_PAYLOAD;
use crate::schema;
use crate::writer::{Inbox, Job, Reply};
use async_trait::async_trait;
use longshore_core::Clock;
use longshore_core::broker::{
    Broker, BrokerError, Capabilities, CloseReport, DeclareMode, Deliveries, Durability, GroupName,
    GroupStats, LinkReport, LinkState, Outgoing, Pause, PublishError, Receipt, Result, Subscribed,
    Subscription, Topology, TopologyDiff, What,
};
use longshore_core::store::StoreError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// The longest pause before another attempt.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// Topics and groups in the file of an embedded store. Closing it does not close the store; what was declared and
/// published stays.
#[derive(Debug)]
pub struct EmbeddedBroker(Arc<Shared>);

/// What deliveries need of their broker.
#[derive(Debug)]
pub(super) struct Shared {
    inbox: Arc<Inbox>,
    pub(super) clock: Arc<dyn Clock>,
    /// Numbers of subscriptions, for all brokers of a store.
    numbers: Arc<AtomicU64>,
    pub(super) epoch: u64,
    pub(super) stale: AtomicU64,
    unconfirmed: watch::Sender<u64>,
    closed: watch::Sender<bool>,
    since: Mutex<Instant>,
    hands: Mutex<Vec<Weak<Hand>>>,
}

impl Shared {
    pub(super) async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T> {
        self.inbox.ask(DEADLINE, job).await.map_err(broker_error)
    }

    /// Gives back what nobody settles; `counts` unless nobody saw it.
    pub(super) fn abandon(&self, places: Vec<Place>, counts: bool) {
        let (reply, _) = oneshot::channel();
        // If the writer is gone, everything is handed out again by the next one.
        let _ = self.inbox.push(Job::Abandon { places, counts, reply });
    }

    fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    fn open(&self) -> Result<()> {
        if self.is_closed() { Err(BrokerError::Closed) } else { Ok(()) }
    }
}

impl EmbeddedBroker {
    pub(crate) fn new(
        inbox: Arc<Inbox>,
        clock: Arc<dyn Clock>,
        numbers: Arc<AtomicU64>,
        epoch: u32,
    ) -> Self {
        Self(Arc::new(Shared {
            inbox,
            clock,
            numbers,
            epoch: u64::from(epoch),
            stale: AtomicU64::new(0),
            unconfirmed: watch::Sender::new(0),
            closed: watch::Sender::new(false),
            since: Mutex::new(Instant::now()),
            hands: Mutex::default(),
        }))
    }

    fn remember(&self, hand: &Arc<Hand>) {
        let mut hands = self.0.hands.lock().unwrap_or_else(PoisonError::into_inner);
        hands.retain(|hand| hand.strong_count() > 0);
        hands.push(Arc::downgrade(hand));
    }
}

/// Envelopes that are on their way into the file, counted until they are confirmed or given up.
struct Unconfirmed<'s>(&'s watch::Sender<u64>, u64);

impl<'s> Unconfirmed<'s> {
    fn count(of: &'s watch::Sender<u64>, count: usize) -> Self {
        of.send_modify(|unconfirmed| *unconfirmed += count as u64);
        Self(of, count as u64)
    }
}

impl Drop for Unconfirmed<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|unconfirmed| *unconfirmed -= self.1);
    }
}

#[async_trait]
impl Broker for EmbeddedBroker {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            server: server(),
            durability: Durability::Disk,
            tells_unroutable: true,
            wildcards: true,
            ordered: true,
            single_active: true,
            broadcast: true,
            retry: Some(Pause::Exact { longest: LONGEST }),
            atomic_retry: true,
            dead_letters: true,
            free_release: true,
            counts_hand_outs: true,
            settle_within: None,
            extend: false,
            inspects_in_flight: true,
            max_payload: MAX_PAYLOAD,
        }
    }

    async fn declare(&self, topology: &Topology, mode: DeclareMode) -> Result<TopologyDiff> {
        self.0.open()?;
        let topics = topology.topics.iter().map(|topic| (topic.name.as_str(), &topic.options));
        let groups = topology.groups.iter().map(|group| (group.name.as_str(), &group.options));
        for (name, options) in topics.chain(groups) {
            if let Some(option) = options.keys().next() {
                let why = format!("{name} has the option {option}: the embedded broker has none");
                return Err(BrokerError::Refused { why });
            }
        }
        let create = match mode {
            DeclareMode::Off => return Ok(TopologyDiff::default()),
            DeclareMode::Verify => false,
            DeclareMode::Declare => true,
        };
        let topology = Box::new(topology.clone());
        self.0.ask(|reply| Job::Declare { topology, create, reply }).await
    }

    async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<Receipt, PublishError>> {
        let count = batch.len();
        if count == 0 || self.0.is_closed() {
            return vec![Err(PublishError::Closed); count];
        }
        let _counted = Unconfirmed::count(&self.0.unconfirmed, count);
        let parcels: Vec<Parcel> = batch.into_iter().map(Parcel::from).collect();
        match self.0.inbox.ask(DEADLINE, |reply| Job::Publish { parcels, reply }).await {
            Ok(answers) => answers,
            Err(error) => vec![Err(publish_error(error)); count],
        }
    }

    async fn subscribe(&self, what: &Subscription) -> Result<Box<dyn Deliveries>> {
        self.0.open()?;
        let group = match &what.what {
            What::Group(group) => Some(group.clone()),
            What::All(_) => None,
        };
        let number = self.0.numbers.fetch_add(1, Ordering::Relaxed);
        let hand = Arc::new(Hand::new(number, group.clone(), what.prefetch.get()));
        self.remember(&hand);
        // Made before the writer knows of it: so it is let go even if this call is dropped.
        let deliveries = HandedOut::new(hand.clone(), self.0.clone());
        let what = Box::new(what.what.clone());
        let joined = self.0.ask(|reply| Job::Subscribe { what, hand, reply }).await?;
        match group {
            Some(group) if !joined => Err(BrokerError::UnknownGroup { group }),
            _ if self.0.is_closed() => Err(BrokerError::Closed),
            _ => Ok(Box::new(deliveries)),
        }
    }

    async fn inspect(&self, group: &GroupName) -> Result<GroupStats> {
        self.0.open()?;
        let name = group.clone();
        let stats = self.0.ask(|reply| Job::Inspect { name, reply }).await?;
        stats.ok_or_else(|| BrokerError::UnknownGroup { group: group.clone() })
    }

    async fn remade(&self) -> Vec<GroupName> {
        std::future::pending().await // nobody else can delete a group
    }

    fn link(&self) -> LinkReport {
        let closed = self.0.is_closed();
        LinkReport {
            version: u64::from(closed),
            state: if closed { LinkState::Closed } else { LinkState::Up { server: server() } },
            since: self.0.since.lock().unwrap_or_else(PoisonError::into_inner).elapsed(),
            reconnects: 0,
            unconfirmed: *self.0.unconfirmed.borrow(),
            stale: self.0.stale.load(Ordering::Relaxed),
        }
    }

    async fn link_changed(&self, seen: u64) -> LinkReport {
        let mut closed = self.0.closed.subscribe();
        // It cannot fail: the sender is borrowed.
        let _ = closed.wait_for(|closed| u64::from(*closed) != seen).await;
        self.link()
    }

    async fn close(&self, within: Duration) -> CloseReport {
        if !self.0.closed.send_replace(true) {
            *self.0.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        let hands =
            std::mem::take(&mut *self.0.hands.lock().unwrap_or_else(PoisonError::into_inner));
        let hands: Vec<Arc<Hand>> = hands.iter().filter_map(Weak::upgrade).collect();
        let unsettled = hands.iter().map(|hand| hand.unsettled() as u64).sum();
        for hand in &hands {
            hand.turn(Subscribed::Ended);
        }
        self.0.abandon(Vec::new(), true); // the writer looks who has ended
        let mut unconfirmed = self.0.unconfirmed.subscribe();
        let confirmed = unconfirmed.wait_for(|unconfirmed| *unconfirmed == 0);
        let _ = tokio::time::timeout(within, confirmed).await;
        CloseReport { unconfirmed: *self.0.unconfirmed.borrow(), unsettled }
    }
}

fn server() -> String {
    format!("embedded, format {}, SQLite {}", schema::VERSION, rusqlite::version())
}

fn broker_error(error: StoreError) -> BrokerError {
    match error {
        StoreError::Closed => BrokerError::Closed,
        StoreError::Deadline { waited } => BrokerError::Deadline { waited },
        StoreError::Fatal { .. } => BrokerError::Refused { why: error.to_string() },
        _ => BrokerError::Unavailable { why: error.to_string() },
    }
}

fn publish_error(error: StoreError) -> PublishError {
    let why = error.to_string();
    match error {
        StoreError::Closed => PublishError::Closed,
        StoreError::Unknown { .. } => PublishError::Unconfirmed { waited: DEADLINE },
        StoreError::Full => PublishError::Nacked { why },
        StoreError::Fatal { .. } => PublishError::Refused { why },
        _ => PublishError::Unavailable { why },
    }
}
