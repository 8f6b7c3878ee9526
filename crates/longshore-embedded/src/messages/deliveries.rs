//! What a subscription receives, and how it is settled.

use super::broker::Shared;
use super::hand::{Hand, Item, Place};
use super::parcel;
use crate::writer::Job;
use async_trait::async_trait;
use longshore_core::broker::{
    BrokerError, Deliveries, Delivery, Envelope, Origin, Settled, Settlement, Settler, Subscribed,
    TopicName, header,
};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// One subscription.
#[derive(Debug)]
pub(super) struct HandedOut {
    hand: Arc<Hand>,
    broker: Arc<Shared>,
}

impl HandedOut {
    pub(super) fn new(hand: Arc<Hand>, broker: Arc<Shared>) -> Self {
        Self { hand, broker }
    }

    fn deliver(&self, item: Item) -> Delivery {
        let Item { place, envelope, topic, count, redelivered } = item;
        let first = envelope.headers.get(header::ORIGIN_TOPIC);
        let first = first.and_then(|first| TopicName::new(first).ok());
        let origin = Origin {
            topic: first.or(topic),
            group: self.hand.group.clone(),
            message_id: None,
            position: Some(place.position.to_string()),
        };
        let settler = Box::new(Held { place, broker: self.broker.clone() });
        let mut delivery = Delivery::new(envelope, origin, self.broker.epoch, settler);
        (delivery.redelivered, delivery.hand_out) = (redelivered, Some(count));
        delivery
    }
}

#[async_trait]
impl Deliveries for HandedOut {
    async fn receive(&mut self, most: usize) -> Vec<Delivery> {
        let items = self.hand.take(most).await;
        items.into_iter().map(|item| self.deliver(item)).collect()
    }

    fn state(&self) -> Subscribed {
        self.hand.state()
    }

    async fn state_changed(&self, seen: &Subscribed) -> Subscribed {
        self.hand.state_changed(seen).await
    }

    async fn pause(&self) {
        let untaken = self.hand.turn(Subscribed::Paused);
        self.broker.abandon(untaken, false);
    }

    async fn resume(&self) {
        self.hand.turn(Subscribed::Confirmed);
        self.broker.abandon(Vec::new(), false); // the writer looks who wants something
    }
}

impl Drop for HandedOut {
    fn drop(&mut self) {
        self.hand.turn(Subscribed::Ended);
        self.broker.abandon(Vec::new(), true); // the writer looks who has ended
    }
}

/// One hand-out that somebody has.
#[derive(Debug)]
struct Held {
    place: Place,
    broker: Arc<Shared>,
}

#[async_trait]
impl Settler for Held {
    async fn settle(
        self: Box<Self>,
        envelope: Envelope,
        origin: Origin,
        how: Settlement,
    ) -> Result<Settled, BrokerError> {
        // Dropped in the middle, or failed, it is handed out again.
        let mut guard = Guard { held: *self, armed: true };
        let settled = guard.held.tell(envelope, &origin, how).await;
        guard.armed = settled.is_err();
        if matches!(settled, Ok(Settled::Stale)) {
            guard.held.broker.stale.fetch_add(1, Ordering::Relaxed);
        }
        settled
    }

    async fn extend(&self) -> Result<(), BrokerError> {
        Ok(()) // nothing is taken back for its time
    }

    fn abandon(self: Box<Self>) {
        self.broker.abandon(vec![self.place], true);
    }
}

impl Held {
    async fn tell(
        &self,
        envelope: Envelope,
        origin: &Origin,
        how: Settlement,
    ) -> Result<Settled, BrokerError> {
        let (place, broker) = (self.place, &self.broker);
        match how {
            Settlement::Ack | Settlement::Discard => {
                broker.ask(|reply| Job::Settle { place, reply }).await
            }
            Settlement::Release => broker.ask(|reply| Job::Release { place, reply }).await,
            Settlement::Retry { after } => {
                let headers = parcel::pack(&envelope.next_attempt(origin).headers);
                broker.ask(|reply| Job::Postpone { place, after, headers, reply }).await
            }
            Settlement::Dead(dead) => {
                let letter = envelope.dead_letter(origin, &dead, broker.clock.now());
                let letter = Box::new(letter);
                let buried = broker.ask(|reply| Job::Bury { place, letter, reply }).await?;
                buried.ok_or_else(|| BrokerError::Unsupported {
                    what: "the group has no dead letters".to_owned(),
                })
            }
        }
    }
}

/// Sees to it that a settlement which did not come about leaves nothing behind.
struct Guard {
    held: Held,
    armed: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.armed {
            self.held.broker.abandon(vec![self.held.place], true);
        }
    }
}
