//! What a store of Longshore must do, written as tests.
//!
//! - [`store`]: the suite. One line, [`store_suite!`], gives a store's crate one named test per
//!   rule of `docs/store.md`, and a run of random operations that are compared with the model.
//! - [`model`]: [`ModelStore`], the in-memory reference. Slow, plain, and right.
//! - [`ManualClock`]: time that moves when a test says so.
//! - [`broker`]: the same for brokers, and [`ModelBroker`], one in memory.
//! - [`postgres`], [`rabbitmq`]: servers of the tests' own.
//! - [`proxy`]: a TCP proxy that breaks links on purpose.
//! - [`accounting`]: the checker that believes nobody but three ledgers kept outside of the store.
//!
//! This crate is a tool for tests: it panics where a test would, and no program ships it.

pub mod accounting;
pub mod broker;
mod clock;
pub mod model;
#[doc(hidden)]
pub mod needy;
pub mod postgres;
mod process;
pub mod proxy;
pub mod rabbitmq;
pub mod store;

pub use async_trait::async_trait;
pub use broker::{BrokerRig, ModelBroker};
pub use clock::ManualClock;
pub use model::ModelStore;
pub use store::Rig;

/// What [`store_suite!`] expands to; not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::store::run;
}
