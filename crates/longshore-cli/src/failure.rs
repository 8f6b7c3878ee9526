//! Why a command failed, in one line for people.

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The service.
    #[error(transparent)]
    Service(#[from] longshore::Error),
    /// The system.
    #[error("{what}: {source}")]
    System {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A measurement that says nothing.
    #[error("{0}")]
    Bench(String),
}

impl Failure {
    /// Says what was being done when the system said no.
    pub(crate) fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}
