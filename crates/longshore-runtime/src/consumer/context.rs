//! What every attempt of a process shares.

use crate::notify::Hub;
use crate::registry::Registry;
use crate::stall::StallWatch;
use crate::telemetry::Telemetry;
use crate::upkeep::Nudge;
use longshore_core::Clock;
use longshore_core::store::{Store, StoreError};
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// What every attempt of a process shares.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) nudge: Nudge,
    pub(crate) stall: StallWatch,
    /// Ends that were not recorded yet take a place here before their slot is freed.
    pub(crate) recording: Arc<Semaphore>,
    /// Cancelled when no new work is to be fetched.
    pub(crate) fetching: CancellationToken,
    /// Cancelled when what still runs is to be given back.
    pub(crate) releasing: CancellationToken,
    /// Set when the store cannot go on.
    pub(crate) fatal: watch::Sender<Option<StoreError>>,
}
