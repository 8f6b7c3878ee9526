//! Whose a task is, where it waits, and what it is about.

use crate::error::Trouble;
use longshore_core::store::Leased;
use longshore_core::{KindName, NewTask, QueueName, TenantName};
use tokio_postgres::Row;

/// Tenant, queue and kind: what tasks are counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Sort {
    pub(crate) tenant: TenantName,
    pub(crate) queue: QueueName,
    pub(crate) kind: KindName,
}

impl Sort {
    pub(crate) fn of(task: &NewTask) -> Self {
        Self { tenant: task.tenant.clone(), queue: task.queue.clone(), kind: task.kind.clone() }
    }

    pub(crate) fn of_leased(task: &Leased) -> Self {
        Self { tenant: task.tenant.clone(), queue: task.queue.clone(), kind: task.kind.clone() }
    }

    /// Reads tenant, queue and kind from three columns.
    pub(crate) fn read(row: &Row, first: usize) -> Result<Self, Trouble> {
        let name = |place| row.try_get::<_, &str>(place);
        Self::named(name(first)?, name(first + 1)?, name(first + 2)?)
    }

    /// The sort of these names.
    pub(crate) fn named(tenant: &str, queue: &str, kind: &str) -> Result<Self, Trouble> {
        let bad = |name: &str| Trouble::Failed(format!("\"{name}\" in the database is no name"));
        Ok(Self {
            tenant: TenantName::new(tenant).map_err(|_| bad(tenant))?,
            queue: QueueName::new(queue).map_err(|_| bad(queue))?,
            kind: KindName::new(kind).map_err(|_| bad(kind))?,
        })
    }
}
