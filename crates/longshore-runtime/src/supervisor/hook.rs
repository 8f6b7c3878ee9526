//! What else is done when everything starts.

use super::board::Role;
use super::{Component, ComponentError, GiveUp, Life, Policy, Restart};
use std::fmt;
use std::pin::Pin;

type Work = Pin<Box<dyn Future<Output = Result<(), ComponentError>> + Send>>;

/// Something that is done once at the start, or beside everything that runs. It has
/// [`Policy::start_within`] (30 s), `background` excepted.
///
/// | hook | begins | an error |
/// |---|---|---|
/// | `pre_start` | before the components, those excepted that a `pre_start` hook needs | refuses the start |
/// | `post_start` | after the components, or as soon as what it names is ready | is logged and shown |
/// | `background` | like `post_start`; stopped before everything else | is restarted, and given up at its limit |
pub struct Hook {
    name: String,
    needs: Vec<String>,
    role: Role,
    work: Box<dyn Fn(Life) -> Work + Send + Sync>,
}

impl Hook {
    /// Validates, reserves: everything else waits for it.
    pub fn pre_start<F, Fut>(name: impl Into<String>, work: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), ComponentError>> + Send + 'static,
    {
        Self::new(Role::PreStart, name, move |_| work())
    }

    /// Warms up, announces: everything runs.
    pub fn post_start<F, Fut>(name: impl Into<String>, work: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), ComponentError>> + Send + 'static,
    {
        Self::new(Role::PostStart, name, move |_| work())
    }

    /// Goes on beside everything until it returns or is told to stop.
    pub fn background<F, Fut>(name: impl Into<String>, work: F) -> Self
    where
        F: Fn(Life) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), ComponentError>> + Send + 'static,
    {
        Self::new(Role::Background, name, work)
    }

    fn new<F, Fut>(role: Role, name: impl Into<String>, work: F) -> Self
    where
        F: Fn(Life) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), ComponentError>> + Send + 'static,
    {
        let work = Box::new(move |life| Box::pin(work(life)) as Work);
        Self { name: name.into(), needs: Vec::new(), role, work }
    }

    /// Names components and hooks that must be ready or done before. Default: none.
    pub fn needs<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.needs = names.into_iter().map(Into::into).collect();
        self
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }
}

/// To a supervisor a hook is a component that is ready when it is done.
#[async_trait::async_trait]
impl Component for Hook {
    fn name(&self) -> &str {
        &self.name
    }

    fn needs(&self) -> &[String] {
        &self.needs
    }

    fn policy(&self) -> Policy {
        let give_up = if self.role == Role::PreStart { GiveUp::Fatal } else { GiveUp::Degraded };
        let once = self.role != Role::Background;
        let restart = if once { Restart::never() } else { Restart::default() };
        Policy { restart, give_up, ..Policy::default() }
    }

    async fn start(&self, life: Life) -> Result<(), ComponentError> {
        let work = (self.work)(life.clone());
        if self.role == Role::Background {
            life.spawn(work);
            return Ok(());
        }
        work.await
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("name", &self.name).field("role", &self.role).finish()
    }
}
