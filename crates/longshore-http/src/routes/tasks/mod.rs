//! Tasks: [`create`], [`read`] and [`list`] them.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod read;

pub(crate) use create::{Judged, ROUTE, answer, create, judge};
pub(crate) use list::list;
pub(crate) use read::read;
