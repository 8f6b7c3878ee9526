//! Why a service did not start, or stopped by itself.

use crate::config::ConfigError;
use longshore_http::BindError;
use longshore_runtime::handler::MissingState;
use longshore_runtime::messages::BadConsumer;
use longshore_runtime::supervisor::{GraphError, StartError};
use longshore_runtime::{EngineError, Failed, ScheduleError};
use std::fmt;

/// Why a service did not start, or stopped by itself.
///
/// `Debug` shows what `Display` does, since that is what people see of a `main` that returns it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name of a kind, queue, broker or consumer.
    #[error("\"{name}\" is no name for a kind, queue, broker or consumer: it {why}")]
    Name {
        /// What was given.
        name: String,
        /// What is wrong with it.
        why: longshore_core::name::BadName,
    },
    /// A handler names something that was not provided.
    #[error("the handler of {kind} cannot be called: {source}")]
    Handler {
        /// Its kind or consumer.
        kind: String,
        /// Which state.
        source: MissingState,
    },
    /// The configuration; everything that is wrong with it.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store's address.
    #[error("store \"{url}\": {why}")]
    StoreUrl {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A consumer cannot be as the code says.
    #[error("the consumer {consumer}: {source}")]
    Consumer {
        /// Its name.
        consumer: String,
        /// What is wrong with it.
        source: BadConsumer,
    },
    /// A broker's address.
    #[error("broker \"{name}\": its address {why}")]
    Broker {
        /// The broker's name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The store did not open.
    #[error("{0}")]
    Open(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store is away, or does not take anybody in yet: the same start may succeed later.
    #[error("{0}")]
    Away(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The port.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system would not give a thread or a signal handler.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
    /// The engine was not put together.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A component does not fit to the others.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A hook or a component refused to start.
    #[error("did not start: {0}")]
    Start(#[from] StartError),
    /// The schedules of the configuration could not be put in force.
    #[error("schedules: {0}")]
    Schedules(#[from] ScheduleError),
    /// The store, or a component, failed while the service ran.
    #[error("stopped: {0}")]
    Failed(#[from] Failed),
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
