//! Servers of our own: how one is found among what is installed, made and started.
//!
//! One file an engine knows its programs, settings and address; the rest is what all of them need. Two
//! programs use it: tests, whose servers die with them, and `cargo xtask brokers`, whose servers stay. So this
//! crate keeps no server and stops none, and it needs nothing but the standard library.

mod account;
mod port;
pub mod postgres;
mod programs;
pub mod rabbitmq;

pub use account::Account;
pub use port::{free_port, until_free};
pub use postgres::Postgres;
pub use rabbitmq::RabbitMq;
