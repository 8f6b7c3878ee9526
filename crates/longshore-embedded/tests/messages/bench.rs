//! The bench of these tests: a folder, a clock by hand, and short verbs.

use longshore_conformance::ManualClock;
use longshore_core::broker::{
    Broker, DeclareMode, Deliveries, Delivery, Envelope, Group, GroupName, GroupStats, Outgoing,
    Pattern, Settled, Settlement, Subscription, TopicName, Topology,
};
use longshore_embedded::{EmbeddedBroker, EmbeddedStore, Options};
use rusqlite::Connection;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// What has to come comes much sooner.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// What must not come would have come by then.
const NOT: Duration = Duration::from_millis(150);

pub(crate) struct Bench {
    dir: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Option<EmbeddedStore>,
    pub(crate) broker: EmbeddedBroker,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::default());
        let store = open(&dir, &clock, 1 << 20);
        let broker = store.broker();
        Self { dir, clock, store: Some(store), broker }
    }

    /// The process is gone without a word, and another one opens the file.
    pub(crate) fn reopen(&mut self) {
        self.reopen_with(1 << 20);
    }

    pub(crate) fn reopen_with(&mut self, reserve: u64) {
        drop(self.store.take());
        let store = open(&self.dir, &self.clock, reserve);
        self.broker = store.broker();
        self.store = Some(store);
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("longshore.db")
    }

    /// A number, from another connection.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        let db = Connection::open(self.file()).expect("a database");
        db.query_row(sql, [], |row| row.get(0)).expect("a number")
    }

    pub(crate) async fn declare(&self, group: Group) {
        let topology = Topology::of(group);
        self.broker.declare(&topology, DeclareMode::Declare).await.expect("declared");
    }

    pub(crate) async fn publish(&self, topic: &str, payload: &str) {
        let topic = TopicName::new(topic).expect("a name");
        let batch = vec![Outgoing::to_topic(topic, Envelope::new(payload.to_owned()))];
        self.broker.publish(batch).await.remove(0).expect("confirmed");
    }

    pub(crate) async fn subscribe(&self, group: &str, prefetch: usize) -> Box<dyn Deliveries> {
        let prefetch = NonZeroUsize::new(prefetch).expect("some");
        let what = Subscription::to_group(name(group), prefetch);
        self.broker.subscribe(&what).await.expect("subscribed")
    }

    pub(crate) async fn stats(&self, group: &str) -> GroupStats {
        self.broker.inspect(&name(group)).await.expect("it is there")
    }
}

fn open(dir: &TempDir, clock: &Arc<ManualClock>, reserve: u64) -> EmbeddedStore {
    let options = Options { clock: clock.clone(), reserve, ..Options::new(dir.path()) };
    EmbeddedStore::open(&options).expect("the folder is ours")
}

pub(crate) fn name(group: &str) -> GroupName {
    GroupName::new(group).expect("a name")
}

pub(crate) fn group(of: &str, patterns: &[&str]) -> Group {
    let pattern = |text: &&str| Pattern::new(text).expect("a pattern");
    Group { patterns: patterns.iter().map(pattern).collect(), ..Group::new(name(of)) }
}

pub(crate) async fn receive(from: &mut Box<dyn Deliveries>, count: usize) -> Vec<Delivery> {
    let mut all = Vec::new();
    while all.len() < count {
        let more = tokio::time::timeout(SOON, from.receive(count - all.len())).await;
        let more = more.unwrap_or_else(|_| panic!("{} of {count} came", all.len()));
        assert!(!more.is_empty(), "the subscription ended after {}", all.len());
        all.extend(more);
    }
    all
}

pub(crate) async fn nothing(from: &mut Box<dyn Deliveries>) {
    let came = tokio::time::timeout(NOT, from.receive(1)).await;
    assert!(came.is_err(), "{came:?}");
}

pub(crate) fn texts(deliveries: &[Delivery]) -> Vec<&str> {
    let text = |delivery: &'_ Delivery| std::str::from_utf8(&delivery.envelope.payload).is_ok();
    assert!(deliveries.iter().all(text));
    deliveries.iter().map(|one| std::str::from_utf8(&one.envelope.payload).expect("text")).collect()
}

pub(crate) async fn settle(deliveries: Vec<Delivery>, how: Settlement) {
    for delivery in deliveries {
        assert_eq!(delivery.settle(how.clone()).await.expect("settled"), Settled::Done);
    }
}
