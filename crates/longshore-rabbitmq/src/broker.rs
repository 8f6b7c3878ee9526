//! The broker itself.

use crate::board::{Board, Role};
use crate::consumer::{Shelf, Subscriber, Wish};
use crate::delivery::Office;
use crate::desk::Desk;
use crate::error::{OpenError, Trouble};
use crate::ladder::RUNGS;
use crate::link::{Link, Plan};
use crate::options::Options;
use crate::publisher::Publisher;
use crate::reader::Reader;
use crate::request::Asker;
use crate::source::Source;
use crate::topology::Keeper;
use longshore_core::broker::{
    Broker, BrokerError, Capabilities, CloseReport, DeclareMode, Deliveries, Durability, GroupName,
    GroupStats, LinkReport, Outgoing, Pause, PublishError, Receipt, Result, Subscribed,
    Subscription, Topology, TopologyDiff, What,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// A subscription is answered by then, whether the broker has confirmed it or not.
const SUBSCRIBE: Duration = Duration::from_secs(5);
/// What RabbitMQ takes back if it is not settled by then.
const SETTLE_WITHIN: Duration = Duration::from_secs(30 * 60);
/// The first version in which a negative acknowledgement costs nothing.
const FREE_RELEASE: (u32, u32) = (4, 3);

/// A connection to RabbitMQ, 3.10 or later, which comes back by itself for as long as it is open.
pub struct RabbitMq {
    pub(crate) office: Arc<Office>,
    pub(crate) publish: Arc<Link>,
    pub(crate) max_payload: usize,
    closing: watch::Sender<Wish>,
    is_closed: AtomicBool,
    readers: TaskTracker,
    keepers: TaskTracker,
    probed: Mutex<crate::greeting::Server>,
    pub(crate) asker: tokio::sync::Mutex<Option<Arc<Asker>>>,
}

impl RabbitMq {
    /// Opens the broker. It connects by itself, and whether somebody answers is not waited for: only addresses and
    /// options are checked. Needs a running tokio runtime.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let addresses = options.addresses()?;
        let Options { exchange, max_payload, idle, reconnect, name, .. } = options;
        let board = Arc::new(Board::new());
        let plan = Arc::new(Plan { addresses, name, reconnect, idle });
        let consume = Link::new(Role::Consume, plan.clone(), board.clone());
        let publish = Link::new(Role::Publish, plan, board.clone());
        let keeper = Arc::new(Keeper::new(exchange));
        let (publisher, flights) = Publisher::new(publish.clone(), board.clone());
        let keepers = TaskTracker::new();
        keepers.spawn(consume.clone().run(Some(keeper.clone())));
        keepers.spawn(publish.clone().run(None));
        tokio::spawn(flights);
        tokio::spawn({
            let (keeper, consume) = (Arc::downgrade(&keeper), consume.clone());
            async move { crate::topology::look_after(&keeper, &consume).await }
        });
        Ok(Self {
            office: Arc::new(Office { consume, publisher, keeper, board }),
            publish,
            max_payload,
            closing: watch::Sender::new(Wish::Receive),
            is_closed: AtomicBool::new(false),
            readers: TaskTracker::new(),
            keepers,
            probed: Mutex::default(),
            asker: tokio::sync::Mutex::default(),
        })
    }

    /// Returns who answers, once somebody does, or why nobody has by then.
    pub async fn first_contact(&self, within: Duration) -> Result<String> {
        let began = tokio::time::Instant::now();
        loop {
            match self.office.consume.wait().await {
                Ok(live) => return Ok(live.connection.server().to_string()),
                Err(error @ (BrokerError::Closed | BrokerError::Refused { .. })) => {
                    return Err(error);
                }
                Err(error) if began.elapsed() >= within => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn check(&self) -> Result<()> {
        if self.is_closed.load(Ordering::Acquire) { Err(BrokerError::Closed) } else { Ok(()) }
    }
}

/// Returns what a server of that version can do.
fn can(server: &crate::greeting::Server, max_payload: usize) -> Capabilities {
    Capabilities {
        server: server.to_string(),
        durability: Durability::Disk,
        tells_unroutable: true,
        wildcards: true,
        ordered: true,
        single_active: true,
        broadcast: true,
        retry: Some(Pause::Ladder { rungs: &RUNGS }),
        atomic_retry: false,
        dead_letters: true,
        free_release: server.is_at_least(FREE_RELEASE.0, FREE_RELEASE.1),
        counts_hand_outs: true,
        settle_within: Some(SETTLE_WITHIN),
        extend: false,
        inspects_in_flight: false,
        max_payload,
    }
}

impl std::fmt::Debug for RabbitMq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RabbitMq").field("link", &self.link()).finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl Broker for RabbitMq {
    fn capabilities(&self) -> Capabilities {
        let mut probed = self.probed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(live) = self.office.consume.live() {
            *probed = live.connection.server();
        }
        can(&probed, self.max_payload)
    }

    async fn declare(&self, topology: &Topology, mode: DeclareMode) -> Result<TopologyDiff> {
        self.check()?;
        let groups = self.office.keeper.remember(topology, mode)?;
        if mode == DeclareMode::Off {
            return Ok(TopologyDiff::default());
        }
        let live = self.office.consume.wait().await?;
        self.office.keeper.apply(&live, &groups).await
    }

    async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<Receipt, PublishError>> {
        if self.check().is_err() {
            return batch.iter().map(|_| Err(PublishError::Closed)).collect();
        }
        self.send(batch).await
    }

    async fn subscribe(&self, what: &Subscription) -> Result<Box<dyn Deliveries>> {
        self.check()?;
        let keeper = &self.office.keeper;
        let source = match &what.what {
            What::Group(group) => {
                let entry = keeper.entry(group);
                Source::Group(
                    entry.ok_or_else(|| BrokerError::UnknownGroup { group: group.clone() })?,
                )
            }
            What::All(patterns) => {
                Source::All(patterns.iter().map(|pattern| keeper.route_of(pattern)).collect())
            }
        };
        let shelf = Arc::new(Shelf::new());
        let subscriber = Subscriber(shelf.clone());
        let (refusal, refused) = watch::channel(None);
        let reader = Reader {
            office: self.office.clone(),
            shelf: shelf.clone(),
            source,
            prefetch: u16::try_from(what.prefetch.get()).unwrap_or(u16::MAX),
            consumer: what.consumer.clone(),
            closing: self.closing.subscribe(),
        };
        self.readers.spawn(reader.run(refusal));
        if self.office.consume.live().is_some() {
            let mut state = shelf.state.subscribe();
            let told = state.wait_for(|state| *state != Subscribed::Waiting);
            let _ = tokio::time::timeout(SUBSCRIBE, told).await;
        }
        let refusal: Option<BrokerError> = refused.borrow().clone();
        match refusal {
            Some(error) => Err(error),
            None => Ok(Box::new(subscriber)),
        }
    }

    async fn inspect(&self, group: &GroupName) -> Result<GroupStats> {
        self.check()?;
        let unknown = || BrokerError::UnknownGroup { group: group.clone() };
        let entry = self.office.keeper.entry(group).ok_or_else(unknown)?;
        let live = self.office.consume.wait().await?;
        let mut desk = Desk::new(&live);
        let found = match desk.queue(&entry.queue).await.map_err(Trouble::into_error)? {
            Some(found) => Some(found),
            None => {
                self.office.keeper.apply(&live, std::slice::from_ref(group)).await?;
                desk.queue(&entry.queue).await.map_err(Trouble::into_error)?
            }
        };
        let found = found.ok_or_else(|| BrokerError::Refused {
            why: format!("there is no queue {}, and it is not to be declared", entry.queue),
        })?;
        Ok(GroupStats {
            ready: u64::from(found.message_count()),
            in_flight: None,
            consumers: Some(u64::from(found.consumer_count())),
            oldest: None,
        })
    }

    async fn remade(&self) -> Vec<GroupName> {
        self.office.keeper.remade().await
    }

    fn link(&self) -> LinkReport {
        self.office.board.report()
    }

    async fn link_changed(&self, seen: u64) -> LinkReport {
        self.office.board.changed(seen).await
    }

    async fn close(&self, within: Duration) -> CloseReport {
        let deadline = tokio::time::Instant::now() + within;
        self.is_closed.store(true, Ordering::Release);
        let board = &self.office.board;
        self.closing.send_if_modified(|wish| {
            let is_first = *wish == Wish::Receive;
            *wish = (*wish).max(Wish::Pause);
            is_first
        });
        while board.unconfirmed.load(Ordering::Relaxed) > 0
            && tokio::time::Instant::now() < deadline
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let unconfirmed = board.unconfirmed.load(Ordering::Relaxed);
        self.closing.send_replace(Wish::End);
        self.readers.close();
        // What was settled is told, even if the time is up.
        let least = deadline.max(tokio::time::Instant::now() + Duration::from_millis(500));
        let _ = tokio::time::timeout_at(least, self.readers.wait()).await;
        let unsettled = board.unsettled.load(Ordering::Relaxed);
        self.office.consume.close();
        self.publish.close();
        self.keepers.close();
        let _ = tokio::time::timeout_at(least, self.keepers.wait()).await;
        CloseReport { unconfirmed, unsettled }
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        self.closing.send_replace(Wish::End);
        self.office.consume.close();
        self.publish.close();
    }
}

#[cfg(test)]
mod tests {
    use super::can;
    use crate::greeting::Server;
    use crate::options::Options;

    /// The table of `docs/rabbitmq.md`.
    fn table() -> String {
        let of = |version: &str| {
            let server = Server { product: "RabbitMQ".to_owned(), version: version.to_owned() };
            can(&server, Options::new(["amqp://localhost"]).max_payload).rows()
        };
        let mut table = "| | before 4.3 | 4.3 and later |\n|---|---|---|\n".to_owned();
        for ((what, old), (_, new)) in of("3.10.8").iter().zip(of("4.3.0")) {
            table.push_str(&format!("| {what} | {old} | {new} |\n"));
        }
        table
    }

    #[test]
    fn the_document_says_what_it_can_do() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rabbitmq.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (begin, end) = ("<!-- capabilities -->\n", "<!-- end -->");
        let (head, rest) = page.split_once(begin).unwrap();
        let (shown, tail) = rest.split_once(end).unwrap();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, format!("{head}{begin}{}{end}{tail}", table())).unwrap();
        } else {
            assert_eq!(shown, table(), "UPDATE=1 writes it anew");
        }
    }
}
