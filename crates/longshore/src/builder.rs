//! Putting a service together. Nothing happens before [`Builder::start`], which is the one place
//! where the parts meet.

use crate::service::{Ended, Service, Signals};
use crate::{Error, drivers};
use axum::Router;
use longshore_core::store::{Retention, Store};
use longshore_core::{KindName, QueueName};
use longshore_http::auth::check_bind;
use longshore_http::{BindError, Door, DoorOptions};
use longshore_runtime::handler::{BoxHandler, HandlerFn, MissingState, States, boxed};
use longshore_runtime::{Engine, Kind, Options, Queue, Registry};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

type Make = Box<dyn FnOnce(&States) -> Result<BoxHandler, MissingState> + Send>;
type Adjust = Box<dyn FnOnce(Kind) -> Kind + Send>;

/// A service that is being put together.
pub struct Builder {
    store: Place,
    door: DoorOptions,
    retention: Retention,
    handlers: Vec<(String, Make, Adjust)>,
    queues: Vec<(String, Queue)>,
    states: States,
    routes: Option<Router>,
    consume: bool,
}

/// Where tasks are kept.
enum Place {
    Url(String),
    Open(Arc<dyn Store>),
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<&str> = self.handlers.iter().map(|(kind, ..)| kind.as_str()).collect();
        f.debug_struct("Builder")
            .field("kinds", &kinds)
            .field("door", &self.door)
            .finish_non_exhaustive()
    }
}

/// Begins a service with every default: the embedded store in `./longshore-data`, HTTP on
/// 127.0.0.1:8080.
pub fn builder() -> Builder {
    Builder {
        store: Place::Url("embedded:./longshore-data".into()),
        door: DoorOptions::default(),
        retention: Retention::default(),
        handlers: Vec::new(),
        queues: Vec::new(),
        states: States::default(),
        routes: None,
        consume: true,
    }
}

impl Builder {
    /// Keeps tasks there: `embedded:DIR`. Default: `embedded:./longshore-data`.
    pub fn store(mut self, url: impl Into<String>) -> Self {
        self.store = Place::Url(url.into());
        self
    }

    /// Keeps tasks in a store that is open already.
    pub fn open_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Place::Open(store);
        self
    }

    /// Listens there. Loopback only, for now. Default: 127.0.0.1:8080.
    pub fn listen(mut self, addr: SocketAddr) -> Self {
        self.door.listen = addr;
        self
    }

    /// How long handlers and requests in flight have at the end. Default: 30 s.
    pub fn drain(mut self, deadline: Duration) -> Self {
        self.door.drain = deadline;
        self
    }

    /// How long ended tasks are kept. Default: successes 7 days, others 90 days.
    pub fn retention(mut self, keep: Retention) -> Self {
        self.retention = keep;
        self
    }

    /// Runs the tasks of `kind` by `function`, with the kind's every default.
    pub fn handler<F, Args>(self, kind: impl Into<String>, function: F) -> Self
    where
        F: HandlerFn<Args>,
        Args: 'static,
    {
        self.handler_with(kind, function, |kind| kind)
    }

    /// Runs the tasks of `kind` by `function`; `adjust` sets its queue, retries and timeout.
    pub fn handler_with<F, Args>(
        mut self,
        kind: impl Into<String>,
        function: F,
        adjust: impl FnOnce(Kind) -> Kind + Send + 'static,
    ) -> Self
    where
        F: HandlerFn<Args>,
        Args: 'static,
    {
        let make = Box::new(move |states: &States| boxed(function, states));
        self.handlers.push((kind.into(), make, Box::new(adjust)));
        self
    }

    /// Runs the tasks of `kind` by a handler that is made already.
    pub fn boxed_handler(mut self, kind: impl Into<String>, handler: BoxHandler) -> Self {
        let make = Box::new(move |_: &States| Ok(handler));
        self.handlers.push((kind.into(), make, Box::new(|kind| kind)));
        self
    }

    /// Adds a queue, or sets one's slots. The queue `default` exists unasked, with 16.
    pub fn queue(mut self, name: impl Into<String>, queue: Queue) -> Self {
        self.queues.push((name.into(), queue));
        self
    }

    /// Provides a value to handlers that name a `State` of its type.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(value);
        self
    }

    /// Serves these routes too. They must not overlap with Longshore's (`/v1`, `/tasks`, `/docs`,
    /// the probes, `/metrics`, `/`), nor have a fallback.
    pub fn routes(mut self, routes: Router) -> Self {
        self.routes = Some(match self.routes {
            Some(before) => before.merge(routes),
            None => routes,
        });
        self
    }

    /// Takes tasks in without running any.
    pub fn accept_only(mut self) -> Self {
        self.consume = false;
        self
    }

    /// Starts: opens the store, then the engine, then the port.
    pub async fn start(self) -> Result<Service, Error> {
        let Self { store, door, retention, handlers, queues, states, routes, consume } = self;
        let registry = registry(handlers, queues, &states)?;
        // Before anything is made: a refused address must leave nothing behind.
        check_bind(door.listen).map_err(BindError::from)?;
        let store = match store {
            Place::Url(url) => drivers::open(&url).await?,
            Place::Open(store) => store,
        };
        let options = Options { retention, consume, ..Options::new(store.clone(), registry) };
        let engine = Engine::start(options)?;
        let drain = door.drain;
        let bound = match routes {
            Some(routes) => Door::bind_with(engine.clone(), door, routes).await,
            None => Door::bind(engine.clone(), door).await,
        };
        match bound {
            Ok(door) => Ok(Service::new(engine, door, drain)),
            Err(error) => {
                engine.stop(Duration::ZERO).await;
                Err(error.into())
            }
        }
    }

    /// Starts, and runs until SIGINT or SIGTERM; then drains. A second signal cuts that short.
    pub async fn run(self) -> Result<(), Error> {
        let signals = Signals::install()?;
        match self.start().await?.run(signals).await {
            Ended::Asked(_) => Ok(()),
            Ended::Failed(error) => Err(Error::Store(error)),
        }
    }
}

fn registry(
    handlers: Vec<(String, Make, Adjust)>,
    queues: Vec<(String, Queue)>,
    states: &States,
) -> Result<Registry, Error> {
    let mut registry = Registry::default();
    for (name, queue) in queues {
        let queue_name =
            QueueName::new(&name).map_err(|why| Error::Name { name: name.clone(), why })?;
        registry.add_queue(queue_name, queue);
    }
    for (name, make, adjust) in handlers {
        let kind = KindName::new(&name).map_err(|why| Error::Name { name: name.clone(), why })?;
        let handler = make(states).map_err(|source| Error::Handler { kind: name, source })?;
        registry.add(adjust(Kind::new(kind, handler)));
    }
    Ok(registry)
}
