//! The routes, one resource a file, and the map that puts them together.

pub(crate) mod consumers;
pub(crate) mod dead_letters;
pub(crate) mod docs;
pub(crate) mod health;
pub(crate) mod home;
pub(crate) mod leases;
pub(crate) mod link;
pub(crate) mod map;
pub(crate) mod messages;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod operations;
pub(crate) mod plan;
pub(crate) mod queues;
pub(crate) mod schedules;
pub(crate) mod tasks;
pub(crate) mod workers;
