//! What is in force right now: the registry of this process, and what operators set over it.
//!
//! Both are replaced as a whole; who holds the old ones finishes with them, so that nothing that
//! runs is touched.

use crate::registry::Registry;
use longshore_core::QueueName;
use longshore_core::queue::QueueSettings;
use longshore_core::store::{self, Controls, KnownKind, Overview, Store};
use std::sync::{Arc, MutexGuard, PoisonError};
use tokio::sync::{Mutex, watch};

/// What is in force at one moment.
#[derive(Debug, Clone, Default)]
pub struct Now {
    /// Kinds and queues of this process.
    pub registry: Arc<Registry>,
    /// What operators set through the API.
    pub controls: Arc<Controls>,
}

impl Now {
    /// Returns who carries the tasks of a queue, as the store has it; nothing if it hands them out itself.
    pub fn carrier(&self, queue: &QueueName) -> Option<&str> {
        self.controls.carriers.get(queue).map(String::as_str)
    }

    /// Returns what holds for a queue: what operators set, over what is configured, over the
    /// default slots.
    pub fn settings(&self, queue: &QueueName) -> QueueSettings {
        let set = self.controls.queues.get(queue).cloned().unwrap_or_default();
        let configured = self.registry.queue(queue.as_str()).map(|(_, settings)| settings);
        let default = QueueSettings { slots: Some(QueueSettings::SLOTS), ..Default::default() };
        set.or(configured.unwrap_or(&default)).or(&default)
    }
}

/// Returns how many tasks of a queue run at once in this process, while it is the only one.
pub(crate) fn at_once(settings: &QueueSettings) -> usize {
    let slots = settings.slots.unwrap_or(QueueSettings::SLOTS);
    settings.limit.map_or(slots, |limit| limit.min(slots)) as usize
}

/// What the registry is made of.
#[derive(Debug, Default)]
struct Sources {
    own: Arc<Registry>,
    known: Vec<KnownKind>,
}

/// What is in force, as it changes.
#[derive(Debug, Default)]
pub struct Live {
    now: watch::Sender<Now>,
    /// What this process itself brings, and the kinds that workers elsewhere run.
    sources: std::sync::Mutex<Sources>,
    /// Looks come one after the other, so that an old one never hides a new one.
    looking: Mutex<()>,
}

impl Live {
    /// Begins with these.
    pub(crate) fn new(registry: Registry) -> Self {
        let own = Arc::new(registry);
        let now = watch::Sender::new(Now { registry: own.clone(), controls: Arc::default() });
        let sources = std::sync::Mutex::new(Sources { own, known: Vec::new() });
        Self { now, sources, looking: Mutex::default() }
    }

    /// Returns what is in force.
    pub fn now(&self) -> Now {
        self.now.borrow().clone()
    }

    /// Returns the registry that is in force.
    pub fn registry(&self) -> Arc<Registry> {
        self.now.borrow().registry.clone()
    }

    /// Shows what comes after.
    pub(crate) fn watch(&self) -> watch::Receiver<Now> {
        self.now.subscribe()
    }

    /// Returns what other servers have to know of the kinds that are run here.
    pub(crate) fn to_be_known(&self) -> Vec<KnownKind> {
        self.sources().own.all_to_be_known()
    }

    /// Puts another registry in force.
    pub(crate) fn set_registry(&self, registry: Registry) {
        let mut sources = self.sources();
        sources.own = Arc::new(registry);
        self.compose(&sources);
    }

    /// Learns which kinds workers elsewhere run.
    fn set_known(&self, known: Vec<KnownKind>) {
        let mut sources = self.sources();
        if sources.known != known {
            sources.known = known;
            self.compose(&sources);
        }
    }

    fn sources(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn compose(&self, sources: &Sources) {
        let registry = Registry::clone(&sources.own).with_known(&sources.known);
        self.now.send_modify(|now| now.registry = Arc::new(registry));
    }

    /// Asks a store that answers everything at once how it stands, and puts in force what is.
    pub(crate) async fn overview(&self, store: &dyn Store) -> store::Result<Option<Overview>> {
        let _alone = self.looking.lock().await;
        let overview = store.overview().await?;
        if let Some(overview) = &overview {
            self.set_controls(overview.controls.clone());
            self.set_known(overview.kinds.clone());
        }
        Ok(overview)
    }

    /// Asks the store which kinds workers run, and puts them in force.
    pub(crate) async fn learn(&self, store: &dyn Store) -> store::Result<()> {
        let _alone = self.looking.lock().await;
        self.set_known(store.known_kinds().await?);
        Ok(())
    }

    /// Asks the store what operators have set, and puts it in force.
    pub async fn refresh(&self, store: &dyn Store) -> store::Result<Arc<Controls>> {
        let _alone = self.looking.lock().await;
        self.set_controls(store.controls().await?);
        Ok(self.now.borrow().controls.clone())
    }

    fn set_controls(&self, controls: Controls) {
        self.now.send_if_modified(|now| {
            let changed = *now.controls != controls;
            if changed {
                now.controls = Arc::new(controls);
            }
            changed
        });
    }
}
