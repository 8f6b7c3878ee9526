//! What clients and operators do to tasks that exist: cancel, retry, discard, replay.

use crate::intake::{Intake, Submission, SubmitError};
use crate::notify::Hub;
use crate::registry::DEFAULT_GRACE;
use crate::upkeep::Nudge;
use longshore_core::store::{self, Act, ActKind, Acted, Refused, Store, StoreError};
use longshore_core::task::{Accepted, Idempotency};
use longshore_core::{Payload, State, Task, TaskId, TenantName};
use std::sync::Arc;
use std::time::Duration;

/// Why an act was not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ActError {
    /// The store says no to this one.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The attempts that run in this process.
pub trait Runners: Send + Sync + std::fmt::Debug {
    /// Tells the attempt of this task, if it runs here, that it has `grace` left to stop. Returns
    /// at once.
    fn cancel(&self, id: TaskId, grace: Duration);
}

/// What a replayed task has of its own.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    /// What the handler is given. Default: what the old task's was given.
    pub payload: Option<Payload>,
    /// W3C `traceparent` of the caller. Default: none.
    pub traceparent: Option<String>,
    /// The request's own name. Default: none.
    pub idempotency: Option<Idempotency>,
}

impl Replay {
    /// Asks for a task like `task`.
    fn of(self, task: Task) -> Submission {
        Submission {
            kind: task.kind.to_string(),
            tenant: task.tenant,
            payload: self.payload.or(task.payload),
            name: task.name,
            queue: Some(task.queue.to_string()),
            priority: Some(task.priority.into()),
            max_attempts: Some(task.max_attempts.into()),
            timeout: Some(task.timeout),
            total_timeout: task.total_timeout,
            order_key: task.order_key,
            tags: task.tags,
            headers: task.headers,
            replay_of: Some(task.id),
            traceparent: self.traceparent,
            idempotency: self.idempotency,
            ..Submission::default()
        }
    }
}

/// Acts on tasks that exist. Each act is durable when its call returns, and leaves a line in the
/// audit log.
#[derive(Debug)]
pub struct Tasks {
    store: Arc<dyn Store>,
    intake: Arc<Intake>,
    hub: Arc<Hub>,
    nudge: Nudge,
    running: Arc<dyn Runners>,
}

impl Tasks {
    /// Acts on the tasks of `store`; `running` is told of cancelled ones, `intake` takes replays in.
    pub fn new(
        store: Arc<dyn Store>,
        intake: Arc<Intake>,
        hub: Arc<Hub>,
        nudge: Nudge,
        running: Arc<dyn Runners>,
    ) -> Self {
        Self { store, intake, hub, nudge, running }
    }

    /// Returns a task once its run has ended, or as it stands when `at_most` has passed; nothing if
    /// there is none.
    pub async fn wait(
        &self,
        tenant: TenantName,
        id: TaskId,
        at_most: Duration,
    ) -> store::Result<Option<Task>> {
        self.hub.wait(&*self.store, tenant, id, at_most).await
    }

    /// Cancels a task: a waiting one ends at once, a running one is told and has the grace of its
    /// kind. Returns the task as it stands then.
    pub async fn cancel(&self, by: &str, tenant: TenantName, id: TaskId) -> Result<Task, ActError> {
        let found = self.store.get(tenant.clone(), id).await?.ok_or(Refused::NotFound)?;
        let registry = self.intake.registry();
        let grace = registry.kind(found.kind.as_str()).map_or(DEFAULT_GRACE, |kind| kind.grace);
        let task = self.act_on(by, tenant, ActKind::Cancel { id, grace }).await?;
        if task.state == State::Running {
            self.running.cancel(id, grace);
        }
        Ok(task)
    }

    /// Opens a failed, cancelled or expired task again as run + 1, now.
    pub async fn retry(&self, by: &str, tenant: TenantName, id: TaskId) -> Result<Task, ActError> {
        self.act_on(by, tenant, ActKind::Reopen { id }).await
    }

    /// Accepts a new task like the one of that id, with another payload if one is given. The old
    /// one stays as it is.
    pub async fn replay(
        &self,
        tenant: TenantName,
        id: TaskId,
        payload: Option<Payload>,
    ) -> Result<Accepted, SubmitError> {
        self.replay_as(tenant, id, Replay { payload, ..Replay::default() }).await
    }

    /// Does what [`Tasks::replay`] does for a request that has a name and a trace.
    ///
    /// `run_at`, `unique` and `expires_in` are not taken over. The new task is judged as any other,
    /// so one of a kind that is gone is refused.
    pub async fn replay_as(
        &self,
        tenant: TenantName,
        id: TaskId,
        how: Replay,
    ) -> Result<Accepted, SubmitError> {
        if let Some(key) = how.idempotency.clone()
            && let Some(answer) = self.store.replay(tenant.clone(), key).await?
        {
            return Ok(answer?);
        }
        let task = self.store.get(tenant, id).await?.ok_or(Refused::NotFound)?;
        self.intake.submit(how.of(task)).await
    }

    /// Throws a waiting task or a dead letter away.
    pub async fn discard(
        &self,
        by: &str,
        tenant: TenantName,
        id: TaskId,
    ) -> Result<Task, ActError> {
        self.act_on(by, tenant, ActKind::Discard { id }).await
    }

    async fn act_on(&self, by: &str, tenant: TenantName, what: ActKind) -> Result<Task, ActError> {
        let acted = act(&*self.store, &self.hub, Act { by: by.into(), tenant, what }).await?;
        let task = acted.task.ok_or(Refused::NotFound)?;
        if task.state == State::Scheduled {
            self.nudge.due(task.run_at);
        }
        Ok(task)
    }
}

/// Does one act and tells what happened.
pub(crate) async fn act(store: &dyn Store, hub: &Hub, act: Act) -> Result<Acted, ActError> {
    let acted = store.act(vec![act]).await?.pop().ok_or(StoreError::Closed)??;
    hub.emit_all(&acted.events);
    Ok(acted)
}
