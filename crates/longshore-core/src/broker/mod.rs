//! The port of a broker: moving envelopes between those who publish and those who consume.
//!
//! A [`Broker`] is a pipe that remembers. It takes an [`Envelope`], confirms that it is durable, and later hands it
//! out as a [`Delivery`] which somebody must settle. Envelopes are published to *topics*; a *group* gets whatever is
//! published to the topics that match its patterns, and shares it among its subscriptions. A broker knows nothing
//! of tasks, retries or results: those live one floor up.
//!
//! A broker is defined by the suite in `longshore-conformance`, which every driver passes.
//!
#![doc = include_str!("../../../../docs/broker.md")]

mod capabilities;
mod delivery;
mod envelope;
mod error;
mod gate;
mod link;
mod publish;
mod subscription;
mod topology;

pub use capabilities::{Capabilities, Durability, Pause, Row};
pub use delivery::{Dead, Delivery, Origin, Settled, Settlement, Settler};
pub use envelope::{BadHeader, Envelope, Headers, header};
pub use error::{BrokerClass, BrokerError};
pub use gate::{Door, Gate, Reconnect, Try, knock};
pub use link::{LinkReport, LinkState};
pub use publish::{Outgoing, PublishError, Receipt, To};
pub use subscription::{Deliveries, Subscribed, Subscription, What};
pub use topology::{
    BadName, BadPattern, DeclareMode, Difference, Group, GroupName, Options, Pattern, Topic,
    TopicName, Topology, TopologyDiff,
};

use std::fmt::Debug;
use std::time::Duration;

/// What a call to a broker returns.
pub type Result<T, E = BrokerError> = std::result::Result<T, E>;

/// How many envelopes of a group wait, and how many are with somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupStats {
    /// Envelopes that are handed out to whoever comes.
    pub ready: u64,
    /// Envelopes that were handed out and are not settled; nothing where the broker does not tell.
    pub in_flight: Option<u64>,
    /// Subscriptions, of any process; nothing where the broker does not tell.
    pub consumers: Option<u64>,
    /// How long the oldest of them has waited; nothing where the broker does not tell.
    pub oldest: Option<Duration>,
}

/// What a close left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CloseReport {
    /// Envelopes whose publishing was not confirmed: they may or may not be stored.
    pub unconfirmed: u64,
    /// Deliveries that were not settled: they are handed out again.
    pub unsettled: u64,
}

/// A connection to a broker, which comes back by itself for as long as it is open.
///
/// Every call has a deadline of the driver's own. None of them waits for a broker that is away longer than that.
#[async_trait::async_trait]
pub trait Broker: Send + Sync + Debug {
    /// Returns what the broker can do, as probed when the connection was made last.
    fn capabilities(&self) -> Capabilities;

    /// Creates what `topology` names and is not there yet, and remembers it: it is created again after every
    /// reconnect, and when it is found missing. What is there and differs is told, and left as it is.
    ///
    /// Calling it again adds to what is remembered; a group or topic of the same name takes the place of the
    /// earlier one. While the broker is away it fails as `Unavailable`, and is remembered all the same.
    async fn declare(&self, topology: &Topology, mode: DeclareMode) -> Result<TopologyDiff>;

    /// Publishes, and answers for each envelope, in order, once the broker has confirmed it, or why it has not.
    async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<Receipt, PublishError>>;

    /// Begins to receive. Fails if the group was not declared, or if the broker refuses for good; while it is
    /// away the subscription is made, and begins once the broker is back.
    async fn subscribe(&self, what: &Subscription) -> Result<Box<dyn Deliveries>>;

    /// Returns how a group stands.
    async fn inspect(&self, group: &GroupName) -> Result<GroupStats>;

    /// Returns declared groups that were found missing and made again since this was asked last; waits for the first.
    /// What had waited in them is lost over there. One who asks is enough: each is told once.
    async fn remade(&self) -> Vec<GroupName>;

    /// Returns how the connection is.
    fn link(&self) -> LinkReport;

    /// Returns once the connection is other than `seen`.
    async fn link_changed(&self, seen: u64) -> LinkReport;

    /// Stops receiving, waits for confirms for at most so long, and closes. Later calls fail with `Closed`.
    async fn close(&self, within: Duration) -> CloseReport;
}
