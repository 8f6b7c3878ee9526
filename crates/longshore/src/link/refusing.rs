//! What is not asked of a worker: taking tasks in, looking at them, keeping them moving. The server does that.

use super::Linked;
use async_trait::async_trait;
use longshore_core::store::{
    Act, Acted, AuditLine, Carriage, Carried, Controls, Count, Filter, Fired, Firing, Intake,
    Leases, MarkRef, Moved, Outbox, Oversight, Page, Pruned, QueueAge, Refused, Relay, Result,
    Retention, Schedule, Schedules, StoreError, TaskQuery, Term, Upkeep,
};
use longshore_core::task::{Accepted, Idempotency};
use longshore_core::{Attempt, NewTask, QueueName, Task, TaskId, TenantName, Timestamp, Valid};
use std::time::Duration;

fn elsewhere<T>() -> Result<T> {
    let why = "this is a worker: ask the server that it is linked to".to_owned();
    Err(StoreError::Unavailable { why })
}

#[async_trait]
impl Intake for Linked {
    async fn accept(&self, _: Vec<Valid<NewTask>>) -> Result<Vec<Result<Accepted, Refused>>> {
        elsewhere()
    }

    async fn replay(
        &self,
        _: TenantName,
        _: Idempotency,
    ) -> Result<Option<Result<Accepted, Refused>>> {
        elsewhere()
    }

    async fn act(&self, _: Vec<Act>) -> Result<Vec<Result<Acted, Refused>>> {
        elsewhere()
    }
}

#[async_trait]
impl Upkeep for Linked {
    async fn make_ready(&self) -> Result<Moved> {
        elsewhere()
    }

    async fn rescue(&self) -> Result<Moved> {
        elsewhere()
    }

    async fn expire(&self) -> Result<Moved> {
        elsewhere()
    }

    async fn prune(&self, _: &Retention) -> Result<Pruned> {
        elsewhere()
    }
}

#[async_trait]
impl Carriage for Linked {
    async fn outbox(&self, _: Relay) -> Result<Outbox> {
        elsewhere()
    }

    async fn relayed(&self, _: Vec<MarkRef>) -> Result<()> {
        elsewhere()
    }

    async fn carried(&self, _: &QueueName) -> Result<Vec<Carried>> {
        elsewhere()
    }

    async fn lost(&self, _: Vec<MarkRef>) -> Result<usize> {
        elsewhere()
    }
}

#[async_trait]
impl TaskQuery for Linked {
    async fn get(&self, _: TenantName, _: TaskId) -> Result<Option<Task>> {
        elsewhere()
    }

    async fn page(&self, _: Filter) -> Result<Page> {
        elsewhere()
    }

    /// It keeps no tasks.
    async fn counters(&self) -> Result<Vec<Count>> {
        Ok(Vec::new())
    }

    async fn attempts(&self, _: TenantName, _: TaskId) -> Result<Option<Vec<Attempt>>> {
        elsewhere()
    }
}

#[async_trait]
impl Oversight for Linked {
    async fn controls(&self) -> Result<Controls> {
        Ok(Linked::controls(self))
    }

    async fn audit(&self, _: Option<u64>, _: usize) -> Result<Vec<AuditLine>> {
        elsewhere()
    }

    async fn ages(&self) -> Result<Vec<QueueAge>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Schedules for Linked {
    async fn put_schedule(&self, _: Schedule, _: Option<u64>) -> Result<Result<Schedule, Refused>> {
        elsewhere()
    }

    async fn remove_schedule(&self, _: &TenantName, _: uuid::Uuid) -> Result<bool> {
        elsewhere()
    }

    async fn schedules(&self, _: Option<TenantName>) -> Result<Vec<Schedule>> {
        Ok(Vec::new())
    }

    async fn due_schedules(&self, _: usize) -> Result<(Vec<Schedule>, Option<Timestamp>)> {
        Ok((Vec::new(), None))
    }

    async fn fire(&self, _: Vec<Firing>) -> Result<Vec<Fired>> {
        elsewhere()
    }
}

#[async_trait]
impl Leases for Linked {
    async fn acquire(&self, _: &str, _: &str, _: Duration) -> Result<Option<Term>> {
        elsewhere()
    }

    async fn renew(&self, _: &Term, _: Duration) -> Result<bool> {
        elsewhere()
    }
}
