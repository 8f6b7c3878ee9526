//! How the store itself is.

use super::Result;

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

    /// Finishes what was asked, then closes. Later calls fail with `Closed`.
    async fn close(&self) -> Result<()>;
}
