//! A connection that comes back by itself: made when it is wanted, watched while it lasts, made again when it is lost.

use crate::board::{Board, Role};
use crate::connection::{Connection, listens};
use crate::live::{End, Live};
use crate::options::Address;
use crate::topology::Keeper;
use longshore_core::broker::{BrokerError, Door, Gate, LinkState, Reconnect, knock};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// Who calls waits so long for the very first try.
const FIRST: Duration = Duration::from_secs(6);
/// And so long for a link that is away.
const PATIENCE: Duration = Duration::from_secs(1);

/// The first version that moves what has waited without losing any.
const OLDEST: (u32, u32) = (3, 10);

/// How a link stands for those who want to use it.
#[derive(Debug, Clone)]
pub(crate) enum Standing {
    /// Nobody wants it.
    Resting,
    /// It is being made; why the last try failed.
    Trying(Option<BrokerError>),
    /// It works.
    Up(Arc<Live>),
    /// It is not tried any more.
    GivenUp(BrokerError),
    /// It was closed.
    Closed,
}

/// What a link is made of.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) addresses: Vec<Address>,
    pub(crate) name: String,
    pub(crate) reconnect: Reconnect,
    pub(crate) idle: Duration,
}

/// One of the two links.
#[derive(Debug)]
pub(crate) struct Link {
    role: Role,
    plan: Arc<Plan>,
    board: Arc<Board>,
    standing: watch::Sender<Standing>,
    wanted: Notify,
    used: Mutex<Instant>,
    epochs: AtomicU64,
    stop: CancellationToken,
}

impl Link {
    /// Makes a link; [`run`](Self::run) keeps it.
    pub(crate) fn new(role: Role, plan: Arc<Plan>, board: Arc<Board>) -> Arc<Self> {
        let standing = match role {
            Role::Consume => Standing::Trying(None),
            Role::Publish => Standing::Resting,
        };
        Arc::new(Self {
            role,
            plan,
            board,
            standing: watch::Sender::new(standing),
            wanted: Notify::new(),
            used: Mutex::new(Instant::now()),
            epochs: AtomicU64::new(0),
            stop: CancellationToken::new(),
        })
    }

    /// Returns it as soon as it works, or why it does not: at once if it never will, after a second if it was lost.
    pub(crate) async fn wait(&self) -> Result<Arc<Live>, BrokerError> {
        *self.used() = Instant::now();
        self.wanted.notify_one();
        let began = Instant::now();
        let mut seen = self.standing.subscribe();
        loop {
            let standing = seen.borrow_and_update().clone();
            let (patience, error) = match standing {
                Standing::Up(live) if live.connection.is_up() => return Ok(live),
                Standing::Closed => return Err(BrokerError::Closed),
                Standing::GivenUp(error) => return Err(error),
                Standing::Trying(Some(error)) => (PATIENCE, away(error)),
                Standing::Up(_) => (PATIENCE, unavailable("the connection was lost")),
                Standing::Resting | Standing::Trying(None) => {
                    (FIRST, unavailable("not connected yet"))
                }
            };
            let Some(left) = patience.checked_sub(began.elapsed()) else { return Err(error) };
            let _ = tokio::time::timeout(left, seen.changed()).await;
        }
    }

    /// Returns it if it works now.
    pub(crate) fn live(&self) -> Option<Arc<Live>> {
        match &*self.standing.borrow() {
            Standing::Up(live) if live.connection.is_up() => Some(live.clone()),
            _ => None,
        }
    }

    /// Returns how it stands, for those who wait for each change.
    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Ends it; [`run`](Self::run) returns soon.
    pub(crate) fn close(&self) {
        self.stop.cancel();
    }

    /// Keeps it until it is closed. The keeper makes what has to be there before anybody else uses it.
    pub(crate) async fn run(self: Arc<Self>, keeper: Option<Arc<Keeper>>) {
        if let Some(standing) = self.stop.clone().run_until_cancelled(self.keep(keeper)).await {
            self.standing.send_replace(standing);
            return;
        }
        let last = self.standing.send_replace(Standing::Closed);
        self.board.set(self.role, None);
        if let Standing::Up(live) = last {
            live.connection.close().await;
        }
    }

    async fn keep(&self, keeper: Option<Arc<Keeper>>) -> Standing {
        let mut gate = Gate::new(self.plan.reconnect, self.plan.addresses.len());
        let mut was_up = false;
        loop {
            if self.role == Role::Publish && !was_up {
                self.wanted().await;
                self.show(LinkState::Connecting { why: None }, Standing::Trying(None));
            }
            let live = match knock(&mut gate, &Entrance { link: self, was_up }, fastrand::f64).await
            {
                Ok(live) => Arc::new(live),
                Err(error) => {
                    tracing::debug!(link = %self.role, %error, "given up: somebody has to act");
                    let why = error.to_string();
                    self.board.set(self.role, Some(LinkState::GivenUp { why }));
                    return Standing::GivenUp(error);
                }
            };
            let made = Instant::now();
            if was_up {
                self.board.came_back();
            }
            was_up = true;
            let server = format!("{}, {}", live.connection.place, live.connection.server());
            tracing::debug!(link = %self.role, server, "connected");
            if !live.connection.server().is_at_least(OLDEST.0, OLDEST.1) {
                tracing::error!(
                    server,
                    "older than RabbitMQ 3.10: pauses between retries will be refused"
                );
            }
            if let Some(keeper) = &keeper {
                keeper.connected(&live).await;
            }
            self.show(LinkState::Up { server: server.clone() }, Standing::Up(live.clone()));
            let blocked = |why: Option<String>| {
                let up = || LinkState::Up { server: server.clone() };
                self.board
                    .set(self.role, Some(why.map_or_else(up, |why| LinkState::Blocked { why })));
            };
            let end = tokio::select! {
                end = live.watch(blocked) => end,
                () = self.idle(&live) => End::Unused,
            };
            match end {
                End::Unused => {
                    gate.rested();
                    self.board.set(self.role, None);
                    live.connection.close().await;
                    was_up = false;
                }
                End::Lost(why) => {
                    live.connection.cut();
                    gate.lost(made.elapsed());
                    tracing::debug!(link = %self.role, why, "connection lost");
                    let error = BrokerError::Unavailable { why: why.clone() };
                    self.show(LinkState::Lost { why, tries: 0 }, Standing::Trying(Some(error)));
                }
            }
        }
    }

    fn show(&self, state: LinkState, standing: Standing) {
        self.board.set(self.role, Some(state));
        self.standing.send_replace(standing);
    }

    /// Returns once somebody wants it; who wanted it while it was up does not count.
    async fn wanted(&self) {
        loop {
            self.wanted.notified().await;
            if self.used().elapsed() < self.plan.idle {
                return;
            }
        }
    }

    fn used(&self) -> MutexGuard<'_, Instant> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns once nobody has used it for long, and it rests; what receives is always used.
    async fn idle(&self, live: &Live) {
        if self.role == Role::Consume {
            return std::future::pending().await;
        }
        loop {
            let left = self.rest(live);
            match left {
                None => return,
                Some(left) => tokio::time::sleep(left).await,
            }
        }
    }

    /// Lets it rest, unless somebody has used it lately: whoever comes now finds it resting, or has used it.
    fn rest(&self, live: &Live) -> Option<Duration> {
        let used = self.used();
        match self.plan.idle.checked_sub(used.elapsed()) {
            Some(left) => Some(left.max(Duration::from_millis(10))),
            // While it is blocked it has to say so, and what was written is still to be confirmed.
            None if live.blocked().is_some() => Some(PATIENCE),
            None if self.board.unconfirmed.load(Ordering::Relaxed) > 0 => Some(PATIENCE),
            None => {
                self.standing.send_replace(Standing::Resting);
                None
            }
        }
    }
}

fn unavailable(why: &str) -> BrokerError {
    BrokerError::Unavailable { why: why.to_owned() }
}

/// What a failed try means for whoever wanted to use the link now.
fn away(error: BrokerError) -> BrokerError {
    match error {
        BrokerError::Deadline { waited } => unavailable(&format!("no answer within {waited:?}")),
        error => error,
    }
}

/// What the one loop of reconnects needs of us.
struct Entrance<'a> {
    link: &'a Link,
    was_up: bool,
}

#[async_trait::async_trait]
impl Door for Entrance<'_> {
    type Link = Live;

    async fn connect(&self, endpoint: usize) -> Result<Live, BrokerError> {
        let plan = &self.link.plan;
        let name = format!("{} ({})", plan.name, self.link.role);
        let connection = Connection::open(&plan.addresses[endpoint], &name).await;
        let connection = connection.map_err(crate::error::Trouble::into_error)?;
        let epoch = self.link.epochs.fetch_add(1, Ordering::Relaxed) + 1;
        Live::new(connection, epoch).await.map_err(crate::error::Trouble::into_error)
    }

    async fn probe(&self, endpoint: usize) -> bool {
        listens(&self.link.plan.addresses[endpoint]).await
    }

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn failed(&self, endpoint: usize, tries: u32, error: &BrokerError) {
        let Self { link, was_up } = self;
        let place = &link.plan.addresses[endpoint];
        // Whoever looks at the link tells it once.
        tracing::debug!(link = %link.role, %place, tries, %error, "cannot connect; it is tried again");
        let why = format!("{place}: {error}");
        let state = match was_up {
            true => LinkState::Lost { why, tries },
            false => LinkState::Connecting { why: Some(why) },
        };
        link.show(state, Standing::Trying(Some(error.clone())));
    }
}
