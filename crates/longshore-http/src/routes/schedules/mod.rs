//! Schedules: [`create`] and [`read`] them, [`change`] what they are, and [`act`] on them.

pub(crate) mod act;
pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod read;
mod view;

use crate::problem::Problem;
use crate::request::path::{self, Part};
use uuid::Uuid;

/// Reads the id of a schedule.
fn id(part: Part) -> Result<Uuid, Problem> {
    path::id(part).map(|id| id.0)
}
