//! How a delivery ends.

use crate::acks::Acker;
use crate::board::Board;
use crate::flight::{Fail, Parcel};
use crate::ladder::{Rung, first};
use crate::link::Link;
use crate::names::Route;
use crate::publisher::{Publisher, not_sent};
use crate::topology::Keeper;
use crate::wire::Message;
use longshore_core::broker::{
    BrokerClass, BrokerError, Envelope, GroupName, Origin, Settled, Settlement, Settler,
};
use longshore_core::{Clock, SystemClock};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What could not be stored elsewhere is tried again for so long, then given back.
const PATIENCE: Duration = Duration::from_secs(60);
/// And between two tries.
const HOLD: Duration = Duration::from_secs(1);

/// What all deliveries need.
#[derive(Debug)]
pub(crate) struct Office {
    pub(crate) consume: Arc<Link>,
    pub(crate) publisher: Publisher,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) board: Arc<Board>,
}

impl Office {
    /// Stores something on the ladder, from where it comes back to the queue.
    pub(crate) async fn delay(
        &self,
        envelope: Envelope,
        queue: &str,
        pause: Duration,
    ) -> Result<(), BrokerError> {
        let (rung, left) = first(pause);
        let mut message = Message::of(envelope);
        if !left.is_zero() {
            message.set_left(left.as_millis());
        }
        match self.climb(rung, queue, message.clone()).await {
            // The rung was deleted since.
            Err(Fail::Unroutable | Fail::Refused(_)) => {
                self.keeper.forget_rung(rung);
                self.climb(rung, queue, message).await.map_err(broker_error)
            }
            told => told.map_err(broker_error),
        }
    }

    async fn climb(&self, rung: Rung, queue: &str, message: Message) -> Result<(), Fail> {
        let live = self.consume.wait().await.map_err(not_sent)?;
        self.keeper.make_rung(&live, rung).await.map_err(not_sent)?;
        self.keeper.bind_way_back(&live, queue).await.map_err(not_sent)?;
        let route = Route { exchange: rung.name.to_owned(), key: queue.to_owned() };
        self.send(Parcel { route, message, is_mandatory: true }).await
    }

    /// Stores something in a group's queue; makes it again if it is gone.
    async fn bury(&self, envelope: Envelope, group: &GroupName) -> Result<(), BrokerError> {
        let to = longshore_core::broker::To::Group(group.clone());
        let message = Message::of(envelope);
        let parcel =
            |message| Parcel { route: self.keeper.route(&to), message, is_mandatory: true };
        match self.send(parcel(message.clone())).await {
            Err(Fail::Unroutable) => {
                let live = self.consume.wait().await?;
                self.keeper.apply(&live, std::slice::from_ref(group)).await?;
                self.send(parcel(message)).await.map_err(broker_error)
            }
            told => told.map_err(broker_error),
        }
    }

    async fn send(&self, parcel: Parcel) -> Result<(), Fail> {
        let mut answers = self.publisher.send(vec![Arc::new(parcel)]).await;
        answers.pop().unwrap_or(Err(Fail::Closed))
    }
}

fn broker_error(fail: Fail) -> BrokerError {
    let unavailable = |why: &str| BrokerError::Unavailable { why: why.to_owned() };
    match fail {
        Fail::Unroutable => unavailable("the queue is gone"),
        Fail::Unconfirmed(waited) => BrokerError::Deadline { waited },
        Fail::Unavailable(why) => BrokerError::Unavailable { why },
        Fail::Blocked(why) => unavailable(&format!("the broker takes nothing in: {why}")),
        Fail::Nacked => unavailable("the broker did not take it"),
        Fail::Refused(why) => BrokerError::Refused { why },
        Fail::Closed => BrokerError::Closed,
    }
}

/// One delivery's side of the driver.
pub(crate) struct Tag {
    pub(crate) tag: u64,
    pub(crate) acker: Arc<Acker>,
    pub(crate) office: Arc<Office>,
    /// Where it came from, and comes back to.
    pub(crate) queue: Arc<str>,
    /// Where it goes if it is dead.
    pub(crate) dead: Option<GroupName>,
}

impl std::fmt::Debug for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tag({} of {})", self.tag, self.queue)
    }
}

impl Tag {
    /// Takes note of a delivery that is handed out.
    pub(crate) fn new(
        tag: u64,
        acker: &Arc<Acker>,
        office: &Arc<Office>,
        queue: &Arc<str>,
        dead: Option<GroupName>,
    ) -> Self {
        acker.hand_out(tag);
        office.board.unsettled.fetch_add(1, Ordering::Relaxed);
        Self { tag, acker: acker.clone(), office: office.clone(), queue: queue.clone(), dead }
    }

    /// Stores what becomes of it, if anything does.
    async fn store(
        &self,
        envelope: Envelope,
        origin: &Origin,
        how: Settlement,
    ) -> Result<(), BrokerError> {
        match how {
            Settlement::Ack | Settlement::Discard | Settlement::Release => Ok(()),
            Settlement::Retry { after } => {
                self.office.delay(envelope.next_attempt(origin), &self.queue, after).await
            }
            Settlement::Dead(dead) => {
                let Some(group) = &self.dead else {
                    let what = "there is no group for the dead letters of this one".to_owned();
                    return Err(BrokerError::Unsupported { what });
                };
                let now = SystemClock.now();
                self.office.bury(envelope.dead_letter(origin, &dead, now), group).await
            }
        }
    }
}

impl Drop for Tag {
    fn drop(&mut self) {
        self.office.board.unsettled.fetch_sub(1, Ordering::Relaxed);
        // Nothing, if it was settled.
        self.acker.give_back(self.tag);
    }
}

impl Tag {
    /// Tries again for a while what may pass: to hand the message out again would run its handler again.
    async fn store_patiently(
        &self,
        envelope: Envelope,
        origin: &Origin,
        how: Settlement,
    ) -> Result<(), BrokerError> {
        let until = Instant::now() + PATIENCE;
        loop {
            let stored = self.store(envelope.clone(), origin, how.clone()).await;
            match stored {
                Err(error)
                    if error.class() == BrokerClass::Temporary
                        && Instant::now() < until
                        && !self.acker.is_gone() =>
                {
                    tokio::time::sleep(HOLD).await;
                }
                told => return told,
            }
        }
    }
}

#[async_trait::async_trait]
impl Settler for Tag {
    async fn settle(
        self: Box<Self>,
        envelope: Envelope,
        origin: Origin,
        how: Settlement,
    ) -> Result<Settled, BrokerError> {
        let stale = || {
            self.office.board.stale.fetch_add(1, Ordering::Relaxed);
            Ok(Settled::Stale)
        };
        if self.acker.is_gone() {
            return stale();
        }
        match how {
            Settlement::Ack | Settlement::Discard => {
                self.acker.settle(self.tag);
                return Ok(Settled::Done);
            }
            Settlement::Release => {
                self.acker.give_back(self.tag);
                return Ok(Settled::Done);
            }
            Settlement::Retry { .. } | Settlement::Dead(_) => {}
        }
        if let Err(error) = self.store_patiently(envelope, &origin, how).await {
            // At once it would only fail again, and each hand-out counts towards the breaker.
            tokio::spawn(async move {
                tokio::time::sleep(HOLD).await;
                drop(self);
            });
            return Err(error);
        }
        if self.acker.is_gone() {
            return stale();
        }
        self.acker.settle(self.tag);
        self.acker.heard(self.tag).await;
        Ok(Settled::Done)
    }

    async fn extend(&self) -> Result<(), BrokerError> {
        let what = "RabbitMQ gives no more time for a delivery".to_owned();
        Err(BrokerError::Unsupported { what })
    }

    fn abandon(self: Box<Self>) {}
}
