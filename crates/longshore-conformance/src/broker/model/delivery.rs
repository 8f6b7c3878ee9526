//! Handing out and settling.

use super::broker::Inner;
use longshore_core::broker::{
    BrokerError, Deliveries, Delivery, Envelope, GroupName, Origin, Settled, Settlement, Settler,
    Subscribed, TopicName, What, header,
};
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether a pause is over: the clock is in a test's hand, and rings no bell.
const LOOK: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct ModelDeliveries {
    inner: Arc<Inner>,
    number: u64,
    connection: u64,
    what: What,
}

impl ModelDeliveries {
    pub(super) fn new(inner: Arc<Inner>, number: u64, connection: u64, what: What) -> Self {
        Self { inner, number, connection, what }
    }

    fn pack(&self, number: u64, item: super::state::Item, epoch: u64) -> Delivery {
        let group = match &self.what {
            What::Group(group) => Some(group.clone()),
            What::All(_) => None::<GroupName>,
        };
        let first = item.envelope.headers.get(header::ORIGIN_TOPIC);
        let origin = Origin {
            topic: first.and_then(|topic| TopicName::new(topic).ok()).or(item.topic),
            group,
            message_id: None,
            position: None,
        };
        let settler = Box::new(ModelSettler { inner: self.inner.clone(), number });
        let mut delivery = Delivery::new(item.envelope, origin, epoch, settler);
        delivery.redelivered = item.redelivered;
        delivery.hand_out = Some(item.hand_outs);
        delivery
    }

    fn pause_is(&self, paused: bool) {
        if let Some(subscriber) = self.inner.lock().subscribers.get_mut(&self.number) {
            subscriber.paused = paused;
        }
        self.inner.bell.notify_waiters();
    }
}

#[async_trait::async_trait]
impl Deliveries for ModelDeliveries {
    async fn receive(&mut self, most: usize) -> Vec<Delivery> {
        loop {
            let rung = self.inner.bell.notified();
            {
                let mut state = self.inner.lock();
                if state.closed.contains(&self.connection) {
                    return Vec::new();
                }
                let handed = state.hand_out(self.number, most, self.inner.clock.monotonic());
                let epoch = state.epoch;
                drop(state);
                if !handed.is_empty() {
                    return handed
                        .into_iter()
                        .map(|(lent, item)| self.pack(lent, item, epoch))
                        .collect();
                }
            }
            let _ = tokio::time::timeout(LOOK, rung).await;
        }
    }

    fn state(&self) -> Subscribed {
        let state = self.inner.lock();
        match state.subscribers.get(&self.number) {
            None => Subscribed::Ended,
            _ if !(state.link.is_up() || state.blocked.is_some()) => {
                Subscribed::Lost { why: "away".to_owned() }
            }
            Some(one) if one.paused => Subscribed::Paused,
            Some(one) if !state.groups.contains_key(&one.group) => {
                Subscribed::Lost { why: "the group is gone".to_owned() }
            }
            Some(_) => Subscribed::Confirmed,
        }
    }

    async fn state_changed(&self, seen: &Subscribed) -> Subscribed {
        loop {
            let rung = self.inner.bell.notified();
            let state = self.state();
            if state != *seen {
                return state;
            }
            let _ = tokio::time::timeout(LOOK, rung).await;
        }
    }

    async fn pause(&self) {
        self.pause_is(true);
    }

    async fn resume(&self) {
        self.pause_is(false);
    }
}

impl Drop for ModelDeliveries {
    fn drop(&mut self) {
        self.inner.lock().leave(self.number);
        self.inner.bell.notify_waiters();
    }
}

#[derive(Debug)]
struct ModelSettler {
    inner: Arc<Inner>,
    number: u64,
}

#[async_trait::async_trait]
impl Settler for ModelSettler {
    async fn settle(
        self: Box<Self>,
        envelope: Envelope,
        origin: Origin,
        how: Settlement,
    ) -> Result<Settled, BrokerError> {
        let clock = &*self.inner.clock;
        let settled = self.inner.lock().settle(self.number, envelope, &origin, how, clock);
        self.inner.bell.notify_waiters();
        settled.map_err(|what| BrokerError::Unsupported { what })
    }

    async fn extend(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    fn abandon(self: Box<Self>) {
        self.inner.lock().take_back_one(self.number);
        self.inner.bell.notify_waiters();
    }
}
