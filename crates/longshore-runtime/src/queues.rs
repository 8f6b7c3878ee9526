//! What operators see of queues and set on them: settings, pauses, purges.
//!
//! A setting comes from the API, else from the configuration, else it is the default. What was set
//! through the API is in the store and outlives restarts; [`Live`] has a copy of it, so that whoever
//! takes tasks in or hands them out need not ask.

use crate::live::Live;
use crate::notify::Hub;
use crate::registry::Registry;
use crate::tasks::{ActError, act};
use longshore_core::queue::{QueueSettings, Scope};
use longshore_core::state::STATES;
use longshore_core::store::{self, Act, ActKind, Controls, Count, QueueAge, Store};
use longshore_core::{KindName, QueueName, TenantName, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Mutex;

/// A queue as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueView {
    /// Its name.
    pub name: QueueName,
    /// What the configuration says.
    pub configured: QueueSettings,
    /// What was set through the API; it goes before the configuration.
    pub set: QueueSettings,
    /// Whether the queue is paused. Its kinds and tenants may be paused besides.
    pub paused: bool,
    /// The broker that carries its tasks; without one the store itself hands them out.
    pub carrier: Option<String>,
    /// How many tasks of the tenant there are, by the number of their state.
    pub tasks: [u64; STATES.len()],
    /// How many of them are ready to be handed out.
    pub ready: u64,
    /// Since when the oldest of those waits that go next.
    pub oldest_ready: Option<Timestamp>,
}

impl QueueView {
    /// Returns what holds: set through the API, else configured. What is open has no limit; slots
    /// are [`QueueSettings::SLOTS`] then.
    pub fn settings(&self) -> QueueSettings {
        self.set.clone().or(&self.configured)
    }
}

/// What operators see of queues and set on them. Each act is durable when its call returns, and
/// leaves a line in the audit log.
#[derive(Debug)]
pub struct Queues {
    store: Arc<dyn Store>,
    hub: Arc<Hub>,
    live: Arc<Live>,
    /// Changes of settings come one after the other, so that none is lost.
    changing: Mutex<()>,
}

/// What a look at the store brings.
struct Seen {
    controls: Arc<Controls>,
    counts: Vec<Count>,
    ages: Vec<QueueAge>,
}

impl Queues {
    /// Sees to the queues of `store`. What is set is put in force in `live` at once.
    pub fn new(store: Arc<dyn Store>, hub: Arc<Hub>, live: Arc<Live>) -> Self {
        Self { store, hub, live, changing: Mutex::default() }
    }

    /// Asks the store what operators have set, and puts it in force.
    pub async fn refresh(&self) -> store::Result<Arc<Controls>> {
        self.live.refresh(&*self.store).await
    }

    /// Returns all queues that are configured, have tasks of the tenant, or have something set on
    /// them, by name.
    pub async fn list(&self, tenant: &TenantName) -> store::Result<Vec<QueueView>> {
        let seen = self.look().await?;
        let registry = self.live.registry();
        let configured = registry.queues().map(|(name, _)| name.clone());
        let set = seen.controls.queues.keys().cloned();
        let used = seen.counts.iter().filter(|count| count.tenant == *tenant);
        let names: BTreeSet<QueueName> =
            configured.chain(set).chain(used.map(|count| count.queue.clone())).collect();
        Ok(names.into_iter().map(|name| view(&seen, &registry, tenant, name)).collect())
    }

    /// Returns a queue, if [`Queues::list`] would.
    pub async fn get(
        &self,
        tenant: &TenantName,
        name: &QueueName,
    ) -> store::Result<Option<QueueView>> {
        Ok(self.list(tenant).await?.into_iter().find(|queue| queue.name == *name))
    }

    /// Returns whether there is a kind of that name, or a task of the tenant that was of it.
    pub async fn knows_kind(&self, tenant: &TenantName, kind: &KindName) -> store::Result<bool> {
        if self.live.registry().kind(kind.as_str()).is_some() {
            return Ok(true);
        }
        let counts = self.store.counters().await?;
        Ok(counts.iter().any(|count| count.tenant == *tenant && count.kind == *kind))
    }

    async fn look(&self) -> store::Result<Seen> {
        let controls = self.refresh().await?;
        Ok(Seen { controls, counts: self.store.counters().await?, ages: self.store.ages().await? })
    }

    /// Holds back handing out. Tasks are still taken in, and what runs goes on.
    pub async fn pause(&self, by: &str, tenant: TenantName, scope: Scope) -> Result<(), ActError> {
        self.act(by, tenant, ActKind::Pause(scope)).await.map(drop)
    }

    /// Ends a pause.
    pub async fn resume(&self, by: &str, tenant: TenantName, scope: Scope) -> Result<(), ActError> {
        self.act(by, tenant, ActKind::Resume(scope)).await.map(drop)
    }

    /// Cancels the tenant's waiting tasks in a queue; returns how many.
    pub async fn purge(
        &self,
        by: &str,
        tenant: TenantName,
        queue: QueueName,
    ) -> Result<u64, ActError> {
        self.act(by, tenant, ActKind::Purge(queue)).await
    }

    /// Sets what goes before the configuration; nothing takes all of that back.
    pub async fn configure(
        &self,
        by: &str,
        tenant: TenantName,
        queue: QueueName,
        settings: Option<QueueSettings>,
    ) -> Result<(), ActError> {
        self.act(by, tenant, ActKind::Configure { queue, settings }).await.map(drop)
    }

    /// Changes what is set on a queue, as `change` says after a look at it. Nobody else changes it in
    /// between. Returns the queue afterwards; nothing if there is no such queue.
    pub async fn change<E: From<ActError>>(
        &self,
        by: &str,
        tenant: TenantName,
        name: &QueueName,
        change: impl FnOnce(&QueueView) -> Result<QueueSettings, E> + Send,
    ) -> Result<Option<QueueView>, E> {
        let _alone = self.changing.lock().await;
        let found = self.get(&tenant, name).await.map_err(ActError::from)?;
        let Some(mut queue) = found else { return Ok(None) };
        let set = change(&queue)?;
        if set != queue.set {
            let settings = (set != QueueSettings::default()).then(|| set.clone());
            self.configure(by, tenant, name.clone(), settings).await?;
            queue.set = set;
        }
        Ok(Some(queue))
    }

    async fn act(&self, by: &str, tenant: TenantName, what: ActKind) -> Result<u64, ActError> {
        let acted = act(&*self.store, &self.hub, Act { by: by.into(), tenant, what }).await?;
        // It is done, whether the copy follows at once or later.
        if let Err(error) = self.refresh().await {
            tracing::warn!(%error, "what operators have set could not be read");
        }
        Ok(acted.count)
    }
}

fn view(seen: &Seen, registry: &Registry, tenant: &TenantName, name: QueueName) -> QueueView {
    let mut tasks = [0; STATES.len()];
    let own = |count: &&Count| count.tenant == *tenant && count.queue == name;
    for count in seen.counts.iter().filter(own) {
        tasks[count.state as usize] += count.count;
    }
    let age = seen.ages.iter().find(|age| age.tenant == *tenant && age.queue == name);
    QueueView {
        configured: registry.queue(name.as_str()).map(|(_, set)| set.clone()).unwrap_or_default(),
        set: seen.controls.queues.get(&name).cloned().unwrap_or_default(),
        paused: seen.controls.paused.contains(&Scope::Queue(name.clone())),
        carrier: seen.controls.carriers.get(&name).cloned(),
        tasks,
        ready: age.map_or(0, |age| age.ready),
        oldest_ready: age.map(|age| age.oldest_ready),
        name,
    }
}
