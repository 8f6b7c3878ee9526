//! The engine: takes tasks in, hands them to handlers, records their ends.
//!
//! A task's way through this crate reads from [`intake`] over `consumer` to [`notify`]; what has
//! to be done from time to time is in [`upkeep`], one duty a file. [`Engine`] puts them together
//! over any [`Store`](longshore_core::store::Store). HTTP, configuration and the choice of a store
//! live above.

mod consumer;
pub mod engine;
pub mod handler;
pub mod intake;
pub mod nearest;
pub mod notify;
pub mod registry;
pub mod stall;
pub mod telemetry;
pub mod upkeep;

pub use engine::{Engine, Options, Phase, StopReport, StoreHealth};
pub use intake::{FieldError, Intake, Submission, SubmitError};
pub use registry::{Kind, Queue, Registry};
