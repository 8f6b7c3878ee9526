//! A subscription as its holder sees it: a shelf with what was handed out, filled by a [`Reader`](crate::reader::Reader).

use longshore_core::broker::{Deliveries, Delivery, Subscribed};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// A pause takes effect within this time, or once the link is back.
const PAUSE: Duration = Duration::from_secs(5);

/// What the holder of a subscription wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wish {
    /// To receive.
    Receive,
    /// To receive nothing for now.
    Pause,
    /// To be rid of it.
    End,
}

/// What was handed out and not taken yet.
#[derive(Debug)]
pub(crate) struct Shelf {
    items: Mutex<VecDeque<Delivery>>,
    bell: Notify,
    pub(crate) state: watch::Sender<Subscribed>,
    pub(crate) wish: watch::Sender<Wish>,
}

impl Shelf {
    /// Makes an empty one.
    pub(crate) fn new() -> Self {
        Self {
            items: Mutex::default(),
            bell: Notify::new(),
            state: watch::Sender::new(Subscribed::Waiting),
            wish: watch::Sender::new(Wish::Receive),
        }
    }

    fn items(&self) -> MutexGuard<'_, VecDeque<Delivery>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something on it; the prefetch bounds how much there can be.
    pub(crate) fn put(&self, deliveries: Vec<Delivery>) {
        self.items().extend(deliveries);
        self.bell.notify_one();
    }

    /// Gives back what nobody took, the last first, so that the order is kept as far as it can be.
    pub(crate) fn clear(&self) {
        let items = std::mem::take(&mut *self.items());
        items.into_iter().rev().for_each(drop);
    }

    /// Tells how the subscription is.
    pub(crate) fn tell(&self, state: Subscribed) {
        self.state.send_if_modified(|known| {
            let is_new = *known != state;
            *known = state;
            is_new
        });
        self.bell.notify_one();
    }

    fn take(&self, most: usize) -> Vec<Delivery> {
        if *self.wish.borrow() != Wish::Receive {
            return Vec::new();
        }
        let mut items = self.items();
        let count = most.min(items.len());
        items.drain(..count).collect()
    }

    fn has_ended(&self) -> bool {
        *self.state.borrow() == Subscribed::Ended
    }
}

/// One subscription.
pub(crate) struct Subscriber(pub(crate) Arc<Shelf>);

impl std::fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subscriber({:?})", self.state())
    }
}

#[async_trait::async_trait]
impl Deliveries for Subscriber {
    async fn receive(&mut self, most: usize) -> Vec<Delivery> {
        loop {
            let rung = self.0.bell.notified();
            let taken = self.0.take(most.max(1));
            if !taken.is_empty() || self.0.has_ended() {
                return taken;
            }
            rung.await;
        }
    }

    fn state(&self) -> Subscribed {
        self.0.state.borrow().clone()
    }

    async fn state_changed(&self, seen: &Subscribed) -> Subscribed {
        let mut state = self.0.state.subscribe();
        // The sender lives as long as the shelf.
        let _ = state.wait_for(|state| state != seen).await;
        self.state()
    }

    async fn pause(&self) {
        self.0.wish.send_if_modified(|wish| {
            let can = *wish == Wish::Receive;
            if can {
                *wish = Wish::Pause;
            }
            can
        });
        let mut state = self.0.state.subscribe();
        let quiet = state.wait_for(|state| !matches!(state, Subscribed::Confirmed));
        let _ = tokio::time::timeout(PAUSE, quiet).await;
    }

    async fn resume(&self) {
        self.0.wish.send_if_modified(|wish| {
            let can = *wish == Wish::Pause;
            if can {
                *wish = Wish::Receive;
            }
            can
        });
        self.0.bell.notify_one();
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.0.wish.send_replace(Wish::End);
    }
}
