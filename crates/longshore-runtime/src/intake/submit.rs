//! From a wish to the promise.

use super::Submission;
use super::validate::{FieldError, validate};
use crate::live::Live;
use crate::notify::Hub;
use crate::registry::Registry;
use crate::telemetry::Telemetry;
use crate::upkeep::Nudge;
use longshore_core::failpoint;
use longshore_core::store::{self, Refused, Store, StoreError};
use longshore_core::task::{Accepted, AcceptedHow};
use longshore_core::{Clock, NewTask, State, Valid};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why a wish was not accepted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SubmitError {
    /// The request itself is wrong.
    #[error("the request is not valid")]
    Invalid(Vec<FieldError>),
    /// The store says no to this one.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The process is stopping.
    #[error("the process is stopping")]
    Stopping,
}

/// Takes work in.
#[derive(Debug)]
pub struct Intake {
    store: Arc<dyn Store>,
    live: Arc<Live>,
    clock: Arc<dyn Clock>,
    hub: Arc<Hub>,
    nudge: Nudge,
    telemetry: Arc<Telemetry>,
    stopped: AtomicBool,
}

impl Intake {
    /// Makes an intake into `store` for the kinds that are in force.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        live: Arc<Live>,
        clock: Arc<dyn Clock>,
        hub: Arc<Hub>,
        nudge: Nudge,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        Self { store, live, clock, hub, nudge, telemetry, stopped: AtomicBool::new(false) }
    }

    /// Returns the kinds and queues that may be named right now.
    pub fn registry(&self) -> Arc<Registry> {
        self.live.registry()
    }

    /// Judges a wish without accepting it.
    pub fn validate(&self, wish: Submission) -> Result<Valid<NewTask>, Vec<FieldError>> {
        let now = self.live.now();
        let mut task = validate(wish, &now.registry, self.clock.now())?.into_inner();
        task.backlog = now.settings(&task.queue).backlog;
        Ok(Valid::vouch(task))
    }

    /// Accepts a wish. Returns once the task is durable.
    ///
    /// A known idempotency key is answered before the request is judged, so that a repeated one
    /// gets its first answer even if its kind is gone.
    pub async fn submit(&self, wish: Submission) -> Result<Accepted, SubmitError> {
        if !self.is_open() {
            return Err(SubmitError::Stopping);
        }
        let key = wish.idempotency.clone().map(|key| (wish.tenant.clone(), key));
        let task = match self.validate(wish) {
            Ok(task) => task,
            Err(faults) => {
                if let Some((tenant, key)) = key
                    && let Some(answer) = self.store.replay(tenant, key).await?
                {
                    return Ok(answer?);
                }
                return Err(SubmitError::Invalid(faults));
            }
        };
        let accepted = self.accept(vec![task]).await?.pop().ok_or(StoreError::Closed)??;
        Ok(accepted)
    }

    /// Accepts what was judged, unless the process is stopping; one answer for each.
    pub async fn submit_all(
        &self,
        tasks: Vec<Valid<NewTask>>,
    ) -> Result<Vec<Result<Accepted, Refused>>, SubmitError> {
        if !self.is_open() {
            return Err(SubmitError::Stopping);
        }
        Ok(self.accept(tasks).await?)
    }

    /// Accepts what was judged; one answer for each.
    pub async fn accept(
        &self,
        tasks: Vec<Valid<NewTask>>,
    ) -> store::Result<Vec<store::Result<Accepted, Refused>>> {
        failpoint::pass("intake.before_accept")
            .map_err(|injected| StoreError::Unavailable { why: injected.to_string() })?;
        let answers = self.store.accept(tasks).await?;
        for accepted in answers.iter().flatten().filter(|a| a.how == AcceptedHow::New) {
            self.telemetry.accepted(accepted);
            if accepted.state == State::Scheduled {
                self.nudge.due(accepted.run_at);
            }
            self.hub.emit_all(&accepted.others);
        }
        Ok(answers)
    }

    /// Refuses everything from now on: the process is stopping.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Returns whether work is taken in.
    pub fn is_open(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
    }
}
