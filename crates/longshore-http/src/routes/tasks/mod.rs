//! Tasks: [`create`], [`batch`], [`read`], [`list`] and [`act`] on them.

pub(crate) mod act;
pub(crate) mod attempts;
pub(crate) mod batch;
pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod read;

pub(crate) use act::{cancel, replay, retry};
pub(crate) use attempts::attempts;
pub(crate) use batch::batch;
pub(crate) use create::{Judged, ROUTE, answer, create, judge};
pub(crate) use list::list;
pub(crate) use read::read;
