//! The store on PostgreSQL on a bench, each case in a schema of its own.

use async_trait::async_trait;
use longshore_conformance::{ManualClock, Rig};
use longshore_core::store::{Lifecycle, Store};
use longshore_postgres::{Options, PostgresStore};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

struct Bench {
    url: String,
    clock: Arc<ManualClock>,
    store: Mutex<Arc<PostgresStore>>,
}

impl Bench {
    async fn open(url: &str, clock: &Arc<ManualClock>) -> Arc<PostgresStore> {
        // The same name: what was opened under it before is dead.
        let name = Some("the bench".to_owned());
        let options = Options { name, clock: clock.clone(), ..Options::new(url) };
        Arc::new(PostgresStore::open(options).await.expect("the schema is ours"))
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
        let new = Self::open(&self.url, &self.clock).await;
        *self.store.lock().expect("no panic") = new.clone();
        new
    }
}

/// A fresh store in the server of that address.
pub(crate) async fn fresh_in(server: &str) -> Box<dyn Rig> {
    static CASES: AtomicU32 = AtomicU32::new(0);
    let case = CASES.fetch_add(1, Ordering::Relaxed);
    let separator = if server.contains('?') { '&' } else { '?' };
    let url = format!("{server}{separator}schema=case_{}_{case}", std::process::id());
    let clock = Arc::new(ManualClock::default());
    let store = Mutex::new(Bench::open(&url, &clock).await);
    Box::new(Bench { url, clock, store })
}
