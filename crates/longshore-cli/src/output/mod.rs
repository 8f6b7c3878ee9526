//! What commands print on standard output: records, in the form that was asked for.
//!
//! On a terminal a table fits its width and tells times as people do (`3m ago`). Anywhere else a
//! table has a tab between its cells and exact times. `json`, `jsonl` and `yaml` hold everything as
//! the server sent it; numbers keep every digit.

mod cell;
mod format;
mod human;
mod listing;
mod record;
mod screen;
mod table;
mod yaml;

pub(crate) use cell::{Cell, Tone};
pub(crate) use format::{Format, Output};
pub(crate) use listing::Listing;
pub(crate) use record::{Column, Record, column, wide};
pub(crate) use yaml::yaml;
