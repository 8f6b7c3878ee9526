//! A component made of one async function: a loop, a duty, a connection.

use super::{Component, ComponentError, Life, Policy};
use std::fmt;
use std::pin::Pin;
use tokio::runtime::Handle;

type Work = Pin<Box<dyn Future<Output = Result<(), ComponentError>> + Send>>;

/// Runs an async function until it is told to stop. Each start calls the function anew, so that what
/// it keeps is made anew too. It is ready as soon as it runs; one that is not says so by
/// [`Life::unready`]. To return before it was told to is a failure.
///
/// ```
/// use longshore_runtime::supervisor::{ComponentError, Task};
/// use std::time::Duration;
///
/// let pruner = Task::new("pruner", |life| async move {
///     let stop = life.token();
///     while stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(60))).await.is_some() {
///         // one batch
///     }
///     Ok::<(), ComponentError>(())
/// })
/// .needs(["store"]);
/// ```
pub struct Task {
    name: String,
    needs: Vec<String>,
    policy: Policy,
    threads: Option<Handle>,
    make: Box<dyn Fn(Life) -> Work + Send + Sync>,
}

impl Task {
    /// Makes a component of that name.
    pub fn new<F, Fut>(name: impl Into<String>, make: F) -> Self
    where
        F: Fn(Life) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), ComponentError>> + Send + 'static,
    {
        Self {
            name: name.into(),
            needs: Vec::new(),
            policy: Policy::default(),
            threads: None,
            make: Box::new(move |life| Box::pin(make(life))),
        }
    }

    /// Names what it needs. Default: nothing.
    pub fn needs<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.needs = names.into_iter().map(Into::into).collect();
        self
    }

    /// Says how it is treated when it fails. Default: [`Policy::default`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Runs it on the threads of another runtime. Default: where the supervisor runs.
    pub fn on(mut self, threads: Handle) -> Self {
        self.threads = Some(threads);
        self
    }
}

#[async_trait::async_trait]
impl Component for Task {
    fn name(&self) -> &str {
        &self.name
    }

    fn needs(&self) -> &[String] {
        &self.needs
    }

    fn policy(&self) -> Policy {
        self.policy
    }

    async fn start(&self, life: Life) -> Result<(), ComponentError> {
        let work = (self.make)(life.clone());
        let lasting = {
            let life = life.clone();
            async move {
                work.await?;
                if life.is_stopping() { Ok(()) } else { Err(ComponentError::Ended) }
            }
        };
        match &self.threads {
            Some(threads) => life.spawn_on(threads, lasting),
            None => life.spawn(lasting),
        }
        Ok(())
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("name", &self.name).field("needs", &self.needs).finish()
    }
}
