//! Tells who waits for marks of a carried queue that there may be some.

use longshore_core::QueueName;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// A bell for each queue that was ever listened for.
#[derive(Debug, Default)]
pub(crate) struct Bells(Mutex<HashMap<QueueName, Arc<Notify>>>);

impl Bells {
    /// Returns the bell of a queue. Listen before you look.
    pub(crate) fn of(&self, queue: &QueueName) -> Arc<Notify> {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bells.entry(queue.clone()).or_default().clone()
    }

    /// Rings it, if anybody has ever listened.
    pub(crate) fn ring(&self, queue: &QueueName) {
        let bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(queue) {
            bell.notify_waiters();
        }
    }
}
