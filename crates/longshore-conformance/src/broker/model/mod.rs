//! A broker in memory: slow, plain, and right.
//!
//! [`ModelBroker`] passes the suite, and is what the engine is tested with: it can be away, lose a group or what is in
//! one, and hand out something twice.

mod broker;
mod delivery;
mod state;

pub use broker::ModelBroker;
