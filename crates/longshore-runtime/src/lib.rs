//! The engine: takes tasks in, hands them to handlers, records their ends.
//!
//! A task's way through this crate reads from [`intake`] over `consumer` to [`notify`]; what has
//! to be done from time to time is in [`upkeep`], one duty a file. [`Engine`] puts them together
//! over any [`Store`](longshore_core::store::Store). HTTP, configuration and the choice of a store
//! live above.

pub mod brokers;
mod carriage;
mod consumer;
mod drain;
pub mod engine;
pub mod exec;
pub mod handler;
pub mod intake;
pub mod layers;
pub mod link;
pub mod live;
pub mod messages;
pub mod nearest;
pub mod notify;
pub mod outgoing;
mod panic;
mod parts;
pub mod queues;
pub mod registry;
pub mod schedules;
pub mod schema;
pub mod signature;
pub mod stall;
pub mod supervisor;
pub mod tasks;
pub mod telemetry;
pub mod upkeep;

pub use brokers::Brokers;
pub use carriage::NoCarrier;
pub use engine::{Engine, EngineError, Failed, Options, Phase, StoreHealth};
pub use intake::{FieldError, Intake, Submission, SubmitError};
pub use live::Live;
pub use queues::{QueueView, Queues};
pub use registry::{Kind, Registry};
pub use schedules::{Plan, ScheduleError, Schedules};
pub use tasks::{ActError, Runners, Tasks};
