//! From what was said to a service that runs: the one place where the parts meet.

use super::{Builder, Place, Routes};
use crate::brokers::{check_all, open_all};
use crate::composition::{Code, consumers, plans, registry};
use crate::config::{Config, Sources};
use crate::drivers::Kept;
use crate::export::{self, Opened};
use crate::guards::Guards;
use crate::reload::{InForce, Reloader};
use crate::service::{Ended, Service, Signals, Started};
use crate::{Error, drivers, waiting};
use axum::Router;
use longshore_core::store::Hold;
use longshore_core::{KindName, QueueName};
use longshore_http::{BindError, ConfigView, Door, DoorOptions};
use longshore_runtime::messages::outbox;
use longshore_runtime::supervisor::{StartError, StopReport};
use longshore_runtime::{Engine, Failed, Kind, Options, Plan};
use std::path::PathBuf;
use std::time::Duration;

/// How long a linked worker holds a task without another word.
pub(crate) const LEASE: Duration = Duration::from_secs(15);

/// What is ready before a door opens.
struct Ready {
    engine: Engine,
    door: DoorOptions,
    routes: Vec<Routes>,
    shown: String,
    planned: Option<Vec<Plan>>,
}

impl Builder {
    /// Starts: reads the configuration, opens the store, then the engine, then the port. A store that is away is an
    /// error at once.
    pub async fn start(self) -> Result<Service, Error> {
        match self.start_by(None).await? {
            Started::Running(service) => Ok(*service),
            // Without signals nothing asks for a stop.
            Started::Stopped(_) => Err(StartError::Stopped.into()),
        }
    }

    /// Starts as [`Builder::start`] does. If a signal comes before everything is ready, nothing new is begun
    /// from then on: what was begun is drained and closed. Waits for a store that is away, until a signal comes.
    pub async fn start_unless(self, signals: &Signals) -> Result<Started, Error> {
        self.start_by(Some(signals)).await
    }

    async fn start_by(mut self, signals: Option<&Signals>) -> Result<Started, Error> {
        self.door_opens = true;
        let Some(ready) = self.prepare(signals).await? else {
            return Ok(Started::Stopped(StopReport::default()));
        };
        let Ready { engine, door, routes, shown, planned } = ready;
        let drain = door.drain;
        let opened = open(&engine, door, routes, shown, planned);
        let opened = match signals {
            None => opened.await,
            Some(signals) => tokio::select! {
                biased;
                () = signals.asked() => {
                    tracing::info!("stopping before everything was ready");
                    let report = signals.hurry(&engine, engine.stop(drain)).await;
                    return Ok(Started::Stopped(report));
                }
                opened = opened => opened,
            },
        };
        match opened {
            Ok(service) => Ok(Started::Running(Box::new(service))),
            Err(error) => {
                engine.stop(Duration::ZERO).await;
                Err(error)
            }
        }
    }

    /// Runs tasks without taking any in: there is no door. Returns after SIGINT or SIGTERM, when what
    /// ran has ended or was given back. `started` is told once everything runs. Waits for a store that is away.
    pub async fn work(
        self,
        signals: Signals,
        started: impl FnOnce(&Engine),
    ) -> Result<Ended, Error> {
        let Some(Ready { engine, door, .. }) = self.prepare(Some(&signals)).await? else {
            return Ok(Ended::Asked(StopReport::default()));
        };
        let failed = tokio::select! {
            biased;
            () = signals.asked() => None,
            failed = engine.failed() => Some(failed),
            settled = engine.started() => {
                if let Err(error) = settled {
                    engine.stop(Duration::ZERO).await;
                    return Err(error.into());
                }
                started(&engine);
                tokio::select! {
                    () = signals.asked() => None,
                    failed = engine.failed() => Some(failed),
                }
            }
        };
        if let Some(failed) = failed {
            return Ok(Ended::Failed(failed, engine.stop(Duration::ZERO).await));
        }
        tracing::info!(deadline = ?door.drain, "draining; a second signal cuts it short");
        Ok(Ended::Asked(signals.hurry(&engine, engine.stop(door.drain)).await))
    }

    /// Everything up to the engine; nothing if a signal came meanwhile.
    async fn prepare(mut self, signals: Option<&Signals>) -> Result<Option<Ready>, Error> {
        let opened = Opened::default();
        let sources = self.sources.take();
        let code = self.code()?;
        let names: Vec<KindName> = code.kinds.iter().map(|kind| kind.name.clone()).collect();
        let exported = self.export.then(export::name).transpose()?;
        let coded = code.consumers.iter().map(|(name, ..)| name.clone());
        let carriers = self.brokers.iter().map(|(name, _)| name.clone());
        let sources = sources.map(|sources| {
            sources
                .kinds_in_code(names.into_iter().chain(exported.clone()))
                .consumers_in_code(coded)
                .brokers_in_code(carriers)
        });
        let config = match &sources {
            Some(sources) => Some(read(sources.clone()).await?),
            None => None,
        };
        if let Some(config) = &config {
            self.lay_over(config);
            if let Some(told) = self.on_config.take() {
                told(config);
            }
        }
        let mut code = code;
        if let Some(name) = exported {
            code.kinds.push(export::kind(name, self.folder(), opened.clone())?);
        }
        let consumers = consumers(&code, config.as_ref())?;
        let mut registry = registry(&code, config.as_ref())?;
        let guards = match config.clone() {
            Some(config) if self.door_opens => guards_of(config).await?,
            _ => Guards::default(),
        };
        self.door.keys = guards.keys();
        self.door.tls = guards.tls();
        if self.door_opens {
            // Before anything is made: a refused address must leave nothing behind.
            self.door.check().map_err(BindError::from)?;
        }
        let linked = matches!(self.store, Place::Linked(_));
        let at = match &self.store {
            Place::Url(url) => Some(url.as_str()),
            Place::Open(_) | Place::Linked(_) => None,
        };
        check_all(&self.brokers, config.as_ref(), at)?;
        let (kept, shown) = match self.store {
            Place::Url(url) => {
                let shown = drivers::shown(&url);
                match signals.filter(|_| drivers::is_elsewhere(&url)) {
                    None => (drivers::open_kept(&url).await?, shown),
                    Some(signals) => match waiting::open(&url, signals).await? {
                        Some(store) => (Kept::from(store), shown),
                        None => return Ok(None),
                    },
                }
            }
            Place::Open(store) | Place::Linked(store) => (Kept::from(store), String::new()),
        };
        let Kept { store, topics } = kept;
        if signals.is_some_and(Signals::are_here) {
            store.close().await.map_err(Failed::Store)?;
            return Ok(None);
        }
        // Nobody else has it.
        let _ = opened.set(store.clone());
        let brokers = match open_all(self.brokers, config.as_ref(), topics.as_ref()) {
            Ok(brokers) => brokers,
            Err(error) => {
                store.close().await.map_err(Failed::Store)?;
                return Err(error);
            }
        };
        if !brokers.is_empty() {
            let name = outbox::KIND.to_owned();
            let kind = outbox::kind(&brokers).map_err(|why| Error::Name { name, why })?;
            registry.add(kind.clone());
            code.kinds.push(kind);
        }
        let options = Options {
            retention: self.retention,
            consume: self.consume,
            upkeep: !linked,
            hold: if linked { Hold::Lease { lasts: Some(LEASE) } } else { Hold::Process },
            layers: self.layers,
            components: self.components,
            hooks: self.hooks,
            brokers,
            consumers,
            ..Options::new(store.clone(), registry)
        };
        let engine = Engine::start(options)?;
        let mut door = self.door;
        let mut planned = None;
        if let (Some(sources), Some(config)) = (sources, config) {
            planned = Some(plans(&config));
            let in_force = InForce::new(config);
            let view = in_force.clone();
            door.config = ConfigView::new(move || view.show());
            let reload = engine.reloader();
            // A worker leaves the schedules to the servers.
            let schedules = self.door_opens.then(|| engine.schedules().clone());
            let reloader = Reloader { sources, code, guards, in_force, reload, schedules, store };
            engine.supervisor().add(reloader.component())?;
        }
        Ok(Some(Ready { engine, door, routes: self.routes, shown, planned }))
    }

    /// Starts, and runs until SIGINT or SIGTERM; then drains. A second signal cuts that short. Waits for a store that is
    /// away.
    pub async fn run(self) -> Result<(), Error> {
        let signals = Signals::install()?;
        let Started::Running(service) = self.start_unless(&signals).await? else { return Ok(()) };
        match service.run(signals).await {
            Ended::Asked(_) => Ok(()),
            Ended::Failed(failed, _) => Err(failed.into()),
        }
    }
}

impl Builder {
    /// Makes the handlers, and checks all names.
    fn code(&mut self) -> Result<Code, Error> {
        let mut code = Code::default();
        for (name, settings) in std::mem::take(&mut self.queues) {
            match QueueName::new(&name) {
                Ok(queue) => code.queues.push((queue, settings)),
                Err(why) => return Err(Error::Name { name, why }),
            }
        }
        for (name, carrier) in std::mem::take(&mut self.carriers) {
            match QueueName::new(&name) {
                Ok(queue) => code.carriers.push((queue, carrier)),
                Err(why) => return Err(Error::Name { name, why }),
            }
        }
        for (name, make, adjust) in std::mem::take(&mut self.handlers) {
            let kind = match KindName::new(&name) {
                Ok(kind) => kind,
                Err(why) => return Err(Error::Name { name, why }),
            };
            let handler = make(&self.states);
            let handler = handler.map_err(|source| Error::Handler { kind: name, source })?;
            code.kinds.push(adjust(Kind::new(kind, handler)));
        }
        for (name, consumer, make) in std::mem::take(&mut self.consumers) {
            let handler = make(&self.states);
            let kind = name.clone();
            let handler = handler.map_err(|source| Error::Handler { kind, source })?;
            code.consumers.push((name, consumer, handler));
        }
        Ok(code)
    }

    /// Takes over what the configuration says; its defaults give way to what the code says.
    fn lay_over(&mut self, config: &Config) {
        let said = |key: &str| config.origin(key).is_some_and(|origin| !origin.is_default());
        if said("store") && !matches!(self.store, Place::Linked(_)) {
            self.store = Place::Url(config.store.expose().to_owned());
        }
        if said("server.listen") {
            self.door.listen = config.server.listen;
        }
        self.door.insecure_bind |= config.server.insecure_bind;
        if said("server.drain") {
            self.door.drain = config.server.drain;
        }
        if said("server.max_body") {
            self.door.max_body = config.server.max_body;
        }
        if said("retention.success") {
            self.retention.success = config.retention.success;
        }
        if said("retention.failed") {
            self.retention.failed = config.retention.failed;
        }
        if said("retention.max_bytes") {
            self.retention.max_bytes = config.retention.max_bytes;
        }
    }

    /// Returns where the embedded store is, for what is kept beside it.
    fn folder(&self) -> PathBuf {
        match &self.store {
            Place::Url(url) => drivers::folder(url),
            Place::Open(_) | Place::Linked(_) => PathBuf::from("."),
        }
    }
}

/// Reads the configuration, off the threads that must not wait.
async fn read(sources: Sources) -> Result<Config, Error> {
    let read = tokio::task::spawn_blocking(move || sources.load()).await;
    Ok(read.map_err(std::io::Error::other)??)
}

/// Reads what guards the door, off the threads that must not wait.
async fn guards_of(config: Config) -> Result<Guards, Error> {
    let read = tokio::task::spawn_blocking(move || Guards::open(&config)).await;
    Ok(read.map_err(std::io::Error::other)??)
}

/// Waits until everything runs, then opens the port.
async fn open(
    engine: &Engine,
    door: DoorOptions,
    routes: Vec<Routes>,
    store: String,
    planned: Option<Vec<Plan>>,
) -> Result<Service, Error> {
    engine.started().await?;
    if let Some(plans) = planned {
        engine.schedules().configure(&plans).await?;
    }
    let drain = door.drain;
    let routes = routes.into_iter().map(|make| make(engine.clone())).reduce(Router::merge);
    let door = match routes {
        Some(routes) => Door::bind_with(engine.clone(), door, routes).await?,
        None => Door::bind(engine.clone(), door).await?,
    };
    Ok(Service::open(engine.clone(), door, drain, store)?)
}
