//! What runs: the contract between a component and its supervisor.

use super::{Deadline, Life, Restart};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Something that runs from a start to a stop.
///
/// The supervisor calls `start` and `stop` in turn, never two at a time, and catches panics of both.
/// After a `stop` there may be another `start`, with another [`Life`].
#[async_trait::async_trait]
pub trait Component: Send + Sync + 'static {
    /// Its name, for logs, status and the `needs` of others: unique within a supervisor.
    fn name(&self) -> &str;

    /// Names that must be ready before it starts, and that stop after it. Default: none.
    fn needs(&self) -> &[String] {
        &[]
    }

    /// How it is treated when it fails or takes long. Default: [`Policy::default`].
    fn policy(&self) -> Policy {
        Policy::default()
    }

    /// Begins, and returns once it has begun. What goes on running does so under `life`, see
    /// [`Life::spawn`]. May be dropped at any await when the supervisor is told to stop, or after
    /// [`Policy::start_within`]; then `stop` follows.
    async fn start(&self, life: Life) -> Result<(), ComponentError>;

    /// Returns once it can serve those who need it; its time counts into [`Policy::start_within`].
    /// Default: at once. What changes later is told through [`Life::unready`].
    async fn ready(&self) -> Result<(), ComponentError> {
        Ok(())
    }

    /// Ends what `start` began. Its life was told to stop just before, and what runs under it is
    /// waited for afterwards. Called after every `start`, also after one that failed, panicked or was
    /// cut off; so it must do nothing where there is nothing to do.
    ///
    /// Past `deadline` it has [`Policy::grace`] left to give back what still runs; then it is
    /// dropped.
    async fn stop(&self, _deadline: Deadline) -> Result<Stopped, ComponentError> {
        Ok(Stopped::default())
    }
}

#[async_trait::async_trait]
impl<C: Component + ?Sized> Component for Arc<C> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn needs(&self) -> &[String] {
        (**self).needs()
    }

    fn policy(&self) -> Policy {
        (**self).policy()
    }

    async fn start(&self, life: Life) -> Result<(), ComponentError> {
        (**self).start(life).await
    }

    async fn ready(&self) -> Result<(), ComponentError> {
        (**self).ready().await
    }

    async fn stop(&self, deadline: Deadline) -> Result<Stopped, ComponentError> {
        (**self).stop(deadline).await
    }
}

/// What stopping a component did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stopped {
    /// What was cleaned up, one short phrase each.
    pub cleaned: Vec<String>,
    /// Tasks or deliveries that were given back.
    pub given_back: u64,
}

/// How a component is treated when it fails or takes long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// When it is started again after a failure.
    pub restart: Restart,
    /// What happens when it failed too often. Default: [`GiveUp::Fatal`].
    pub give_up: GiveUp,
    /// How long `start` and `ready` may take together. Default: 30 s.
    pub start_within: Duration,
    /// What it has left to stop in after the deadline. Default: 1 s.
    pub grace: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            restart: Restart::default(),
            give_up: GiveUp::Fatal,
            start_within: Duration::from_secs(30),
            grace: Duration::from_secs(1),
        }
    }
}

/// What happens when a component failed too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveUp {
    /// The supervisor reports it by [`Supervisor::failed`](super::Supervisor::failed): the process
    /// should stop.
    Fatal,
    /// It stays away and those who need it stay unready; everything else goes on.
    Degraded,
}

/// Why a component does not run.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ComponentError {
    /// It failed; the next start may succeed.
    #[error("{0}")]
    Failed(#[source] Arc<dyn Error + Send + Sync>),
    /// It failed, and would again: it is not restarted.
    #[error("{0}")]
    Lasting(#[source] Arc<dyn Error + Send + Sync>),
    /// It panicked with this message.
    #[error("panicked: {0}")]
    Panicked(String),
    /// It was not ready in time.
    #[error("was not ready within {waited:?}")]
    Late {
        /// How long it was waited for.
        waited: Duration,
    },
    /// It ended although nobody had told it to.
    #[error("ended by itself")]
    Ended,
}

impl ComponentError {
    /// Makes an error that may be gone at the next start: of a text, or of any other error.
    pub fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(Arc::from(error.into()))
    }

    /// Makes an error that a restart does not cure.
    pub fn lasting(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Lasting(Arc::from(error.into()))
    }

    /// Returns whether a restart cannot cure it.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Lasting(_))
    }

    pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> Self {
        let message = crate::panic::message_of(panic).unwrap_or("without a message");
        Self::Panicked(message.to_owned())
    }
}
