//! The command line as people and scripts see it: the real binary against a real server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod batch;
mod config;
mod consumers;
mod dead_letters;
mod doctor;
mod enqueue;
mod failures;
mod keys;
mod output;
mod queues;
mod rig;
mod schedules;
mod tasks;
mod texts;
mod workers;
