//! How many tasks of a queue may run at once in this process.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The slots of one queue.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    /// Most that are taken at once.
    share: u32,
}

/// A taken slot; free again when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    /// Makes so many slots, to be shared by `claims` claims that are made at the same time.
    pub(crate) fn new(count: usize, claims: usize) -> Self {
        let share = count.div_ceil(claims.max(1)).saturating_sub(1);
        Self {
            free: Arc::new(Semaphore::new(count)),
            share: u32::try_from(share).unwrap_or(u32::MAX),
        }
    }

    /// Waits for one free slot, and takes as many more as are free, at most a fair share.
    pub(crate) async fn take(&self) -> Vec<Slot> {
        let Ok(first) = self.free.clone().acquire_owned().await else {
            return Vec::new(); // never closed
        };
        // Handlers that are about to return go first, so that one claim serves them all.
        tokio::task::yield_now().await;
        let mut taken = vec![Slot { _permit: first }];
        let free = u32::try_from(self.free.available_permits()).unwrap_or(u32::MAX);
        if let Ok(mut permits) = self.free.clone().try_acquire_many_owned(free.min(self.share)) {
            while let Some(permit) = permits.split(1) {
                taken.push(Slot { _permit: permit });
            }
        }
        taken
    }
}
