//! Takes back in what a broker carried: the tasks of one kind of one queue, as far as there are slots.
//!
//! The envelope is acknowledged once the opening is stored, or when the store says that it is not needed: from there on
//! recovery is the store's. What waits for a slot is in this process's hand, and nobody else's.

use super::carrier::{Carrier, Hand, Line};
use super::group;
use crate::consumer::{Context, Slot, fetch};
use longshore_core::broker::{
    Deliveries, Delivery, GroupName, Settlement, Subscribed, Subscription, What, header,
};
use longshore_core::store::{ErrorClass, Hold, Open, Opened, StoreError};
use longshore_core::{KindName, QueueName, TaskId, failpoint};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Pause after a failure, doubled up to the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// Between two tries to subscribe. A change of the link ends it early.
const AGAIN: Duration = Duration::from_secs(2);
/// How long it is waited for room under a limit, at the least and at the most: whoever ends elsewhere tells nobody.
const ROOM: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// So often in a row the broker must have something ready and hand out nothing.
const DEAF: u32 = 2;
/// How long it may take to get what was handed out already, to give it back.
const LEFT: Duration = Duration::from_millis(10);

/// Receives one kind of one queue.
#[derive(Debug, Clone)]
pub(super) struct Receiver {
    pub(super) carrier: Arc<Carrier>,
    pub(super) line: Line,
    /// How many deliveries may be in this process's hand.
    pub(super) prefetch: NonZeroUsize,
    pub(super) stop: CancellationToken,
    pub(super) attempts: TaskTracker,
}

/// A delivery whose task waits to be opened.
struct Carried {
    id: TaskId,
    delivery: Delivery,
    _hand: Hand,
}

impl Receiver {
    /// Receives until it is stopped, whatever becomes of the broker. Returns once nothing that it took is in its hand.
    pub(super) async fn run(self) {
        let opening = TaskTracker::new();
        while let Some(mut deliveries) = self.subscribe().await {
            self.consume(&mut *deliveries, &opening).await;
            if self.stop.is_cancelled() {
                give_back(&mut *deliveries, self.prefetch.get()).await;
                opening.close();
                // What is opened can be acknowledged for as long as the subscription is there.
                opening.wait().await;
                return;
            }
        }
    }

    async fn subscribe(&self) -> Option<Box<dyn Deliveries>> {
        let mut told = None;
        loop {
            let version = self.carrier.broker.link().version;
            let subscribing = self.stop.run_until_cancelled(self.try_subscribe()).await?;
            let error = match subscribing {
                Ok(deliveries) => return Some(deliveries),
                Err(error) => error.to_string(),
            };
            if told.as_ref() != Some(&error) {
                let (queue, kind) = &self.line;
                let broker = &*self.carrier.name;
                tracing::warn!(%queue, %kind, broker, error, "not received yet; it is tried again");
                told = Some(error);
            }
            let moved = self.carrier.broker.link_changed(version);
            self.stop.run_until_cancelled(tokio::time::timeout(AGAIN, moved)).await?.ok();
        }
    }

    async fn try_subscribe(&self) -> longshore_core::broker::Result<Box<dyn Deliveries>> {
        let group: GroupName = self.carrier.declare(&self.line).await?;
        let (queue, kind) = &self.line;
        let consumer = format!("longshore {queue} {kind} {}", self.carrier.cx.worker);
        let what = What::Group(group);
        let subscription = Subscription { what, prefetch: self.prefetch, consumer };
        self.carrier.broker.subscribe(&subscription).await
    }

    /// Opens what comes, until it is stopped or the subscription ends.
    async fn consume(&self, deliveries: &mut dyn Deliveries, opening: &TaskTracker) {
        let cx = &self.carrier.cx;
        let mut blocked = cx.executor.blocked();
        let mut deaf = 0;
        loop {
            let received = deliveries.receive(self.prefetch.get());
            let received = tokio::time::timeout(self.carrier.lost_after * 2, received);
            let Some(received) = self.stop.run_until_cancelled(received).await else { return };
            let Ok(received) = received else {
                deaf = if self.is_deaf(deliveries).await { deaf + 1 } else { 0 };
                if deaf == DEAF {
                    let ((queue, kind), broker) = (&self.line, &*self.carrier.name);
                    tracing::warn!(%queue, %kind, broker, "the broker has tasks and hands out none: subscribing anew");
                    return;
                }
                continue;
            };
            deaf = 0;
            if received.is_empty() {
                return;
            }
            let mut waiting: Vec<Carried> = self.carried(received).await;
            while !waiting.is_empty() {
                let slots = cx.slots_of(&self.line.0);
                let turn = async {
                    // Whoever cannot run anything takes nothing.
                    fetch::is(&mut blocked, false).await;
                    slots.take_at_most(waiting.len()).await
                };
                let Some(slots) = self.stop.run_until_cancelled(turn).await else {
                    return release(waiting).await;
                };
                let rest = waiting.split_off(slots.len().min(waiting.len()));
                let batch = std::mem::replace(&mut waiting, rest);
                opening.spawn(self.clone().open(batch, slots));
            }
        }
    }

    /// Whether the broker has something ready, and does not hand it out although nothing is in this process's hand: one
    /// whose queue was deleted and made again at once may think that it has.
    async fn is_deaf(&self, deliveries: &dyn Deliveries) -> bool {
        let carrier = &*self.carrier;
        if deliveries.state() != Subscribed::Confirmed || !carrier.is_empty_handed(&self.line) {
            return false;
        }
        let (queue, kind) = &self.line;
        let Ok(group) = group::name(queue, kind) else { return false };
        let asked = self.stop.run_until_cancelled(carrier.broker.inspect(&group)).await;
        matches!(asked, Some(Ok(stats)) if stats.ready > 0)
    }

    /// Picks those that name a task.
    async fn carried(&self, received: Vec<Delivery>) -> Vec<Carried> {
        let mut carried = Vec::with_capacity(received.len());
        for delivery in received {
            let named = delivery.envelope.headers.get(header::ID);
            match named.and_then(|id| id.parse().ok()) {
                Some(id) => {
                    let hand = self.carrier.hand(&self.line);
                    carried.push(Carried { id: TaskId(id), delivery, _hand: hand });
                }
                None => {
                    let broker = &*self.carrier.name;
                    tracing::warn!(broker, "what names no task is thrown away");
                    settle(delivery, Settlement::Discard).await;
                }
            }
        }
        carried
    }

    /// Opens the tasks, begins those that are held now, and acknowledges what is not needed any more. What the queue's
    /// bounds hold up stays in hand, and so does everything while the store is away.
    async fn open(self, mut batch: Vec<Carried>, mut slots: Vec<Slot>) {
        let cx = self.carrier.cx.clone();
        let (mut pause, mut room) = (PAUSE.0, ROOM.0);
        loop {
            // No more than can be begun.
            let mut rest = batch.split_off(slots.len().min(batch.len()));
            let wait = match cx.store.open(self.want(&batch)).await {
                Ok(opened) => {
                    pause = PAUSE.0;
                    let (kept, after) = self.begin(batch, opened, slots).await;
                    batch = kept;
                    if batch.is_empty() {
                        Duration::ZERO
                    } else {
                        let wait = after.unwrap_or(room).clamp(ROOM.0, ROOM.1);
                        room = (room * 2).min(ROOM.1);
                        wait
                    }
                }
                Err(error) if error.class() == ErrorClass::Final => {
                    cx.fatal.send_replace(Some(error));
                    return;
                }
                Err(error) => {
                    self.tell(&error);
                    drop(slots);
                    let wait = pause;
                    pause = (pause * 2).min(PAUSE.1);
                    wait
                }
            };
            batch.append(&mut rest);
            if batch.is_empty() {
                return;
            }
            let again = async {
                tokio::time::sleep(wait).await;
                cx.slots_of(&self.line.0).take_at_most(batch.len()).await
            };
            match self.stop.run_until_cancelled(again).await {
                Some(taken) => slots = taken,
                None => return release(batch).await,
            }
        }
    }

    fn tell(&self, error: &StoreError) {
        let (queue, kind) = &self.line;
        tracing::warn!(%queue, %kind, %error, "opening failed, will be tried again");
    }

    fn want(&self, batch: &[Carried]) -> Open {
        let Carrier { cx, .. } = &*self.carrier;
        let (queue, kind) = &self.line;
        let set = cx.live.now().settings(queue);
        Open {
            ids: batch.iter().map(|carried| carried.id).collect(),
            queue: queue.clone(),
            worker: cx.worker.clone(),
            hold: hold_of(kind, cx),
            limit: set.limit,
            rate: set.rate,
        }
    }

    /// Returns what has to be opened once more, and when that may be, if it is known.
    async fn begin(
        &self,
        batch: Vec<Carried>,
        opened: Vec<Opened>,
        slots: Vec<Slot>,
    ) -> (Vec<Carried>, Option<Duration>) {
        // An injected error has no meaning here: what was handed out must be run.
        let _ = failpoint::pass("consumer.claimed");
        let cx = &self.carrier.cx;
        let (mut kept, mut over, mut leased, mut after) =
            (Vec::new(), Vec::new(), Vec::new(), None);
        for (carried, opened) in batch.into_iter().zip(opened) {
            match opened {
                Opened::Leased(task) => {
                    leased.push(*task);
                    over.push(carried);
                }
                Opened::Held | Opened::Over | Opened::NotReady => over.push(carried),
                Opened::NoRoom { after: known } => {
                    after = after.or(known);
                    kept.push(carried);
                }
            }
        }
        fetch::begin(leased, slots, &cx.live.now(), cx, &self.attempts);
        let acks = over.into_iter().map(|one| async move {
            settle(one.delivery, Settlement::Ack).await;
        });
        futures_util::future::join_all(acks).await;
        (kept, after)
    }
}

/// How a task of that kind is held by this process.
fn hold_of(kind: &KindName, cx: &Context) -> Hold {
    let now = cx.live.now();
    let handler = now.registry.kind(kind.as_str()).and_then(|kind| kind.handler.clone());
    let is_outside = handler.is_some_and(|handler| handler.runs_outside());
    if cx.hold == Hold::Process && is_outside { Hold::Beside } else { cx.hold }
}

/// Tells the broker. One that it does not hear comes again, and the store knows it then.
async fn settle(delivery: Delivery, how: Settlement) {
    if let Err(error) = delivery.settle(how).await {
        tracing::debug!(%error, "an envelope was not settled; it comes again");
    }
}

async fn release(batch: Vec<Carried>) {
    for carried in batch {
        settle(carried.delivery, Settlement::Release).await;
    }
}

/// Gives back what has come and was not looked at.
async fn give_back(deliveries: &mut dyn Deliveries, most: usize) {
    deliveries.pause().await;
    while let Ok(left) = tokio::time::timeout(LEFT, deliveries.receive(most)).await {
        if left.is_empty() {
            return;
        }
        for delivery in left {
            settle(delivery, Settlement::Release).await;
        }
    }
}

/// Returns how many deliveries are asked for ahead: a quarter more than run at once.
pub(super) fn prefetch(queue: &QueueName, cx: &Context) -> NonZeroUsize {
    let slots = crate::live::at_once(&cx.live.now().settings(queue));
    NonZeroUsize::new(slots + slots.div_ceil(4)).unwrap_or(NonZeroUsize::MIN)
}
