//! What can be done to tasks inside the writer's transaction; `docs/store.md`, rule by rule.
//!
//! [`Desk`] is where the writer works: the file, the prepared statements and its memory. Each
//! file here adds one verb. The ways that most tasks go (accepted, opened, succeeded) have
//! statements of their own; everything else loads the row, changes it and saves it whole.

mod accept;
mod act;
mod boot;
mod claim;
mod damage;
mod desk;
mod end;
mod extend;
mod fresh;
mod history;
mod keys;
mod leader;
mod open;
mod outbox;
mod prune;
mod purge;
mod record;
mod relay;
mod row;
mod schedules;
mod spec;
mod unique;
mod upkeep;

pub(crate) use accept::Taken;
pub(crate) use act::Done;
pub(crate) use desk::{Desk, Incoming, Taker};
pub(crate) use history::read_attempts;
pub(crate) use prune::PruneCursor;
pub(crate) use row::{LISTED, TaskRow, read_task};
pub(crate) use schedules::read_schedules;
