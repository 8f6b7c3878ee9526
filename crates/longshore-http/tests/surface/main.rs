//! The surface as clients meet it, with a whole engine over the model store behind it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod acts;
mod baseline;
mod batch;
mod documented;
mod door;
mod house;
mod keys;
mod leases;
mod letters;
mod messages;
mod operations;
mod order;
mod pages;
mod queues;
mod schedules;
mod tasks;
mod tls;
