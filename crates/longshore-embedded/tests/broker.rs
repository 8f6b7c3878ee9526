//! The embedded broker is a broker: it passes the suite.

use async_trait::async_trait;
use longshore_conformance::{BrokerRig, ManualClock};
use longshore_core::broker::Broker;
use longshore_core::store::Lifecycle;
use longshore_embedded::{EmbeddedStore, Options};
use std::sync::{Arc, Mutex};
use std::time::Duration;
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

    fn store(&self) -> Arc<EmbeddedStore> {
        self.store.lock().expect("no panic").clone()
    }
}

#[async_trait]
impl BrokerRig for Bench {
    async fn connect(&self) -> Arc<dyn Broker> {
        Arc::new(self.store().broker())
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    async fn reboot(&self) -> Option<Arc<dyn Broker>> {
        // Closing settles nothing, so what is with somebody is handed out again: as after a death.
        self.store().close().await.expect("it closes");
        let new = Self::open(&self.dir, &self.clock);
        *self.store.lock().expect("no panic") = new.clone();
        Some(Arc::new(new.broker()))
    }
}

async fn fresh() -> Box<dyn BrokerRig> {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::default());
    let store = Mutex::new(Bench::open(&dir, &clock));
    Box::new(Bench { dir, clock, store })
}

longshore_conformance::broker_suite!("embedded", fresh, ignored: "broker_ignored.txt");
