//! A server that can be killed, and whose power can be cut.

use crate::buggy::{Bug, Buggy};
use longshore_conformance::ManualClock;
use longshore_conformance::ModelStore;
use longshore_conformance::model::Image;
use longshore_core::store::Store;
use longshore_core::{Clock, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// Accepts that pass between two syncs of a disk that skips them.
const SYNCED_EVERY: u32 = 25;

/// A process with a store in it, and the disk below.
pub(crate) struct Server {
    bug: Bug,
    clock: Arc<dyn Clock>,
    model: Arc<ModelStore>,
    store: Arc<Buggy>,
    /// What a power cut leaves, if the store does not sync everything it answers.
    disk: Option<Image>,
    accepts: u32,
}

impl Server {
    /// Starts on an empty disk.
    pub(crate) fn start(bug: Bug, clock: Arc<ManualClock>) -> Self {
        let clock: Arc<dyn Clock> = match bug {
            Bug::WallClockLease => Arc::new(WallAsMonotonic(clock)),
            _ => clock,
        };
        let model = Arc::new(ModelStore::new(Arc::clone(&clock)));
        let store = Arc::new(Buggy::new(bug, Arc::clone(&model)));
        let mut server = Self { bug, clock, model, store, disk: None, accepts: 0 };
        server.sync();
        server
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as _
    }

    /// Something was accepted; an honest disk has it by now.
    pub(crate) fn accepted(&mut self) {
        self.accepts += 1;
        if self.accepts.is_multiple_of(SYNCED_EVERY) {
            self.sync();
        }
    }

    /// The process dies; what it wrote is there.
    pub(crate) fn kill(&mut self) {
        self.boot(self.model.image());
    }

    /// The power goes; what was not synced is gone.
    pub(crate) fn cut_power(&mut self) {
        let left = self.disk.take().unwrap_or_else(|| self.model.image());
        self.boot(left);
    }

    fn boot(&mut self, image: Image) {
        self.model = Arc::new(ModelStore::boot(image, Arc::clone(&self.clock)));
        self.store = Arc::new(Buggy::new(self.bug, Arc::clone(&self.model)));
        self.sync();
    }

    fn sync(&mut self) {
        self.disk = (self.bug == Bug::SkippedFsync).then(|| self.model.image());
    }
}

/// A clock whose monotonic time is the wall's.
#[derive(Debug)]
struct WallAsMonotonic(Arc<ManualClock>);

impl Clock for WallAsMonotonic {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.now().since(Timestamp::default())
    }
}
