//! Schedules: [`create`] and [`read`] them, [`change`] what they are, and [`act`] on them.

pub(crate) mod act;
pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod read;
mod view;

use crate::auth::Caller;
use crate::house::House;
use crate::problem::Problem;
use crate::request::path::{self, Part};
use longshore_core::QueueName;
use longshore_core::store::Schedule;
use longshore_runtime::{Plan, ScheduleError};
use uuid::Uuid;

/// Reads the id of a schedule.
fn id(part: Part) -> Result<Uuid, Problem> {
    path::id(part).map(|id| id.0)
}

/// Finds a schedule of the caller's tenant, whose tasks go into a queue that the caller covers.
async fn found(house: &House, caller: &Caller, id: Uuid) -> Result<Schedule, Problem> {
    let schedule = house.engine().schedules().get(&caller.tenant(), id).await?;
    must_see(house, caller, &schedule)?;
    Ok(schedule)
}

/// A schedule for another queue does not exist for the caller.
fn must_see(house: &House, caller: &Caller, schedule: &Schedule) -> Result<(), ScheduleError> {
    if sees(house, caller, schedule) { Ok(()) } else { Err(ScheduleError::NotFound) }
}

fn sees(house: &House, caller: &Caller, schedule: &Schedule) -> bool {
    if caller.covers_all() {
        return true;
    }
    let task = Plan::of(schedule).task;
    let registry = house.engine().registry();
    let usual = || registry.kind(&task.kind).map(|kind| kind.queue.clone());
    let queue = task.queue.as_deref().and_then(|queue| QueueName::new(queue).ok()).or_else(usual);
    queue.is_some_and(|queue| caller.covers(&queue))
}
