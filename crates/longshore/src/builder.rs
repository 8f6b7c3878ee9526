//! Putting a service together: what is said of it. Nothing happens before [`Builder::start`] (`start`).

mod start;

use crate::brokers::Carrier;
use crate::config::{self, Config, Sources};
use axum::Router;
use longshore_core::broker::Broker;
use longshore_core::queue::QueueSettings;
use longshore_core::store::{Retention, Store};
use longshore_http::DoorOptions;
use longshore_runtime::handler::{BoxHandler, HandlerFn, MissingState, States, boxed};
use longshore_runtime::layers::{Layer, Stack};
use longshore_runtime::messages::Consumer;
use longshore_runtime::supervisor::{Component, Hook};
use longshore_runtime::{Engine, Kind};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use start::LEASE;

type Make = Box<dyn FnOnce(&States) -> Result<BoxHandler, MissingState> + Send>;
type Adjust = Box<dyn FnOnce(Kind) -> Kind + Send>;
type Routes = Box<dyn FnOnce(Engine) -> Router + Send>;
type Told = Box<dyn FnOnce(&Config) + Send>;

/// A service that is being put together.
pub struct Builder {
    store: Place,
    brokers: Vec<(String, Carrier)>,
    door: DoorOptions,
    retention: Retention,
    handlers: Vec<(String, Make, Adjust)>,
    consumers: Vec<(String, Consumer, Make)>,
    queues: Vec<(String, QueueSettings)>,
    carriers: Vec<(String, String)>,
    states: States,
    routes: Vec<Routes>,
    consume: bool,
    layers: Stack,
    components: Vec<Arc<dyn Component>>,
    hooks: Vec<Hook>,
    sources: Option<Sources>,
    on_config: Option<Told>,
    export: bool,
    door_opens: bool,
}

/// Where tasks are kept.
enum Place {
    Url(String),
    Open(Arc<dyn Store>),
    /// At a server, of which this is a worker.
    Linked(Arc<dyn Store>),
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
        brokers: Vec::new(),
        door: DoorOptions::default(),
        retention: Retention::default(),
        handlers: Vec::new(),
        consumers: Vec::new(),
        queues: Vec::new(),
        carriers: Vec::new(),
        states: States::default(),
        routes: Vec::new(),
        consume: true,
        layers: Stack::default(),
        components: Vec::new(),
        hooks: Vec::new(),
        sources: None,
        on_config: None,
        export: false,
        door_opens: false,
    }
}

impl Builder {
    /// Keeps tasks there: `embedded:DIR`, or `postgres://USER:PASSWORD@HOST/DATABASE`. Default: `embedded:./longshore-data`.
    pub fn store(mut self, url: impl Into<String>) -> Self {
        self.store = Place::Url(url.into());
        self
    }

    /// Keeps tasks in a store that is open already.
    pub fn open_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Place::Open(store);
        self
    }

    /// Connects to a broker, which consumers and the API know by this name. `embedded:` means topics of the store itself.
    /// It may be away: the connection comes up, and comes back, by itself.
    pub fn broker(mut self, name: impl Into<String>, url: &str) -> Self {
        self.brokers.push((name.into(), Carrier::At(config::Broker::at(url))));
        self
    }

    /// Uses a broker that is open already, and closes it in the end.
    pub fn open_broker(mut self, name: impl Into<String>, broker: Arc<dyn Broker>) -> Self {
        self.brokers.push((name.into(), Carrier::Open(broker)));
        self
    }

    /// Gets its tasks from a server, as one of its workers: see [`Builder::work`]. Tasks are held for 15 s at a
    /// time, and held on to every 5 s.
    #[cfg(feature = "client")]
    pub fn link(mut self, client: crate::Client) -> Self {
        self.store = Place::Linked(crate::link::Linked::to(client));
        self
    }

    /// Listens there. Elsewhere than on loopback it takes keys and TLS, which the configuration names.
    /// Default: 127.0.0.1:8080.
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
    ///
    /// ```
    /// use longshore::core::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// let retry = RetryPolicy::fixed(Duration::from_secs(30)).max_attempts(10);
    /// let builder = longshore::builder().handler_with("nightly", || async {}, |kind| {
    ///     kind.retry(retry).timeout(Duration::from_secs(3_600))
    /// });
    /// ```
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

    /// Runs `function` for each message that `consumer` gets. It takes what handlers of tasks take, and a
    /// [`Message`](crate::handler::Message) besides.
    ///
    /// ```
    /// use longshore::handler::{HandlerError, Message, Payload};
    /// use longshore::messages::Consumer;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Order { id: u64 }
    ///
    /// async fn ship(Payload(order): Payload<Order>, message: Message) -> Result<(), HandlerError> {
    ///     println!("{} from {:?}", order.id, message.topic());
    ///     Ok(())
    /// }
    ///
    /// let orders = Consumer::topic("orders.*").broker("main").parallel(32);
    /// let builder = longshore::builder()
    ///     .broker("main", "amqp://guest:guest@127.0.0.1:5672/%2f")
    ///     .consumer("shipping", orders, ship);
    /// ```
    pub fn consumer<F, Args>(
        mut self,
        name: impl Into<String>,
        consumer: Consumer,
        function: F,
    ) -> Self
    where
        F: HandlerFn<Args>,
        Args: 'static,
    {
        let make = Box::new(move |states: &States| boxed(function, &states.for_messages()));
        self.consumers.push((name.into(), consumer, make));
        self
    }

    /// Adds a queue with its slots, limits and rate. The queue `default` exists unasked, with 16 slots.
    pub fn queue(mut self, name: impl Into<String>, settings: QueueSettings) -> Self {
        self.queues.push((name.into(), settings));
        self
    }

    /// Lets a broker of that name carry the tasks of a queue to whoever runs them. The store stays their truth: while the
    /// broker is away tasks are taken in, and wait.
    ///
    /// ```
    /// let builder = longshore::builder()
    ///     .broker("main", "amqp://guest:guest@127.0.0.1:5672/%2f")
    ///     .carrier("mail", "main");
    /// ```
    pub fn carrier(mut self, queue: impl Into<String>, broker: impl Into<String>) -> Self {
        self.carriers.push((queue.into(), broker.into()));
        self
    }

    /// Provides a value to handlers that name a `State` of its type.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(value);
        self
    }

    /// Serves these routes too. They must not overlap with Longshore's (`/v1`, `/tasks`, `/docs`,
    /// the probes, `/metrics`, `/`), nor with each other, nor have a fallback. Keys are asked for on
    /// Longshore's routes alone: what guards these is up to the program.
    pub fn routes(self, routes: Router) -> Self {
        self.routes_with(|_| routes)
    }

    /// Serves the routes that `make` returns, as [`Builder::routes`] does. It is called once the
    /// engine runs, so that routes can submit tasks and look at them in process.
    ///
    /// ```
    /// use axum::{Router, routing::post};
    /// use longshore::http::Problem;
    /// use longshore::{Engine, Submission};
    ///
    /// async fn order(engine: Engine, id: String) -> Result<String, Problem> {
    ///     let task = Submission::new("invoice.send").payload(&id)?;
    ///     Ok(engine.intake().submit(task).await?.id.to_string()) // it is on disk
    /// }
    ///
    /// let builder = longshore::builder().routes_with(|engine| {
    ///     Router::new().route("/orders", post(move |id| order(engine, id)))
    /// });
    /// ```
    pub fn routes_with(mut self, make: impl FnOnce(Engine) -> Router + Send + 'static) -> Self {
        self.routes.push(Box::new(make));
        self
    }

    /// Adds a layer around the handlers of all kinds, inside of those that are there.
    pub fn layer(mut self, layer: impl Layer + 'static) -> Self {
        self.layers = self.layers.with(layer);
        self
    }

    /// Runs something beside the service: started, restarted and stopped with it. It may name what
    /// it needs, such as `store` or `handlers`.
    pub fn component(mut self, component: impl Component) -> Self {
        self.components.push(Arc::new(component));
        self
    }

    /// Does something when everything starts: before it, after it, or beside it.
    pub fn hook(mut self, hook: Hook) -> Self {
        self.hooks.push(hook);
        self
    }

    /// Takes tasks in without running any.
    pub fn accept_only(mut self) -> Self {
        self.consume = false;
        self
    }

    /// Takes the configuration from there. What it says goes before what the code says, and it is read
    /// again when a file changes or at SIGHUP.
    ///
    /// Kinds that it gives a `command` are refused unless the program calls
    /// [`exec::run_if_asked`](crate::exec::run_if_asked) first in `main`.
    pub fn config(mut self, sources: Sources) -> Self {
        self.sources = Some(sources);
        self
    }

    /// Calls `told` once the configuration was read, before anything is opened.
    pub fn on_config(mut self, told: impl FnOnce(&Config) + Send + 'static) -> Self {
        self.on_config = Some(Box::new(told));
        self
    }

    /// Adds the kind [`data.export`](crate::export): the history of tasks as a file, beside the
    /// embedded store.
    pub fn data_export(mut self) -> Self {
        self.export = true;
        self
    }
}
