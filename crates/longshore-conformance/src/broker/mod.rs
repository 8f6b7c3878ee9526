//! The definition of a broker.

pub mod model;

pub use model::ModelBroker;
