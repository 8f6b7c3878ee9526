//! The in-memory reference: what a store answers, written as plainly as it can be.
//!
//! Everything is a linear scan over one set of books under one lock. Each part of
//! `docs/store.md` is one file here, in the page's own order, and the pure rules (arrows, rank,
//! readiness, crashes) are those of `longshore-core`: an arrow that is not in the table panics.
//!
//! It keeps nothing on disk, so it is no store for production; [`ModelStore::reboot`] plays the
//! death of the process.

mod accept;
mod acts;
mod books;
mod boot;
mod carriage;
mod ends;
mod hand_out;
mod offices;
mod oversight;
mod query;
mod row;
mod schedules;
mod store;
mod upkeep;
mod workers;

pub use store::{Image, ModelStore};
