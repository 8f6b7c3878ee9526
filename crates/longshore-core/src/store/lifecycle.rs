//! How the store itself is.

use super::{Overview, Result};

/// How the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Condition {
    /// Bytes that tasks use, free pages left out.
    pub used_bytes: u64,
    /// Bytes written ahead of the main file, where there is such a thing.
    pub log_bytes: u64,
    /// Whether accepting is refused for want of room.
    pub full: bool,
    /// Damaged tasks that were set aside since the store was opened (reason `invariant`).
    pub set_aside: u64,
}

/// The store's own life.
#[async_trait::async_trait]
pub trait Lifecycle: Send + Sync + std::fmt::Debug {
    /// Returns whether other servers may use what is kept here at the same time.
    fn is_shared(&self) -> bool {
        false
    }

    /// Answers when a write would be served now.
    async fn condition(&self) -> Result<Condition>;

    /// Answers in one question what a server wants to know every few seconds; nothing where that saves nothing:
    /// then each is asked for by itself, and upkeep finds out what there is to do.
    async fn overview(&self) -> Result<Option<Overview>> {
        Ok(None)
    }

    /// Returns once it is worth looking at once instead of at the usual time: somebody has changed what is in
    /// force, or the store may be away.
    async fn stirred(&self) {
        std::future::pending().await
    }

    /// Finishes what was asked, then closes. Later calls fail with `Closed`, and so do claims and openings that are not answered yet:
    /// what they would hold nobody could end. It may wait for calls that are under way, so these are to be polled, or dropped.
    async fn close(&self) -> Result<()>;
}
