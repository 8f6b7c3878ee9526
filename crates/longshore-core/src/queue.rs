//! What an operator sets on a queue, a kind or a tenant.

use crate::{KindName, QueueName, TenantName};

/// What a pause holds back. Producers are still accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All tasks of a queue.
    Queue(QueueName),
    /// All tasks of a kind.
    Kind(KindName),
    /// All tasks of a tenant.
    Tenant(TenantName),
}
