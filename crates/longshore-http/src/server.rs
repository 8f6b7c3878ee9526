//! The accept loop: limits on the way in, and an end within a deadline.
//!
//! `axum::serve` waits for ever, both for the head of a request and for the last connection. Here
//! a head has ten seconds, and so has the handshake of TLS; connections are counted, and draining closes
//! idle connections at once, lets requests in flight finish, and cuts off the rest at the deadline.

use crate::auth::{BindRefused, Guard, Guards, Keyring, NoPolicy, Peer, check_bind, is_loopback};
use crate::deliveries::Deliveries;
use crate::house::{ConfigView, DEFAULT_MAX_BODY, House};
use crate::surface;
use crate::tls::Tls;
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use longshore_runtime::Engine;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

/// Largest head of an HTTP/1 request.
const MAX_HEAD: usize = 64 * 1_024;
/// How often an HTTP/2 connection is asked whether it is still there, and how long it may take.
const PING: Duration = Duration::from_secs(20);
/// Pause after the system would not give a connection (no file handles left, say).
const BREATH: Duration = Duration::from_millis(100);

/// How a door is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorOptions {
    /// Where to listen; elsewhere than on loopback with `keys` and `tls` only. Default:
    /// `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// The keys that callers must show one of. Default: none are asked for, and everybody is the
    /// tenant `default` with every role.
    pub keys: Option<Keyring>,
    /// What is shown to whoever connects. Default: plain HTTP.
    pub tls: Option<Tls>,
    /// Listens anywhere, whatever is missing. Default: no.
    pub insecure_bind: bool,
    /// How long requests in flight may take to finish at the end. Default: 30 s.
    pub drain: Duration,
    /// How long the head of a request may take, and a connection idle. Default: 10 s.
    pub header_timeout: Duration,
    /// Most connections at a time; more wait to be accepted. Default: 10,000.
    pub max_connections: usize,
    /// Largest request body in bytes, at most 1 MiB. Default: 256 KiB.
    pub max_body: usize,
    /// What `GET /v1/config` shows. Default: an empty object.
    pub config: ConfigView,
}

impl Default for DoorOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            keys: None,
            tls: None,
            insecure_bind: false,
            drain: Duration::from_secs(30),
            header_timeout: Duration::from_secs(10),
            max_connections: 10_000,
            max_body: DEFAULT_MAX_BODY,
            config: ConfigView::default(),
        }
    }
}

impl DoorOptions {
    /// Judges whether a door like this may be opened. [`Door::bind`] does too, but then much has been
    /// opened before.
    pub fn check(&self) -> Result<(), BindRefused> {
        check_bind(self.listen, self.guards())
    }

    fn guards(&self) -> Guards {
        Guards { keys: self.keys.is_some(), tls: self.tls.is_some(), waived: self.insecure_bind }
    }

    /// Whoever may listen elsewhere has names that we do not know.
    fn guard(&self) -> Guard {
        Guard::new(self.keys.clone(), !is_loopback(self.listen.ip()))
    }
}

/// Why a door could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Not on this address.
    #[error(transparent)]
    Refused(#[from] BindRefused),
    /// A route has no policy.
    #[error(transparent)]
    NoPolicy(#[from] NoPolicy),
    /// The system said no.
    #[error("cannot listen on {addr}: {source}")]
    Io {
        /// Where.
        addr: SocketAddr,
        /// What it said.
        source: io::Error,
    },
}

/// What closing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DrainReport {
    /// How long it took.
    pub took: Duration,
    /// Connections that were accepted in all.
    pub accepted: u64,
    /// Connections that were open at the beginning of the drain and ended by themselves.
    pub finished: usize,
    /// Connections that were cut off at the deadline.
    pub cut: usize,
}

/// A bound port and what answers on it.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    addr: SocketAddr,
    router: Router,
    options: DoorOptions,
    closing: CancellationToken,
}

impl Door {
    /// Binds the port; nothing is accepted before [`Door::serve`].
    pub async fn bind(engine: Engine, options: DoorOptions) -> Result<Self, BindError> {
        Self::open(engine, options, None).await
    }

    /// Binds the port for the engine and for `routes` of the program's own. Paths of ours win,
    /// except for the front page: a `/` in `routes` takes its place.
    pub async fn bind_with(
        engine: Engine,
        options: DoorOptions,
        routes: Router,
    ) -> Result<Self, BindError> {
        Self::open(engine, options, Some(routes)).await
    }

    /// Binds the port for any router, such as that of [`baseline`](crate::baseline).
    pub async fn bind_router(router: Router, options: DoorOptions) -> Result<Self, BindError> {
        Self::listen(router, options, CancellationToken::new()).await
    }

    async fn open(
        engine: Engine,
        options: DoorOptions,
        beside: Option<Router>,
    ) -> Result<Self, BindError> {
        let closing = CancellationToken::new();
        let house = House::new(engine, options.max_body, options.config.clone(), closing.clone());
        let router = surface::build(house, &options.guard(), beside)?;
        Self::listen(router, options, closing).await
    }

    async fn listen(
        router: Router,
        options: DoorOptions,
        closing: CancellationToken,
    ) -> Result<Self, BindError> {
        let addr = options.listen;
        options.check()?;
        if check_bind(addr, Guards { waived: false, ..options.guards() }).is_err() {
            let Guards { keys, tls, .. } = options.guards();
            tracing::warn!(%addr, keys, tls, "listening beyond this machine without keys and TLS");
        }
        let failed = |source| BindError::Io { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, addr, router, options, closing })
    }

    /// Returns where it listens; tells the port if the system chose it.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns whether it speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.options.tls.is_some()
    }

    /// Serves until `shutdown`, then drains. The port is free again once the drain begins.
    /// Dropping the future cuts everything off at once.
    pub async fn serve(self, shutdown: CancellationToken) -> DrainReport {
        let Self { listener, router, options, closing, .. } = self;
        let connections = TaskTracker::new();
        let cut = CancellationToken::new();
        let _dropped = (closing.clone().drop_guard(), cut.clone().drop_guard());
        let host = Arc::new(Host {
            builder: builder(&options),
            tls: options.tls.clone(),
            router,
            header_timeout: options.header_timeout,
            closing: closing.clone(),
            cut: cut.clone(),
        });
        let accepted = accept(&listener, &options, &host, &connections, &shutdown).await;
        drop(listener);
        let began = Instant::now();
        closing.cancel();
        connections.close();
        let open = connections.len();
        let in_time = tokio::time::timeout(options.drain, connections.wait()).await;
        let left = if in_time.is_ok() { 0 } else { connections.len() };
        cut.cancel();
        connections.wait().await;
        DrainReport {
            took: began.elapsed(),
            accepted,
            finished: open.saturating_sub(left),
            cut: left,
        }
    }
}

/// What all connections share.
#[derive(Debug)]
struct Host {
    builder: Builder<TokioExecutor>,
    tls: Option<Tls>,
    router: Router,
    header_timeout: Duration,
    closing: CancellationToken,
    cut: CancellationToken,
}

fn builder(options: &DoorOptions) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(200);
    builder
}

/// Accepts connections until `shutdown`; returns how many.
async fn accept(
    listener: &TcpListener,
    options: &DoorOptions,
    host: &Arc<Host>,
    connections: &TaskTracker,
    shutdown: &CancellationToken,
) -> u64 {
    let places = Arc::new(Semaphore::new(options.max_connections.max(1)));
    let mut accepted = 0;
    let accepting = async {
        // The semaphore is never closed.
        while let Ok(place) = places.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    accepted += 1;
                    let host = host.clone();
                    connections.spawn(async move {
                        host.attend(stream, peer.ip()).await;
                        drop(place);
                    });
                }
                Err(error) if concerns_one(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection can be accepted");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    };
    let _ = shutdown.run_until_cancelled(accepting).await;
    accepted
}

/// Whether an accept failed for the sake of one connection, which is gone.
fn concerns_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl Host {
    /// Serves one connection to its end.
    async fn attend(&self, stream: TcpStream, peer: IpAddr) {
        // Answers are small and complete: there is nothing to collect.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else { return self.converse(stream, peer).await };
        let greeted = tokio::time::timeout(self.header_timeout, tls.greet(stream));
        // Who has not finished the greeting has asked for nothing yet.
        match self.closing.child_token().run_until_cancelled(greeted).await {
            Some(Ok(Ok(stream))) => self.converse(stream, peer).await,
            Some(Ok(Err(error))) => tracing::debug!(%error, %peer, "no TLS connection was made"),
            Some(Err(_)) => tracing::debug!(%peer, "a TLS handshake took too long"),
            None => {}
        }
    }

    /// Answers what is asked on one connection.
    async fn converse(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: IpAddr,
    ) {
        let asked = AtomicBool::new(false);
        let deliveries = Deliveries::default();
        let service = service_fn(|request: hyper::Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            let mut request = request.map(Body::new);
            deliveries.arrived();
            request.extensions_mut().insert(Peer(peer));
            request.extensions_mut().insert(deliveries.clone());
            self.router.clone().call(request)
        });
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(stream), service));
        // A token of its own: connections do not meet at one lock.
        let closing = self.closing.child_token();
        // The head's timeout begins once the protocol is known, which may never be.
        let mut patience = pin!(tokio::time::sleep(self.header_timeout));
        let mut impatient = true;
        let ended = loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => break ended,
                () = closing.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        biased;
                        ended = connection.as_mut() => break ended,
                        () = self.cut.cancelled() => return,
                    }
                }
                () = patience.as_mut(), if impatient => {
                    if !asked.load(Ordering::Relaxed) {
                        return;
                    }
                    impatient = false;
                }
            }
        };
        if let Err(error) = ended {
            deliveries.broke();
            tracing::debug!(%error, "a connection ended with an error");
        }
    }
}
