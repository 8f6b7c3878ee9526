//! The reference store passes the suite that it is the reference of.

use longshore_conformance::{ManualClock, ModelStore, Rig, async_trait};
use longshore_core::store::Store;
use std::sync::{Arc, Mutex};

/// The model, whose process dies when it is told to.
struct ModelRig {
    store: Mutex<Arc<ModelStore>>,
    clock: Arc<ManualClock>,
}

#[async_trait]
impl Rig for ModelRig {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store.lock().expect("no rig panics")) as _
    }

    fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }

    async fn reboot(&self) -> Arc<dyn Store> {
        let mut store = self.store.lock().expect("no rig panics");
        *store = Arc::new(store.reboot());
        Arc::clone(&store) as _
    }
}

async fn fresh() -> Box<dyn Rig> {
    let clock = Arc::new(ManualClock::new());
    let store = Mutex::new(Arc::new(ModelStore::new(Arc::clone(&clock) as _)));
    Box::new(ModelRig { store, clock })
}

longshore_conformance::store_suite!(fresh);
