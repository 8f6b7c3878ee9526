//! What the suite needs to have of a store.

use crate::ManualClock;
use async_trait::async_trait;
use longshore_core::store::Store;
use std::sync::Arc;

/// A store on a bench: with its clock in the tester's hand, and a way to let its process die.
#[async_trait]
pub trait Rig: Send + Sync {
    /// Returns the store that is open now.
    fn store(&self) -> Arc<dyn Store>;

    /// Returns the clock that the store was given.
    fn clock(&self) -> Arc<ManualClock>;

    /// Lets the store's process die without releasing anything, and opens the same data in a new
    /// one, on the same clock. Also opens again what was closed.
    async fn reboot(&self) -> Arc<dyn Store>;

    /// Returns how many random operations are compared with the model; a slow link makes fewer.
    fn operations(&self) -> usize {
        10_000
    }
}
