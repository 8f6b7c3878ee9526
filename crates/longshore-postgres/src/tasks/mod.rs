//! What happens to tasks: each file one thing that can be asked of the store, all of them on a [`Desk`],
//! inside one transaction.

mod accept;
mod act;
mod attempts;
mod claim;
mod desk;
mod end;
mod extend;
mod handed;
mod keys;
mod locks;
mod marks;
mod open;
mod outbox;
mod plain;
mod prune;
mod purge;
mod record;
mod recover;
mod relay;
mod row;
mod schedules;
mod sort;
mod spec;
mod terms;
mod unique;
mod upkeep;
mod workers;

pub(crate) use act::Done;
pub(crate) use attempts::read_attempts;
pub(crate) use claim::{Taker, claim_want};
pub(crate) use desk::{After, Desk, Line, Note, text};
pub(crate) use handed::Claimed;
pub(crate) use locks::Locked;
pub(crate) use open::OpenedRow;
pub(crate) use plain::{is_plain as is_plain_task, plain_accepts};
pub(crate) use prune::PruneCursor;
pub(crate) use record::{HeldRows, applied, is_plain as is_plain_end, plain_ones, plain_successes};
pub(crate) use relay::{carried, outbox};
pub(crate) use row::{LISTED, TaskRow, read_error, read_task, tags_of};
pub(crate) use schedules::read_schedules;
pub(crate) use sort::Sort;
pub(crate) use terms::count as count_of_term;
pub(crate) use workers::known_since;
