//! The broker itself, and what a test does to it.

use super::delivery::ModelDeliveries;
use super::state::{Item, MAX_PAYLOAD, SERVER, State};
use longshore_core::broker::{
    Broker, BrokerError, Capabilities, CloseReport, DeclareMode, Deliveries, Durability, Group,
    GroupName, GroupStats, LinkReport, LinkState, Outgoing, Pause, PublishError, Receipt, Result,
    Subscription, Topology, TopologyDiff, What,
};
use longshore_core::{Clock, SystemClock};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// A broker in memory. Cloning gives the same connection again, [`connect`](Self::connect) another one.
#[derive(Debug, Clone)]
pub struct ModelBroker(Arc<Inner>, u64);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) state: Mutex<State>,
    pub(super) clock: Arc<dyn Clock>,
    /// Rings at every change.
    pub(super) bell: Notify,
    version: watch::Sender<u64>,
}

impl Inner {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, link: LinkState) {
        let mut state = self.lock();
        state.link = link;
        state.since = Instant::now();
        drop(state);
        self.version.send_modify(|version| *version += 1);
        self.bell.notify_waiters();
    }
}

impl Default for ModelBroker {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

impl ModelBroker {
    /// Makes an empty one.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let state = Mutex::new(State::new());
        Self(
            Arc::new(Inner { state, clock, bell: Notify::new(), version: watch::Sender::new(0) }),
            0,
        )
    }

    /// Connects once more, as another process.
    pub fn connect(&self) -> Self {
        let number = self.0.lock().number();
        Self(self.0.clone(), number)
    }

    fn is_closed(&self, state: &State) -> bool {
        state.closed.contains(&self.1)
    }

    /// The broker cannot be reached, or comes back: what was with somebody is handed out again.
    pub fn be_away(&self, away: bool) {
        let mut state = self.0.lock();
        state.take_back(|_| true);
        if away {
            state.epoch += 1;
        } else {
            state.reconnects += 1;
            let known = state.groups.keys().cloned().collect::<Vec<_>>();
            state.make(true);
            let made = state.groups.keys().filter(|name| !known.contains(name)).cloned();
            let made: Vec<_> = made.collect();
            state.remade.extend(made);
        }
        drop(state);
        self.0.turn(match away {
            true => LinkState::Lost { why: "away".to_owned(), tries: 1 },
            false => LinkState::Up { server: SERVER.to_owned() },
        });
    }

    /// The broker takes nothing in, or does again.
    pub fn block(&self, why: Option<&str>) {
        self.0.lock().blocked = why.map(str::to_owned);
        self.0.turn(match why {
            Some(why) => LinkState::Blocked { why: why.to_owned() },
            None => LinkState::Up { server: SERVER.to_owned() },
        });
    }

    /// Throws away what waits in a group; what is with somebody stays there.
    pub fn purge(&self, group: &GroupName) {
        if let Some(held) = self.0.lock().groups.get_mut(group) {
            held.ready.clear();
            held.delayed.clear();
        }
    }

    /// Deletes a group with all that is in it. It is made again at once, as a driver does.
    pub fn delete(&self, group: &GroupName) {
        let mut state = self.0.lock();
        state.lent.retain(|_, lent| lent.group != *group);
        if let Some(gone) = state.groups.remove(group) {
            state.add(gone.spec, gone.is_own);
            if let Some(made) = state.groups.get_mut(group) {
                made.subscriptions = gone.subscriptions;
            }
            state.remade.push(group.clone());
        }
        drop(state);
        self.0.bell.notify_waiters();
    }

    /// Returns what waits in a group.
    pub fn waiting(&self, group: &GroupName) -> Vec<longshore_core::broker::Envelope> {
        let state = self.0.lock();
        let held = state.groups.get(group);
        held.into_iter()
            .flat_map(|held| held.ready.iter().map(|item| item.envelope.clone()))
            .collect()
    }

    /// Hands nothing out to those who have subscribed to a group, until they subscribe anew.
    pub fn deafen(&self, group: &GroupName) {
        let mut state = self.0.lock();
        for subscriber in state.subscribers.values_mut().filter(|one| one.group == *group) {
            subscriber.deaf = true;
        }
    }

    /// Hands out once more what waits in a group: each of it is there twice.
    pub fn double(&self, group: &GroupName) {
        if let Some(held) = self.0.lock().groups.get_mut(group) {
            let again: Vec<Item> = held.ready.iter().cloned().collect();
            held.ready.extend(again);
        }
        self.0.bell.notify_waiters();
    }

    fn why_not(&self) -> Option<PublishError> {
        let state = self.0.lock();
        match (&state.link, &state.blocked) {
            _ if self.is_closed(&state) => Some(PublishError::Closed),
            (_, Some(why)) => Some(PublishError::Blocked { why: why.clone() }),
            (LinkState::Up { .. }, None) => None,
            _ => Some(PublishError::Unavailable { why: "away".to_owned() }),
        }
    }

    fn reached(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.0.lock();
        match &state.link {
            _ if self.is_closed(&state) => Err(BrokerError::Closed),
            LinkState::Up { .. } | LinkState::Blocked { .. } => Ok(state),
            _ => Err(BrokerError::Unavailable { why: "away".to_owned() }),
        }
    }
}

#[async_trait::async_trait]
impl Broker for ModelBroker {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            server: SERVER.to_owned(),
            durability: Durability::Memory,
            tells_unroutable: true,
            wildcards: true,
            ordered: true,
            single_active: true,
            broadcast: true,
            retry: Some(Pause::Exact { longest: Duration::from_secs(86_400) }),
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
        {
            let mut state = self.0.lock();
            for group in &topology.groups {
                state.declared.groups.retain(|known: &Group| known.name != group.name);
                state.declared.groups.push(group.clone());
            }
        }
        let mut state = self.reached()?;
        Ok(match mode {
            DeclareMode::Off => TopologyDiff::default(),
            DeclareMode::Verify => state.make(false),
            DeclareMode::Declare => state.make(true),
        })
    }

    async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<Receipt, PublishError>> {
        if let Some(why) = self.why_not() {
            return batch.iter().map(|_| Err(why.clone())).collect();
        }
        let mut state = self.0.lock();
        let answers = batch.into_iter().map(|one| state.publish(one)).collect();
        drop(state);
        self.0.bell.notify_waiters();
        answers
    }

    async fn subscribe(&self, what: &Subscription) -> Result<Box<dyn Deliveries>> {
        let mut state = self.0.lock();
        if self.is_closed(&state) {
            return Err(BrokerError::Closed);
        }
        let number = state.subscribe(&what.what, what.prefetch.get(), self.1);
        drop(state);
        match (number, &what.what) {
            (Some(number), what) => {
                Ok(Box::new(ModelDeliveries::new(self.0.clone(), number, self.1, what.clone())))
            }
            (None, What::Group(group)) => Err(BrokerError::UnknownGroup { group: group.clone() }),
            (None, What::All(_)) => Err(BrokerError::Closed),
        }
    }

    async fn inspect(&self, group: &GroupName) -> Result<GroupStats> {
        let state = self.reached()?;
        let held = state.groups.get(group);
        let held = held.ok_or_else(|| BrokerError::UnknownGroup { group: group.clone() })?;
        let lent = state.lent.values().filter(|lent| lent.group == *group).count();
        Ok(GroupStats {
            ready: held.ready.len() as u64,
            in_flight: Some(lent as u64),
            consumers: Some(held.subscriptions.len() as u64),
            oldest: None,
        })
    }

    async fn remade(&self) -> Vec<GroupName> {
        loop {
            let rung = self.0.bell.notified();
            let remade = std::mem::take(&mut self.0.lock().remade);
            if !remade.is_empty() {
                return remade;
            }
            let _ = tokio::time::timeout(Duration::from_millis(5), rung).await;
        }
    }

    fn link(&self) -> LinkReport {
        let state = self.0.lock();
        LinkReport {
            version: *self.0.version.borrow(),
            state: if self.is_closed(&state) { LinkState::Closed } else { state.link.clone() },
            since: state.since.elapsed(),
            reconnects: state.reconnects,
            unconfirmed: 0,
            stale: state.stale,
        }
    }

    async fn link_changed(&self, seen: u64) -> LinkReport {
        let mut version = self.0.version.subscribe();
        let _ = version.wait_for(|version| *version != seen).await;
        self.link()
    }

    async fn close(&self, _within: Duration) -> CloseReport {
        let unsettled = self.0.lock().close(self.1);
        self.0.version.send_modify(|version| *version += 1);
        self.0.bell.notify_waiters();
        CloseReport { unconfirmed: 0, unsettled }
    }
}
