//! Takes back in what a broker carried: the tasks of one kind of one queue, as far as there are slots.
//!
//! The envelope is acknowledged once the [opening](super::opening) is stored, or when the store says that it is not
//! needed: from there on recovery is the store's. What waits for a slot is in this process's hand, and nobody else's.

use super::carrier::{Carrier, Line};
use super::group;
use super::opening::{Carried, release, settle};
use crate::consumer::{Context, fetch};
use longshore_core::broker::{
    Deliveries, Delivery, GroupName, Settlement, Subscribed, Subscription, What, header,
};
use longshore_core::{QueueName, TaskId};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Between two tries to subscribe. A change of the link ends it early.
const AGAIN: Duration = Duration::from_secs(2);
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
            // That the broker is away is told of the broker, and not of each kind.
            if told.as_ref() != Some(&error) && self.carrier.is_up() {
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
                    carried.push(Carried { id: TaskId(id), delivery, hand });
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
