//! What every route can reach.

use crate::coding::WORTHWHILE;
use longshore_core::TenantName;
use longshore_core::store::Store;
use longshore_runtime::Engine;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Largest request body in bytes unless configured otherwise: 256 KiB.
pub const DEFAULT_MAX_BODY: usize = 256 << 10;
/// Largest request body that may be configured: 1 MiB.
pub const MAX_MAX_BODY: usize = 1 << 20;

/// The engine behind the door, and the few settings that routes need. Cloning is cheap.
#[derive(Debug, Clone)]
pub(crate) struct House(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Engine,
    tenant: TenantName,
    max_body: usize,
    closing: CancellationToken,
}

impl House {
    /// Makes a house for this engine. `closing` says that those who wait should be answered.
    pub(crate) fn new(engine: Engine, max_body: usize, closing: CancellationToken) -> Self {
        let max_body = max_body.clamp(WORTHWHILE, MAX_MAX_BODY);
        Self(Arc::new(Inner { engine, tenant: TenantName::default(), max_body, closing }))
    }

    /// Returns the engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Returns the store.
    pub(crate) fn store(&self) -> &dyn Store {
        &**self.0.engine.store()
    }

    /// Returns whose tasks a caller sees: without keys there is one tenant.
    pub(crate) fn tenant(&self) -> TenantName {
        self.0.tenant.clone()
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
