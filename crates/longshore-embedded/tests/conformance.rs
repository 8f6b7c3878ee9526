//! The embedded store is a store: it passes the suite.

use async_trait::async_trait;
use longshore_conformance::{ManualClock, Rig};
use longshore_core::store::{Lifecycle, Store};
use longshore_embedded::{EmbeddedStore, Options};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

struct Bench {
    dir: TempDir,
    clock: Arc<ManualClock>,
    store: Mutex<Arc<EmbeddedStore>>,
}

impl Bench {
    fn open(dir: &TempDir, clock: &Arc<ManualClock>) -> Arc<EmbeddedStore> {
        let options =
            Options { clock: clock.clone(), reserve: 1 << 20, ..Options::new(dir.path()) };
        Arc::new(EmbeddedStore::open(&options).expect("the folder is ours"))
    }
}

#[async_trait]
impl Rig for Bench {
    fn store(&self) -> Arc<dyn Store> {
        self.store.lock().expect("no panic").clone()
    }

    fn clock(&self) -> Arc<ManualClock> {
        self.clock.clone()
    }

    async fn reboot(&self) -> Arc<dyn Store> {
        // Closing releases nothing, so what ran is found running: as after a death.
        let old = self.store.lock().expect("no panic").clone();
        old.close().await.expect("it closes");
        let new = Self::open(&self.dir, &self.clock);
        *self.store.lock().expect("no panic") = new.clone();
        new
    }
}

async fn fresh() -> Box<dyn Rig> {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::default());
    let store = Mutex::new(Bench::open(&dir, &clock));
    Box::new(Bench { dir, clock, store })
}

longshore_conformance::store_suite!(fresh);
