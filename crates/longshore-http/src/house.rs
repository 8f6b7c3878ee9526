//! What every route can reach.

use crate::auth::Caller;
use crate::coding::WORTHWHILE;
use crate::problem::Problem;
use longshore_core::store::{Store, StoreError};
use longshore_core::{Task, TaskId};
use longshore_runtime::Engine;
use std::fmt;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Largest request body in bytes unless configured otherwise: 256 KiB.
pub const DEFAULT_MAX_BODY: usize = 256 << 10;
/// Largest request body that may be configured: 1 MiB.
pub const MAX_MAX_BODY: usize = 1 << 20;

/// Shows the configuration as it holds now: JSON with the origin of each value, secrets masked. It is
/// made by whoever read the configuration; the door shows it as it is.
#[derive(Clone)]
pub struct ConfigView(Arc<dyn Fn() -> serde_json::Value + Send + Sync>);

impl ConfigView {
    /// Shows what `show` returns; it is asked each time.
    pub fn new(show: impl Fn() -> serde_json::Value + Send + Sync + 'static) -> Self {
        Self(Arc::new(show))
    }

    /// Returns the configuration of now.
    pub(crate) fn show(&self) -> serde_json::Value {
        (self.0)()
    }
}

impl Default for ConfigView {
    /// Shows an empty object: nothing was configured.
    fn default() -> Self {
        Self::new(|| serde_json::Value::Object(serde_json::Map::new()))
    }
}

impl PartialEq for ConfigView {
    /// Whether both ask the same.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ConfigView {}

impl fmt::Debug for ConfigView {
    /// Shows nothing of it: masking is for the API.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("configuration")
    }
}

/// The engine behind the door, and the few settings that routes need. Cloning is cheap.
#[derive(Debug, Clone)]
pub(crate) struct House(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Engine,
    max_body: usize,
    config: ConfigView,
    closing: CancellationToken,
}

impl House {
    /// Makes a house for this engine. `closing` says that those who wait should be answered.
    pub(crate) fn new(
        engine: Engine,
        max_body: usize,
        config: ConfigView,
        closing: CancellationToken,
    ) -> Self {
        let max_body = max_body.clamp(WORTHWHILE, MAX_MAX_BODY);
        Self(Arc::new(Inner { engine, max_body, config, closing }))
    }

    /// Returns the engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Returns the store.
    pub(crate) fn store(&self) -> &dyn Store {
        &**self.0.engine.store()
    }

    /// Returns a task, if the caller may know of it.
    pub(crate) async fn task(
        &self,
        caller: &Caller,
        id: TaskId,
    ) -> Result<Option<Task>, StoreError> {
        let task = self.store().get(caller.tenant(), id).await?;
        Ok(task.filter(|task| caller.covers(&task.queue)))
    }

    /// Refuses an id that the caller may not know of, before something is done with it. The store
    /// looks at the tenant itself; who covers all queues costs no reading here.
    pub(crate) async fn must_know(&self, caller: &Caller, id: TaskId) -> Result<(), Problem> {
        if !caller.covers_all() && self.task(caller, id).await?.is_none() {
            return Err(Problem::no_task(id));
        }
        Ok(())
    }

    /// Returns the configuration of now.
    pub(crate) fn config(&self) -> serde_json::Value {
        self.0.config.show()
    }

    /// Returns the largest request body in bytes.
    pub(crate) fn max_body(&self) -> usize {
        self.0.max_body
    }

    /// Returns what is cancelled when the door closes.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.0.closing
    }
}
