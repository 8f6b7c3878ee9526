//! Schedules as operators and clients see them: made, changed, held back, run at once.

use super::{Fields, Plan};
use crate::intake::{FieldError, Intake, SubmitError};
use crate::notify::Hub;
use crate::telemetry::Telemetry;
use longshore_core::store::{self, Act, ActKind, Origin, Refused, Schedule, Store, StoreError};
use longshore_core::task::Accepted;
use longshore_core::{Clock, Payload, TenantName, Timestamp, Valid};
use std::sync::Arc;
use tokio::sync::Notify;
use uuid::Uuid;

/// Why something was not done to a schedule.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ScheduleError {
    /// What is wanted is wrong.
    #[error("the schedule is not valid")]
    Invalid(Vec<FieldError>),
    /// There is one of that id.
    #[error("a schedule with this id exists")]
    Taken,
    /// There is none of that id, or it is another tenant's.
    #[error("there is no such schedule")]
    NotFound,
    /// Somebody else changed it meanwhile.
    #[error("the schedule was changed meanwhile")]
    Changed,
    /// It is in the configuration, and is removed there.
    #[error("the schedule comes from the configuration; remove it there, or pause it")]
    Configured,
    /// Its task was not accepted.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refused> for ScheduleError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::IdTaken { .. } => Self::Taken,
            Refused::NotFound => Self::NotFound,
            Refused::Changed => Self::Changed,
            refused => Self::Submit(refused.into()),
        }
    }
}

/// Looks after schedules. Each act is durable when its call returns, and leaves a line in the audit log.
#[derive(Debug)]
pub struct Schedules {
    pub(super) store: Arc<dyn Store>,
    pub(super) intake: Arc<Intake>,
    pub(super) hub: Arc<Hub>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) clock: Arc<dyn Clock>,
    changed: Notify,
}

impl Schedules {
    /// Looks after the schedules of `store`; their tasks are judged by `intake`.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        intake: Arc<Intake>,
        hub: Arc<Hub>,
        telemetry: Arc<Telemetry>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, intake, hub, telemetry, clock, changed: Notify::new() }
    }

    /// Returns all schedules of a tenant, by id.
    pub async fn list(&self, tenant: &TenantName) -> store::Result<Vec<Schedule>> {
        self.store.schedules(Some(tenant.clone())).await
    }

    /// Returns a schedule of a tenant.
    pub async fn get(&self, tenant: &TenantName, id: Uuid) -> Result<Schedule, ScheduleError> {
        let all = self.list(tenant).await?;
        all.into_iter().find(|schedule| schedule.id == id).ok_or(ScheduleError::NotFound)
    }

    /// Finds everything that is wrong with a plan: its timing, and its task as of now.
    pub fn check(&self, plan: &Plan) -> Vec<FieldError> {
        let mut faults: Vec<FieldError> = plan.timing().err().into_iter().collect();
        faults.extend(self.intake.validate(plan.task.clone()).err().unwrap_or_default());
        faults
    }

    /// Makes a schedule. Default of the id: a new one.
    pub async fn create(
        &self,
        by: &str,
        tenant: TenantName,
        id: Option<Uuid>,
        plan: Plan,
    ) -> Result<Schedule, ScheduleError> {
        let id = id.unwrap_or_else(Uuid::now_v7);
        let schedule = self.drawn(id, tenant, Origin::Api, &plan)?;
        let stored = self.store.put_schedule(schedule, None).await??;
        self.note(by, "schedule.create", &stored, None, Some(plan.to_fields())).await;
        self.nudge();
        Ok(stored)
    }

    /// Changes a schedule, as `change` says after a look at it; refused if somebody else changes it in
    /// between. What is changed of a plan of the configuration is kept over what that says.
    pub async fn change<E: From<ScheduleError>>(
        &self,
        by: &str,
        tenant: &TenantName,
        id: Uuid,
        change: impl FnOnce(&Schedule) -> Result<Plan, E> + Send,
    ) -> Result<Schedule, E> {
        let before = self.get(tenant, id).await?;
        let plan = change(&before)?;
        Ok(self.rewrite(by, "schedule.change", before, plan).await?)
    }

    /// Holds a schedule back, or goes on with it. Slots that come while it is held back are left out.
    pub async fn hold(
        &self,
        by: &str,
        tenant: &TenantName,
        id: Uuid,
        paused: bool,
    ) -> Result<Schedule, ScheduleError> {
        let before = self.get(tenant, id).await?;
        let act = if paused { "schedule.pause" } else { "schedule.resume" };
        let plan = Plan { paused, ..Plan::of(&before) };
        self.rewrite(by, act, before, plan).await
    }

    /// Removes a schedule. Tasks that it has made stay. One of the configuration is refused.
    pub async fn remove(
        &self,
        by: &str,
        tenant: &TenantName,
        id: Uuid,
    ) -> Result<(), ScheduleError> {
        let there = self.get(tenant, id).await?;
        if there.origin == Origin::Config {
            return Err(ScheduleError::Configured);
        }
        self.drop_schedule(by, &there).await
    }

    pub(super) async fn drop_schedule(
        &self,
        by: &str,
        there: &Schedule,
    ) -> Result<(), ScheduleError> {
        if !self.store.remove_schedule(&there.tenant, there.id).await? {
            return Err(ScheduleError::NotFound);
        }
        self.note(by, "schedule.delete", there, Some(Plan::of(there).to_fields()), None).await;
        Ok(())
    }

    /// Makes its task now, paused or not; slots are not touched.
    pub async fn run(
        &self,
        by: &str,
        tenant: &TenantName,
        id: Uuid,
    ) -> Result<Accepted, ScheduleError> {
        if !self.intake.is_open() {
            return Err(SubmitError::Stopping.into());
        }
        let schedule = self.get(tenant, id).await?;
        let task = self.intake.validate(Plan::of(&schedule).task);
        let mut task = task.map_err(ScheduleError::Invalid)?.into_inner();
        task.schedule_id = Some(id);
        let accepted = self.intake.accept(vec![Valid::vouch(task)]).await?.pop();
        let accepted = accepted.ok_or(StoreError::Closed)??;
        let after = Fields::default().with("task", accepted.id);
        self.note(by, "schedule.run", &schedule, None, Some(after)).await;
        Ok(accepted)
    }

    /// Returns the next slots of a schedule, at most so many, paused or not.
    pub fn next(&self, schedule: &Schedule, count: usize) -> Vec<Timestamp> {
        let Ok(timing) = Plan::of(schedule).timing() else { return Vec::new() };
        timing.slots_between(self.clock.now(), Timestamp::MAX, count)
    }

    /// Something may come earlier than what is waited for.
    pub(super) fn nudge(&self) {
        self.changed.notify_one();
    }

    /// Returns once something has changed that may come earlier than what is waited for.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Writes another plan over a schedule.
    async fn rewrite(
        &self,
        by: &str,
        act: &str,
        before: Schedule,
        plan: Plan,
    ) -> Result<Schedule, ScheduleError> {
        let old = Plan::of(&before);
        if old == plan {
            return Ok(before);
        }
        let base = Plan::configured(&before).unwrap_or_default();
        let after = self.redrawn(&before, &plan, &base)?;
        let stored = self.store.put_schedule(after, Some(before.version)).await??;
        self.note(by, act, &stored, Some(old.to_fields()), Some(plan.to_fields())).await;
        self.nudge();
        Ok(stored)
    }

    /// Draws `plan` over a schedule; `base` is what the configuration says, if it says anything.
    pub(super) fn redrawn(
        &self,
        before: &Schedule,
        plan: &Plan,
        base: &Fields,
    ) -> Result<Schedule, ScheduleError> {
        let mut after = self.drawn(before.id, before.tenant.clone(), before.origin, plan)?;
        let same_slots = before.cron == after.cron && before.timezone == after.timezone;
        if same_slots && before.paused == after.paused {
            after.next_slot = before.next_slot;
        }
        let differs = before.origin == Origin::Config && *base != plan.to_fields();
        after.configured = differs.then(|| Payload::from_json(base.to_json()));
        Ok(after)
    }

    /// Draws a schedule from now on.
    pub(super) fn drawn(
        &self,
        id: Uuid,
        tenant: TenantName,
        origin: Origin,
        plan: &Plan,
    ) -> Result<Schedule, ScheduleError> {
        let faults = self.check(plan);
        let (Ok(timing), []) = (plan.timing(), faults.as_slice()) else {
            return Err(ScheduleError::Invalid(faults));
        };
        let now = self.clock.now();
        Ok(Schedule {
            id,
            tenant,
            name: plan.name.clone(),
            origin,
            cron: plan.cron.clone(),
            timezone: plan.timezone.clone(),
            missed: plan.missed,
            paused: plan.paused,
            task: plan.template(),
            configured: None,
            last_slot: None,
            next_slot: timing.next_after(now),
            created_at: now,
            version: 0,
        })
    }

    /// Leaves a line in the audit log. The act itself is done.
    pub(super) async fn note(
        &self,
        by: &str,
        act: &str,
        schedule: &Schedule,
        before: Option<Fields>,
        after: Option<Fields>,
    ) {
        let json = |fields: Fields| Payload::from_json(fields.to_json());
        let what = ActKind::Note {
            act: act.to_owned(),
            target: Some(schedule.id.to_string()),
            before: before.map(json),
            after: after.map(json),
        };
        let act = Act { by: by.to_owned(), tenant: schedule.tenant.clone(), what };
        let noted = self.store.act(vec![act]).await;
        let noted = noted.map(|answers| answers.into_iter().find_map(Result::err));
        if !matches!(noted, Ok(None)) {
            tracing::warn!(schedule = %schedule.id, ?noted, "an act is not in the audit log");
        }
    }
}
