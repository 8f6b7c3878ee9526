//! What lies between the writer and one subscription: the writer puts in what it hands out, the subscription takes it.

use super::{GroupId, Position};
use longshore_core::broker::{Envelope, GroupName, Subscribed, TopicName};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// Names one hand-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(super) group: GroupId,
    pub(super) position: Position,
    /// Of this hand-out alone.
    pub(super) token: u64,
}

/// What is handed out.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) place: Place,
    pub(super) envelope: Envelope,
    pub(super) topic: Option<TopicName>,
    /// How often it was handed out, with this time.
    pub(super) count: u32,
    pub(super) redelivered: bool,
}

/// A subscription as both sides see it.
#[derive(Debug)]
pub(crate) struct Hand {
    /// Nothing for a broadcast.
    pub(super) group: Option<GroupName>,
    pub(super) number: u64,
    prefetch: usize,
    /// Changed by the writer alone.
    unsettled: AtomicUsize,
    items: Mutex<VecDeque<Item>>,
    bell: Notify,
    state: watch::Sender<Subscribed>,
}

impl Hand {
    pub(super) fn new(number: u64, group: Option<GroupName>, prefetch: usize) -> Self {
        Self {
            group,
            number,
            prefetch,
            unsettled: AtomicUsize::new(0),
            items: Mutex::default(),
            bell: Notify::new(),
            state: watch::Sender::new(Subscribed::Confirmed),
        }
    }

    /// Returns how many more it may be handed.
    pub(super) fn room(&self) -> usize {
        if self.is_open() { self.prefetch.saturating_sub(self.unsettled()) } else { 0 }
    }

    pub(super) fn unsettled(&self) -> usize {
        self.unsettled.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, by: isize) {
        let unsettled = self.unsettled().saturating_add_signed(by);
        self.unsettled.store(unsettled, Ordering::Relaxed);
    }

    /// Puts something in; gives it back if it is paused or has ended by now.
    pub(super) fn give(&self, given: Vec<Item>) -> Result<(), Vec<Item>> {
        let mut items = self.lock();
        if !self.is_open() {
            return Err(given);
        }
        items.extend(given);
        drop(items);
        self.bell.notify_one();
        Ok(())
    }

    /// Waits for something and takes at most so many; empty once it has ended.
    pub(super) async fn take(&self, most: usize) -> Vec<Item> {
        loop {
            {
                let mut items = self.lock();
                let count = most.min(items.len());
                if count > 0 || most == 0 || self.has_ended() {
                    return items.drain(..count).collect();
                }
            }
            self.bell.notified().await;
        }
    }

    /// Turns to another state, unless it has ended; returns what nobody has taken.
    pub(super) fn turn(&self, to: Subscribed) -> Vec<Place> {
        let mut items = self.lock();
        self.state.send_if_modified(|state| {
            let turns = *state != Subscribed::Ended && *state != to;
            if turns {
                *state = to;
            }
            turns
        });
        let taken_back = if self.is_open() { 0 } else { items.len() };
        let untaken = items.drain(..taken_back).map(|item| item.place).collect();
        drop(items);
        self.bell.notify_one();
        untaken
    }

    pub(super) fn state(&self) -> Subscribed {
        self.state.borrow().clone()
    }

    pub(super) fn is_open(&self) -> bool {
        *self.state.borrow() == Subscribed::Confirmed
    }

    pub(super) fn has_ended(&self) -> bool {
        *self.state.borrow() == Subscribed::Ended
    }

    pub(super) async fn state_changed(&self, seen: &Subscribed) -> Subscribed {
        let mut state = self.state.subscribe();
        // It cannot fail: the sender is borrowed.
        let _ = state.wait_for(|state| state != seen).await;
        self.state()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Item>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
