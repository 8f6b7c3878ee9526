//! What all parts of an opened store share.

use crate::watch::Watches;
use longshore_core::Clock;
use longshore_core::task::Durability;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

/// What all parts of an opened store share.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) schema: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) watches: Watches,
    pub(crate) durability: Durability,
    /// The number of this opening; another one once others took this one for dead.
    epoch: AtomicI32,
    /// How often it was noted that some ready task has to run isolated; nothing if there is none.
    suspects: AtomicU64,
    set_aside: AtomicU64,
}

impl Base {
    pub(crate) fn new(
        schema: String,
        clock: Arc<dyn Clock>,
        durability: Durability,
        epoch: i32,
    ) -> Self {
        Self {
            schema,
            clock,
            watches: Watches::default(),
            durability,
            epoch: AtomicI32::new(epoch),
            suspects: AtomicU64::new(1),
            set_aside: AtomicU64::new(0),
        }
    }

    pub(crate) fn epoch(&self) -> i32 {
        self.epoch.load(Ordering::SeqCst)
    }

    pub(crate) fn begin_epoch(&self, epoch: i32) {
        self.epoch.store(epoch, Ordering::SeqCst);
    }

    /// Whether some ready task has to run isolated, as far as is known: not 0.
    pub(crate) fn suspects(&self) -> u64 {
        self.suspects.load(Ordering::SeqCst)
    }

    /// Notes that there is one.
    pub(crate) fn note_suspect(&self) {
        self.suspects.fetch_add(1, Ordering::SeqCst);
    }

    /// Notes that there is none, unless one was noted since [`suspects`](Base::suspects) said `seen`.
    pub(crate) fn note_no_suspect(&self, seen: u64) {
        let _ = self.suspects.compare_exchange(seen, 0, Ordering::SeqCst, Ordering::SeqCst);
    }

    pub(crate) fn set_aside(&self) -> u64 {
        self.set_aside.load(Ordering::SeqCst)
    }

    pub(crate) fn count_set_aside(&self, tasks: u64) {
        self.set_aside.fetch_add(tasks, Ordering::SeqCst);
    }
}
