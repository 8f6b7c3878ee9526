//! The OpenAPI 3.1 document: collected from the routes, described by [`schemas`].

mod document;
pub(crate) mod leases;
pub(crate) mod messages;
pub(crate) mod schedules;
pub(crate) mod schemas;
mod security;
mod yaml;

pub(crate) use document::{json, yaml};
