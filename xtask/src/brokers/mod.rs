//! `cargo xtask brokers`: servers of our own to work and to test with.
//!
//! [`engine`] is the table: what Longshore works with, one file an engine (`postgres`, `rabbitmq`). A server that was started
//! is an [`instance`]: a folder with its data, its log and a note of what runs; [`process`] makes sure that
//! nobody else is stopped. Where nothing is installed, [`compose`] asks docker. [`command`] is what people call.
//!
//! To add an engine: its programs and address in `longshore-servers`, a file beside `postgres.rs`, a line in
//! [`engine::ENGINES`], a service of the same name in `deploy/compose.yaml`.

mod command;
mod compose;
pub(crate) mod engine;
mod instance;
mod postgres;
mod process;
mod rabbitmq;

pub(crate) use command::{Action, run};
