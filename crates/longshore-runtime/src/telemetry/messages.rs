//! What is measured of brokers and of consumers of messages.

use super::{BUCKETS, Telemetry};
use crate::layers::ENDINGS;
use longshore_core::broker::LinkReport;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// All words of a link, see [`LinkState::word`](longshore_core::broker::LinkState::word).
const LINKS: [&str; 6] = ["connecting", "up", "blocked", "lost", "given_up", "closed"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Link {
    broker: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    broker: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct By {
    consumer: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    consumer: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Settled {
    consumer: String,
    how: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Published {
    broker: String,
    outcome: &'static str,
}

type Times<L> = Family<L, Histogram, fn() -> Histogram>;

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Ack,
    Retry,
    Dead,
    Release,
    Discard,
    /// Its connection was gone: it is handed out again.
    Stale,
    /// The broker did not take it: it is handed out again.
    Failed,
}

impl How {
    const ALL: [(Self, &str); 7] = [
        (Self::Ack, "ack"),
        (Self::Retry, "retry"),
        (Self::Dead, "dead"),
        (Self::Release, "release"),
        (Self::Discard, "discard"),
        (Self::Stale, "stale"),
        (Self::Failed, "failed"),
    ];
}

/// The handles of one consumer, found once.
#[derive(Debug)]
pub(crate) struct Consuming {
    ready: Gauge,
    deliveries: Counter,
    redeliveries: Counter,
    running: Gauge,
    stuck: Gauge,
    /// In the order of [`ENDINGS`].
    outcomes: [Counter; ENDINGS.len()],
    /// In the order of [`How::ALL`].
    settled: [Counter; How::ALL.len()],
    ran: Histogram,
    settling: Histogram,
}

/// The handles of one broker, and what was counted of it so far.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    reconnects: u64,
    stale: u64,
}

#[derive(Debug)]
pub(super) struct Messages {
    link: Family<Link, Gauge>,
    reconnects: Family<Of, Counter>,
    unconfirmed: Family<Of, Gauge>,
    stale: Family<Of, Counter>,
    published: Family<Published, Counter>,
    publishing: Times<Of>,
    ready: Family<By, Gauge>,
    deliveries: Family<By, Counter>,
    redeliveries: Family<By, Counter>,
    running: Family<By, Gauge>,
    stuck: Family<By, Gauge>,
    outcomes: Family<Answered, Counter>,
    settled: Family<Settled, Counter>,
    ran: Times<By>,
    settling: Times<By>,
    seen: RwLock<HashMap<String, Seen>>,
    consumers: RwLock<HashMap<String, Arc<Consuming>>>,
}

impl Default for Messages {
    fn default() -> Self {
        Self {
            link: Family::default(),
            reconnects: Family::default(),
            unconfirmed: Family::default(),
            stale: Family::default(),
            published: Family::default(),
            publishing: Times::new_with_constructor(|| Histogram::new(BUCKETS)),
            ready: Family::default(),
            deliveries: Family::default(),
            redeliveries: Family::default(),
            running: Family::default(),
            stuck: Family::default(),
            outcomes: Family::default(),
            settled: Family::default(),
            ran: Times::new_with_constructor(|| Histogram::new(BUCKETS)),
            settling: Times::new_with_constructor(|| Histogram::new(BUCKETS)),
            seen: RwLock::default(),
            consumers: RwLock::default(),
        }
    }
}

impl Messages {
    /// The crate appends `_total` and the unit to the names.
    pub(super) fn register(&self, registry: &mut Registry) {
        let (link, ready) = (self.link.clone(), self.ready.clone());
        registry.register(
            "longshore_broker_link",
            "How the connection to a broker is: 1 for its state",
            link,
        );
        registry.register(
            "longshore_broker_reconnects",
            "How often a connection came back",
            self.reconnects.clone(),
        );
        registry.register(
            "longshore_broker_unconfirmed",
            "Messages that were published and not confirmed yet",
            self.unconfirmed.clone(),
        );
        registry.register(
            "longshore_broker_stale_settlements",
            "Settlements whose connection was gone: what they were for is handed out again",
            self.stale.clone(),
        );
        registry.register(
            "longshore_messages_published",
            "Messages that the API or the outbox published, by what the broker said",
            self.published.clone(),
        );
        registry.register_with_unit(
            "longshore_publish",
            "From publishing to the broker's confirm",
            Unit::Seconds,
            self.publishing.clone(),
        );
        registry.register(
            "longshore_consumer_ready",
            "Whether the broker has confirmed a consumer's subscription",
            ready,
        );
        registry.register(
            "longshore_consumer_deliveries",
            "Messages that were handed out to a consumer",
            self.deliveries.clone(),
        );
        registry.register(
            "longshore_consumer_redeliveries",
            "Those of them that were handed out before and not settled",
            self.redeliveries.clone(),
        );
        registry.register(
            "longshore_consumer_running",
            "Handlers of messages that run",
            self.running.clone(),
        );
        registry.register(
            "longshore_consumer_stuck",
            "Slots that are taken by handlers which do not yield",
            self.stuck.clone(),
        );
        registry.register(
            "longshore_consumer_outcomes",
            "Handlers of messages that returned, by how",
            self.outcomes.clone(),
        );
        registry.register(
            "longshore_consumer_settlements",
            "Messages that were settled, by how; failed and stale ones are handed out again",
            self.settled.clone(),
        );
        registry.register_with_unit(
            "longshore_consumer_attempt",
            "How long handlers of messages took",
            Unit::Seconds,
            self.ran.clone(),
        );
        registry.register_with_unit(
            "longshore_consumer_settle",
            "From the handler's return to the broker's answer",
            Unit::Seconds,
            self.settling.clone(),
        );
    }

    fn consumer(&self, name: &str) -> Arc<Consuming> {
        let known = self.consumers.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(name) {
            return found.clone();
        }
        drop(known);
        let by = By { consumer: name.to_owned() };
        let outcome = |outcome| Answered { consumer: name.to_owned(), outcome };
        let how = |how| Settled { consumer: name.to_owned(), how };
        let made = Arc::new(Consuming {
            ready: self.ready.get_or_create(&by).clone(),
            deliveries: self.deliveries.get_or_create(&by).clone(),
            redeliveries: self.redeliveries.get_or_create(&by).clone(),
            running: self.running.get_or_create(&by).clone(),
            stuck: self.stuck.get_or_create(&by).clone(),
            outcomes: ENDINGS.map(|one| self.outcomes.get_or_create(&outcome(one)).clone()),
            settled: How::ALL.map(|(_, word)| self.settled.get_or_create(&how(word)).clone()),
            ran: self.ran.get_or_create(&by).clone(),
            settling: self.settling.get_or_create(&by).clone(),
        });
        let mut all = self.consumers.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(name.to_owned()).or_insert(made).clone()
    }

    fn link(&self, broker: &str, report: &LinkReport) {
        let of = Of { broker: broker.to_owned() };
        for state in LINKS {
            let link = Link { broker: broker.to_owned(), state };
            self.link.get_or_create(&link).set(i64::from(report.state.word() == state));
        }
        let unconfirmed = i64::try_from(report.unconfirmed).unwrap_or(i64::MAX);
        self.unconfirmed.get_or_create(&of).set(unconfirmed);
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.entry(broker.to_owned()).or_default();
        let more = report.reconnects.saturating_sub(seen.reconnects);
        self.reconnects.get_or_create(&of).inc_by(more);
        self.stale.get_or_create(&of).inc_by(report.stale.saturating_sub(seen.stale));
        *seen = Seen { reconnects: report.reconnects, stale: report.stale };
    }
}

impl Telemetry {
    /// Returns what is measured of a consumer.
    pub(crate) fn consumer(&self, name: &str) -> Arc<Consuming> {
        self.messages.consumer(name)
    }

    /// Shows how the connection to a broker is.
    pub(crate) fn link(&self, broker: &str, report: &LinkReport) {
        self.messages.link(broker, report);
    }

    /// Counts messages that were published, in the word of what the broker said.
    pub(crate) fn published(&self, broker: &str, outcome: &'static str) {
        let label = Published { broker: broker.to_owned(), outcome };
        self.messages.published.get_or_create(&label).inc();
    }

    /// Notes how long a broker took to answer.
    pub(crate) fn publishing(&self, broker: &str, took: Duration) {
        let of = Of { broker: broker.to_owned() };
        self.messages.publishing.get_or_create(&of).observe(took.as_secs_f64());
    }
}

impl Consuming {
    /// Shows whether its subscription is confirmed.
    pub(crate) fn is_ready(&self, ready: bool) {
        self.ready.set(i64::from(ready));
    }

    /// Counts a delivery.
    pub(crate) fn received(&self, redelivered: bool) {
        self.deliveries.inc();
        if redelivered {
            self.redeliveries.inc();
        }
    }

    /// Shows one more handler that runs, until what this returns is dropped.
    pub(crate) fn running(self: &Arc<Self>) -> Running {
        self.running.inc();
        Running(self.clone())
    }

    /// Returns how many handlers run.
    pub(crate) fn running_now(&self) -> usize {
        self.running.get().try_into().unwrap_or(0)
    }

    /// Shows one more slot, or one less, that is taken by a handler which does not yield.
    pub(crate) fn stuck(&self, more: i64) {
        self.stuck.inc_by(more);
    }

    /// Notes how long a handler took.
    pub(crate) fn ran(&self, took: Duration) {
        self.ran.observe(took.as_secs_f64());
    }

    /// Counts a settlement, and notes how long it took.
    pub(crate) fn settled(&self, how: How, took: Duration) {
        self.settling.observe(took.as_secs_f64());
        if let Some(at) = How::ALL.iter().position(|(one, _)| *one == how) {
            self.settled[at].inc();
        }
    }
}

/// A handler of a message that runs.
#[derive(Debug)]
pub(crate) struct Running(Arc<Consuming>);

impl Running {
    /// Counts how it ended, in the word of the outcome.
    pub(crate) fn ended(self, word: &'static str) {
        if let Some(at) = ENDINGS.iter().position(|one| *one == word) {
            self.0.outcomes[at].inc();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::broker::LinkState;

    #[test]
    fn every_state_of_a_link_has_its_word() {
        let why = String::new;
        for state in [
            LinkState::Connecting { why: None },
            LinkState::Up { server: why() },
            LinkState::Blocked { why: why() },
            LinkState::Lost { why: why(), tries: 0 },
            LinkState::GivenUp { why: why() },
            LinkState::Closed,
        ] {
            assert!(LINKS.contains(&state.word()), "{}", state.word());
        }
    }

    #[test]
    fn reconnects_are_counted_from_what_the_driver_says() {
        let telemetry = Telemetry::default();
        let state = LinkState::Up { server: "x".to_owned() };
        let since = Duration::ZERO;
        for reconnects in [1, 1, 4] {
            let state = state.clone();
            let report =
                LinkReport { version: 0, state, since, reconnects, unconfirmed: 2, stale: 0 };
            telemetry.link("main", &report);
        }
        let text = telemetry.encode();
        assert!(text.contains("longshore_broker_reconnects_total{broker=\"main\"} 4"), "{text}");
        assert!(text.contains("longshore_broker_link{broker=\"main\",state=\"up\"} 1"), "{text}");
        assert!(text.contains("longshore_broker_unconfirmed{broker=\"main\"} 2"), "{text}");
    }
}
