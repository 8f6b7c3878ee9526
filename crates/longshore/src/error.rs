//! Why a service did not start, or stopped by itself.

use longshore_core::store::StoreError;
use longshore_http::BindError;
use longshore_runtime::handler::MissingState;

/// Why a service did not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A kind's or queue's name.
    #[error("\"{name}\" is no name for a kind or queue: it {why}")]
    Name {
        /// What was given.
        name: String,
        /// What is wrong with it.
        why: longshore_core::name::BadName,
    },
    /// A handler names a state that was not provided.
    #[error("the handler of {kind} cannot be called: {source}")]
    Handler {
        /// Its kind.
        kind: String,
        /// Which state.
        source: MissingState,
    },
    /// The store's address.
    #[error("store \"{url}\": {why}")]
    StoreUrl {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The store did not open.
    #[error("{0}")]
    Open(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The port.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system would not give a thread or a signal handler.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
    /// The store failed while the service ran.
    #[error("stopped: {0}")]
    Store(StoreError),
}
