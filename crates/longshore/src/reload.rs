//! Reading the configuration again while the service runs: when a file changes, or at SIGHUP.
//!
//! What was read is checked as a whole. With one fault all of it is refused and the old one stays
//! in force; either way `GET /v1/config` and the audit log show it. What runs goes on as it began.

use crate::composition::{Code, plans, registry};
use crate::config::{Changes, Config, ConfigError, Setting, Sources, Watch};
use crate::guards::{Guards, Refreshed};
use longshore_core::store::{Act, ActKind, Store};
use longshore_core::{Clock, Payload, SystemClock, TenantName, Timestamp};
use longshore_runtime::engine::Reload;
use longshore_runtime::supervisor::{ComponentError, Life, Task};
use longshore_runtime::{NoCarrier, Schedules};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::signal::unix::{SignalKind, signal};

/// The configuration that is in force.
#[derive(Debug, Clone)]
pub(crate) struct InForce(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    config: Arc<Config>,
    /// When it was read again the last time, and what was wrong then.
    reload: Option<(Timestamp, Option<String>)>,
}

/// What `GET /v1/config` shows.
#[derive(serde::Serialize)]
struct Shown<'a> {
    config: serde_json::Value,
    settings: &'a [Setting],
    file: Option<String>,
    reload: Option<ShownReload<'a>>,
}

#[derive(serde::Serialize)]
struct ShownReload<'a> {
    at: Timestamp,
    refused: Option<&'a str>,
}

impl InForce {
    pub(crate) fn new(config: Config) -> Self {
        Self(Arc::new(Mutex::new(State { config: Arc::new(config), reload: None })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the configuration.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.state().config.clone()
    }

    /// Returns what is shown of it: values with their origins, secrets masked.
    pub(crate) fn show(&self) -> serde_json::Value {
        let state = self.state();
        let reload = state.reload.as_ref();
        let shown = Shown {
            config: state.config.to_json(),
            settings: state.config.origins(),
            file: state.config.file().map(|file| file.display().to_string()),
            reload: reload
                .map(|(at, refused)| ShownReload { at: *at, refused: refused.as_deref() }),
        };
        serde_json::to_value(&shown).unwrap_or_default()
    }
}

/// Everything that a reload takes.
#[derive(Debug, Clone)]
pub(crate) struct Reloader {
    pub(crate) sources: Sources,
    pub(crate) code: Code,
    pub(crate) guards: Guards,
    pub(crate) in_force: InForce,
    pub(crate) reload: Reload,
    /// Those that the configuration decides about; nothing in a worker.
    pub(crate) schedules: Option<Arc<Schedules>>,
    pub(crate) store: Arc<dyn Store>,
}

impl Reloader {
    /// Makes the component that reads the configuration again when there is reason to.
    pub(crate) fn component(self) -> Task {
        let reloader = Arc::new(self);
        Task::new("config", move |life| watch(reloader.clone(), life)).needs(["store"])
    }

    /// Reads the keys and the certificate again. They do not wait for the rest to be right.
    async fn guards_again(&self) {
        let guards = self.guards.clone();
        match tokio::task::spawn_blocking(move || guards.refresh()).await {
            Ok(all) => {
                for Refreshed { act, target, after } in all {
                    self.note(act, Some(target), after).await;
                }
            }
            Err(panic) => tracing::error!(%panic, "reading the keys and the certificate failed"),
        }
    }

    /// Reads it again, and puts it in force unless anything is wrong with it; returns whether it is.
    async fn again(&self) -> bool {
        let (sources, code) = (self.sources.clone(), self.code.clone());
        let read = tokio::task::spawn_blocking(move || {
            let config = sources.load()?;
            let registry = registry(&code, Some(&config))?;
            Ok::<_, ConfigError>((config, registry))
        });
        let read = match read.await {
            Ok(read) => read,
            Err(panic) => {
                tracing::error!(%panic, "reading the configuration failed");
                return false;
            }
        };
        // Brokers are opened at the start alone.
        let read = read.and_then(|(config, registry)| match self.reload.check(&registry) {
            Ok(()) => Ok((config, registry)),
            Err(NoCarrier { queue, broker, .. }) => {
                let message = format!("the broker \"{broker}\" is there after the next start");
                Err(config.fault(&["queues", &queue, "carrier"], message).into())
            }
        });
        let now = SystemClock.now();
        let fine = read.is_ok();
        let after = match read {
            Err(error) => {
                tracing::error!(%error, "the configuration is refused; the old one stays in force");
                let refused = error.to_string();
                self.in_force.state().reload = Some((now, Some(refused.clone())));
                serde_json::json!({ "refused": refused })
            }
            Ok((config, registry)) => {
                let changes = Config::diff(&self.in_force.config(), &config);
                self.reload.apply(registry);
                if let Some(schedules) = &self.schedules
                    && let Err(error) = schedules.configure(&plans(&config)).await
                {
                    tracing::error!(%error, "not all schedules are as the configuration says; the next reload tries again");
                }
                tell(&changes);
                let mut state = self.in_force.state();
                state.config = Arc::new(config);
                state.reload = Some((now, None));
                serde_json::to_value(&changes).unwrap_or_default()
            }
        };
        let target = self.in_force.config().file().map(|file| file.display().to_string());
        self.note("config.reload", target, after).await;
        fine
    }

    /// Leaves a line in the audit log.
    async fn note(&self, act: &str, target: Option<String>, after: serde_json::Value) {
        let what = ActKind::Note {
            act: act.into(),
            target,
            before: None,
            after: Some(Payload::from_json(after.to_string())),
        };
        let act = Act { by: "config".into(), tenant: TenantName::default(), what };
        match self.store.act(vec![act]).await {
            Ok(acted) => {
                if let Some(Err(refused)) = acted.first() {
                    tracing::warn!(%refused, "the reload is not in the audit log");
                }
            }
            Err(error) => tracing::warn!(%error, "the reload is not in the audit log"),
        }
    }
}

fn tell(changes: &Changes) {
    if changes.is_empty() {
        tracing::info!("the configuration was read again; nothing has changed");
        return;
    }
    tracing::info!(%changes, "the configuration was read again");
    if !changes.restart.is_empty() {
        let keys: Vec<&str> = changes.restart.iter().map(|change| change.key.as_str()).collect();
        tracing::warn!(keys = keys.join(", "), "these take effect at the next start");
    }
}

async fn watch(reloader: Arc<Reloader>, life: Life) -> Result<(), ComponentError> {
    let mut hangup = signal(SignalKind::hangup()).map_err(ComponentError::failed)?;
    let config = reloader.in_force.config();
    let mut watch = watched(blocking(move || Watch::of(&config)).await);
    loop {
        let changed = async {
            match &mut watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        let why = tokio::select! {
            () = life.stopping() => return Ok(()),
            () = changed => "a file has changed",
            _ = hangup.recv() => "SIGHUP",
        };
        tracing::info!(why, "reading the configuration again");
        reloader.guards_again().await;
        if !reloader.again().await {
            continue; // told again once a file says something else
        }
        let config = reloader.in_force.config();
        let before = watch.take();
        let follow = move || match before {
            Some(mut watch) => watch.follow(&config).map(|()| watch),
            None => Watch::of(&config),
        };
        watch = watched(blocking(follow).await);
    }
}

/// A system that does not watch files is no reason to stop: there is still SIGHUP.
fn watched(watch: Result<Watch, ComponentError>) -> Option<Watch> {
    match watch {
        Ok(watch) => Some(watch),
        Err(error) => {
            tracing::warn!(%error, "files are not watched; SIGHUP reads the configuration again");
            None
        }
    }
}

/// Does something with files, off the threads that must not wait.
async fn blocking<T: Send + 'static, E: std::error::Error + Send + Sync + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, ComponentError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(ComponentError::failed)?;
    done.map_err(ComponentError::failed)
}
