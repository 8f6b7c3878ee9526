//! From a delivery in hand to a task that is held, or to an envelope that is not needed.

use super::carrier::{Carrier, Hand};
use super::receive::Receiver;
use crate::consumer::{Context, Slot, fetch};
use longshore_core::broker::{Delivery, Settlement};
use longshore_core::store::{ErrorClass, Hold, Open, Opened, StoreError};
use longshore_core::{KindName, TaskId, failpoint};
use std::time::Duration;

/// Pause after a failure, doubled up to the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How long it is waited for room under a limit, at the least and at the most: whoever ends elsewhere tells nobody.
const ROOM: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// A delivery whose task waits to be opened.
pub(super) struct Carried {
    pub(super) id: TaskId,
    pub(super) delivery: Delivery,
    pub(super) hand: Hand,
}

impl Receiver {
    /// Opens the tasks, begins those that are held now, and acknowledges what is not needed any more. What the queue's
    /// bounds hold up stays in hand, and so does everything while the store is away.
    pub(super) async fn open(self, mut batch: Vec<Carried>, mut slots: Vec<Slot>) {
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
            let Carried { delivery, hand, .. } = one;
            settle(delivery, Settlement::Ack).await;
            drop(hand);
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
pub(super) async fn settle(delivery: Delivery, how: Settlement) {
    if let Err(error) = delivery.settle(how).await {
        tracing::debug!(%error, "an envelope was not settled; it comes again");
    }
}

pub(super) async fn release(batch: Vec<Carried>) {
    for carried in batch {
        settle(carried.delivery, Settlement::Release).await;
    }
}
