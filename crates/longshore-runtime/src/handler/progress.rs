//! What a running handler last said of how far it is.

use longshore_core::Payload;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Holds the newest progress until it is written down; older ones that were not are skipped.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    said: Mutex<Option<Payload>>,
    fresh: AtomicBool,
}

impl Progress {
    /// Says it.
    pub(crate) fn say(&self, progress: Payload) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
        self.fresh.store(true, Ordering::Release);
    }

    /// Takes what was said since the last time.
    pub(crate) fn take(&self) -> Option<Payload> {
        if !self.fresh.load(Ordering::Relaxed) || !self.fresh.swap(false, Ordering::Acquire) {
            return None;
        }
        self.said.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
