//! Messages in the store's file: what was confirmed is handed out until it is settled, over deaths of the process too.

use longshore_conformance::ManualClock;
use longshore_core::FaultClass;
use longshore_core::broker::{
    Broker, Dead, DeclareMode, Deliveries, Delivery, Envelope, Group, GroupName, GroupStats,
    Outgoing, Pattern, PublishError, Settled, Settlement, Subscribed, Subscription, TopicName,
    Topology, What, header,
};
use longshore_core::store::Lifecycle;
use longshore_embedded::{EmbeddedBroker, EmbeddedStore, Options};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// What has to come comes much sooner.
const SOON: Duration = Duration::from_secs(20);
/// What must not come would have come by then.
const NOT: Duration = Duration::from_millis(150);

struct Bench {
    dir: TempDir,
    clock: Arc<ManualClock>,
    store: Option<EmbeddedStore>,
    broker: EmbeddedBroker,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::default());
        let store = open(&dir, &clock, 1 << 20);
        let broker = store.broker();
        Self { dir, clock, store: Some(store), broker }
    }

    /// The process is gone without a word, and another one opens the file.
    fn reopen(&mut self) {
        self.reopen_with(1 << 20);
    }

    fn reopen_with(&mut self, reserve: u64) {
        drop(self.store.take());
        let store = open(&self.dir, &self.clock, reserve);
        self.broker = store.broker();
        self.store = Some(store);
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("longshore.db")
    }

    /// A number, from another connection.
    fn number(&self, sql: &str) -> i64 {
        let db = Connection::open(self.file()).expect("a database");
        db.query_row(sql, [], |row| row.get(0)).expect("a number")
    }

    async fn declare(&self, group: Group) {
        let topology = Topology::of(group);
        self.broker.declare(&topology, DeclareMode::Declare).await.expect("declared");
    }

    async fn publish(&self, topic: &str, payload: &str) {
        let topic = TopicName::new(topic).expect("a name");
        let batch = vec![Outgoing::to_topic(topic, Envelope::new(payload.to_owned()))];
        self.broker.publish(batch).await.remove(0).expect("confirmed");
    }

    async fn subscribe(&self, group: &str, prefetch: usize) -> Box<dyn Deliveries> {
        let prefetch = NonZeroUsize::new(prefetch).expect("some");
        let what = Subscription::to_group(name(group), prefetch);
        self.broker.subscribe(&what).await.expect("subscribed")
    }

    async fn stats(&self, group: &str) -> GroupStats {
        self.broker.inspect(&name(group)).await.expect("it is there")
    }
}

fn open(dir: &TempDir, clock: &Arc<ManualClock>, reserve: u64) -> EmbeddedStore {
    let options = Options { clock: clock.clone(), reserve, ..Options::new(dir.path()) };
    EmbeddedStore::open(&options).expect("the folder is ours")
}

fn name(group: &str) -> GroupName {
    GroupName::new(group).expect("a name")
}

fn group(of: &str, patterns: &[&str]) -> Group {
    let pattern = |text: &&str| Pattern::new(text).expect("a pattern");
    Group { patterns: patterns.iter().map(pattern).collect(), ..Group::new(name(of)) }
}

async fn receive(from: &mut Box<dyn Deliveries>, count: usize) -> Vec<Delivery> {
    let mut all = Vec::new();
    while all.len() < count {
        let more = tokio::time::timeout(SOON, from.receive(count - all.len())).await;
        let more = more.unwrap_or_else(|_| panic!("{} of {count} came", all.len()));
        assert!(!more.is_empty(), "the subscription ended after {}", all.len());
        all.extend(more);
    }
    all
}

async fn nothing(from: &mut Box<dyn Deliveries>) {
    let came = tokio::time::timeout(NOT, from.receive(1)).await;
    assert!(came.is_err(), "{came:?}");
}

fn texts(deliveries: &[Delivery]) -> Vec<&str> {
    let text = |delivery: &'_ Delivery| std::str::from_utf8(&delivery.envelope.payload).is_ok();
    assert!(deliveries.iter().all(text));
    deliveries.iter().map(|one| std::str::from_utf8(&one.envelope.payload).expect("text")).collect()
}

async fn settle(deliveries: Vec<Delivery>, how: Settlement) {
    for delivery in deliveries {
        assert_eq!(delivery.settle(how.clone()).await.expect("settled"), Settled::Done);
    }
}

#[tokio::test]
async fn what_was_confirmed_is_delivered_in_order_and_removed_once_it_is_settled() {
    let bench = Bench::new();
    bench.declare(group("g", &["orders.*"])).await;
    for payload in ["a", "b", "c"] {
        bench.publish("orders.created", payload).await;
    }
    let stats = bench.stats("g").await;
    assert_eq!((stats.ready, stats.in_flight, stats.consumers), (3, Some(0), Some(0)));
    let mut from = bench.subscribe("g", 9).await;
    let all = receive(&mut from, 3).await;
    assert_eq!(texts(&all), ["a", "b", "c"]);
    assert!(all.iter().all(|one| !one.redelivered && one.hand_out == Some(1)));
    assert_eq!(all[0].origin.topic, TopicName::new("orders.created").ok());
    assert_eq!(bench.stats("g").await.in_flight, Some(3));
    settle(all, Settlement::Ack).await;
    let stats = bench.stats("g").await;
    assert_eq!((stats.ready, stats.in_flight, stats.consumers), (0, Some(0), Some(1)));
    assert_eq!(bench.number("SELECT count(*) FROM messages"), 0);
}

#[tokio::test]
async fn what_nobody_would_receive_is_refused_and_not_kept() {
    let bench = Bench::new();
    bench.declare(group("g", &["orders.#"])).await;
    let topic = TopicName::new("mails").expect("a name");
    let batch = vec![
        Outgoing::to_topic(topic, Envelope::new("x")),
        Outgoing::to_group(name("nobody"), Envelope::new("x")),
        Outgoing::to_group(name("g"), Envelope::new("x")),
        Outgoing::to_group(name("g"), Envelope::new(vec![0; (16 << 20) + 1])),
    ];
    let answers = bench.broker.publish(batch).await;
    assert!(matches!(answers[0], Err(PublishError::Unroutable { .. })), "{:?}", answers[0]);
    assert!(matches!(answers[1], Err(PublishError::Unroutable { .. })), "{:?}", answers[1]);
    assert!(answers[2].is_ok());
    assert!(matches!(answers[3], Err(PublishError::TooLarge { .. })), "{:?}", answers[3]);
    assert_eq!(bench.number("SELECT count(*) FROM messages"), 1);
}

#[tokio::test]
async fn subscriptions_of_a_group_share_and_hold_no_more_than_their_prefetch() {
    let bench = Bench::new();
    bench.declare(group("g", &["t"])).await;
    let (mut one, mut two) = (bench.subscribe("g", 2).await, bench.subscribe("g", 2).await);
    for number in 0..6 {
        bench.publish("t", &number.to_string()).await;
    }
    let (first, second) = (receive(&mut one, 2).await, receive(&mut two, 2).await);
    nothing(&mut one).await;
    nothing(&mut two).await;
    settle(first, Settlement::Ack).await;
    let rest = receive(&mut one, 2).await;
    let all = [texts(&rest), texts(&second)].concat().into_iter().collect::<BTreeSet<_>>();
    assert_eq!(all.len(), 4);
}

#[tokio::test]
async fn every_group_that_matches_gets_it_once_and_the_last_one_removes_it() {
    let bench = Bench::new();
    bench.declare(group("a", &["orders.*.eu", "orders.#"])).await;
    bench.declare(group("b", &["#.eu"])).await;
    bench.publish("orders.created.eu", "both").await;
    bench.publish("orders.created.us", "one").await;
    let (mut a, mut b) = (bench.subscribe("a", 9).await, bench.subscribe("b", 9).await);
    let (of_a, of_b) = (receive(&mut a, 2).await, receive(&mut b, 1).await);
    assert_eq!((texts(&of_a), texts(&of_b)), (vec!["both", "one"], vec!["both"]));
    settle(of_a, Settlement::Ack).await;
    assert_eq!(bench.number("SELECT count(*) FROM messages"), 1);
    settle(of_b, Settlement::Discard).await;
    assert_eq!(bench.number("SELECT count(*) FROM messages"), 0);
}

#[tokio::test]
async fn nothing_is_removed_that_a_group_has_not_settled() {
    let mut bench = Bench::new();
    bench.declare(group("quick", &["t"])).await;
    bench.declare(group("slow", &["t"])).await;
    for number in 0..50 {
        bench.publish("t", &number.to_string()).await;
    }
    let mut quick = bench.subscribe("quick", 50).await;
    settle(receive(&mut quick, 50).await, Settlement::Ack).await;
    assert_eq!(bench.number("SELECT count(*) FROM messages"), 50);
    let mut slow = bench.subscribe("slow", 5).await;
    let mut some = receive(&mut slow, 5).await;
    let last = some.pop().expect("five");
    assert_eq!(last.settle(Settlement::Ack).await.expect("settled"), Settled::Done);
    assert_eq!(bench.number("SELECT count(*) FROM messages"), 49);
    let first = some.remove(0);
    let retry = Settlement::Retry { after: Duration::from_secs(9) };
    first.settle(retry).await.expect("settled");
    bench.reopen();
    assert_eq!(bench.number("SELECT count(*) FROM messages"), 49);
    let mut slow = bench.subscribe("slow", 50).await;
    let rest = receive(&mut slow, 48).await;
    assert!(rest.iter().take(3).all(|one| one.redelivered));
    bench.clock.advance(Duration::from_secs(9));
    assert_eq!(texts(&receive(&mut slow, 1).await), ["0"]);
}

#[tokio::test]
async fn a_retry_comes_at_its_time_as_the_next_attempt_of_the_same_message() {
    let mut bench = Bench::new();
    bench.declare(group("g", &["t"])).await;
    bench.declare(group("other", &["t"])).await;
    bench.publish("t", "x").await;
    let mut from = bench.subscribe("g", 9).await;
    let first = receive(&mut from, 1).await.remove(0);
    let identity = first.identity().expect("a place").to_owned();
    first.settle(Settlement::Retry { after: Duration::from_secs(60) }).await.expect("settled");
    bench.clock.advance(Duration::from_secs(59));
    nothing(&mut from).await;
    assert_eq!(bench.stats("g").await.ready, 0);
    bench.clock.advance(Duration::from_secs(1));
    let second = receive(&mut from, 1).await.remove(0);
    assert_eq!(second.envelope.attempt(), 2);
    assert_eq!(second.identity(), Some(&*identity));
    assert_eq!(second.origin.topic, TopicName::new("t").ok());
    assert!(!second.redelivered);
    second.settle(Settlement::Retry { after: Duration::from_secs(60) }).await.expect("settled");
    bench.reopen();
    bench.clock.advance(Duration::from_secs(60));
    let mut from = bench.subscribe("g", 9).await;
    let third = receive(&mut from, 1).await.remove(0);
    assert_eq!((third.envelope.attempt(), third.redelivered), (3, false));
    bench.reopen();
    drop(third);
    let mut from = bench.subscribe("g", 9).await;
    let third = receive(&mut from, 1).await.remove(0);
    assert_eq!((third.envelope.attempt(), third.redelivered), (3, true));
    settle(vec![third], Settlement::Ack).await;
    assert_eq!(bench.number("SELECT count(*) FROM retries"), 0);
    assert_eq!(bench.stats("other").await.ready, 1, "a retry is for its own group");
}

#[tokio::test]
async fn a_dead_letter_says_where_it_comes_from_and_why() {
    let bench = Bench::new();
    bench.declare(group("g", &["t"])).await;
    let topic = TopicName::new("t").expect("a name");
    let envelope = Envelope::new("x").with(header::ID, "m1").with("region", "eu");
    bench
        .broker
        .publish(vec![Outgoing::to_topic(topic, envelope)])
        .await
        .remove(0)
        .expect("confirmed");
    let mut from = bench.subscribe("g", 9).await;
    let dead = Dead { class: FaultClass::BadData, reason: "no address".to_owned() };
    settle(receive(&mut from, 1).await, Settlement::Dead(dead.clone())).await;
    let mut letters = bench.subscribe("g.dead", 9).await;
    let letter = receive(&mut letters, 1).await.remove(0);
    let header = |name| letter.envelope.headers.get(name);
    assert_eq!(header(header::DEAD_REASON), Some("no address"));
    assert_eq!(header(header::DEAD_CLASS), Some("bad_data"));
    assert_eq!(header(header::ORIGIN_TOPIC), Some("t"));
    assert_eq!(header(header::ORIGIN_GROUP), Some("g"));
    assert_eq!((header(header::ID), header("region")), (Some("m1"), Some("eu")));
    assert_eq!(letter.envelope.payload, "x");
    let none = letter.settle(Settlement::Dead(dead)).await;
    assert!(none.is_err(), "there are no dead letters of dead letters");
    assert!(receive(&mut letters, 1).await[0].redelivered);
    assert_eq!(bench.number("SELECT count(*) FROM messages"), 1);
}

#[tokio::test]
async fn what_was_with_somebody_when_the_process_died_is_handed_out_again() {
    let mut bench = Bench::new();
    bench.declare(group("g", &["t"])).await;
    for payload in ["a", "b", "c", "d"] {
        bench.publish("t", payload).await;
    }
    let mut from = bench.subscribe("g", 3).await;
    let mut held = receive(&mut from, 3).await;
    settle(vec![held.remove(1)], Settlement::Ack).await;
    bench.reopen();
    assert_eq!(bench.stats("g").await.ready, 3);
    let mut again = bench.subscribe("g", 9).await;
    let all = receive(&mut again, 3).await;
    assert_eq!(texts(&all), ["a", "c", "d"]);
    assert!(all[0].redelivered && all[1].redelivered);
    assert_eq!(all[0].hand_out, Some(2));
    assert_eq!(from.state(), Subscribed::Ended);
    assert_eq!(from.receive(1).await.len(), 0);
    let late = held.remove(0).settle(Settlement::Ack).await;
    assert!(late.is_err(), "its store is closed: {late:?}");
}

#[tokio::test]
async fn what_is_released_or_dropped_is_handed_out_again() {
    let bench = Bench::new();
    bench.declare(group("g", &["t"])).await;
    bench.publish("t", "x").await;
    let (mut one, mut two) = (bench.subscribe("g", 1).await, bench.subscribe("g", 1).await);
    settle(receive(&mut one, 1).await, Settlement::Release).await;
    let again = receive(&mut two, 1).await.remove(0);
    assert_eq!((again.envelope.attempt(), again.hand_out), (1, Some(1)), "a release is free");
    drop(again);
    let again = receive(&mut one, 1).await.remove(0);
    assert_eq!((again.redelivered, again.hand_out), (true, Some(2)));
    drop(one);
    let last = receive(&mut two, 1).await.remove(0);
    assert_eq!(last.hand_out, Some(3));
    assert_eq!(again.settle(Settlement::Ack).await.expect("answered"), Settled::Stale);
    assert_eq!(bench.broker.link().stale, 1);
    settle(vec![last], Settlement::Ack).await;
}

#[tokio::test]
async fn the_breaker_puts_aside_what_is_handed_out_without_end() {
    let bench = Bench::new();
    bench.declare(Group { breaker: 3, ..group("g", &["t"]) }).await;
    bench.publish("t", "poison").await;
    bench.publish("t", "fine").await;
    let mut from = bench.subscribe("g", 1).await;
    for _ in 0..3 {
        assert_eq!(texts(&receive(&mut from, 1).await), ["poison"]);
    }
    assert_eq!(texts(&receive(&mut from, 1).await), ["fine"]);
    let mut letters = bench.subscribe("g.dead", 1).await;
    let letter = receive(&mut letters, 1).await.remove(0);
    assert_eq!(letter.envelope.headers.get(header::DEAD_CLASS), Some("crash"));
}

#[tokio::test]
async fn a_broadcast_gets_what_is_published_while_it_lasts_and_leaves_nothing() {
    let mut bench = Bench::new();
    bench.declare(group("g", &["a.b"])).await;
    bench.publish("a.b", "before").await;
    let patterns = vec![Pattern::new("a.#").expect("a pattern")];
    let (what, prefetch) = (What::All(patterns), NonZeroUsize::MIN);
    let what = Subscription { what, prefetch, consumer: "c".to_owned() };
    let mut all = bench.broker.subscribe(&what).await.expect("subscribed");
    for payload in ["x", "y", "z"] {
        bench.publish("a.b", payload).await;
        bench.publish("a.c", payload).await;
    }
    let first = receive(&mut all, 1).await.remove(0);
    assert_eq!((texts(std::slice::from_ref(&first)), &first.origin.group), (vec!["x"], &None));
    drop(all);
    bench.stats("g").await;
    assert_eq!(bench.number("SELECT count(*) FROM messages"), 4, "what the group wants");
    let topic = TopicName::new("a.c").expect("a name");
    let answers = bench.broker.publish(vec![Outgoing::to_topic(topic, Envelope::new("x"))]).await;
    assert!(matches!(answers[0], Err(PublishError::Unroutable { .. })));
    let _all = bench.broker.subscribe(&what).await.expect("subscribed");
    bench.publish("a.c", "lost with its process").await;
    bench.reopen();
    bench.stats("g").await;
    assert_eq!(bench.number("SELECT count(*) FROM messages"), 4);
    assert_eq!(bench.number("SELECT count(*) FROM groups"), 2, "the group and its dead letters");
}

#[tokio::test]
async fn of_a_single_active_group_the_next_takes_over() {
    let bench = Bench::new();
    bench.declare(Group { single_active: true, ..group("g", &["t"]) }).await;
    let (mut one, mut two) = (bench.subscribe("g", 1).await, bench.subscribe("g", 9).await);
    bench.publish("t", "a").await;
    bench.publish("t", "b").await;
    let first = receive(&mut one, 1).await;
    nothing(&mut two).await;
    settle(first, Settlement::Ack).await;
    let second = receive(&mut one, 1).await;
    drop(one);
    let taken = receive(&mut two, 1).await;
    assert_eq!(texts(&taken), texts(&second));
    assert!(taken[0].redelivered);
}

#[tokio::test]
async fn while_paused_nothing_comes_and_what_was_handed_out_can_be_settled() {
    let bench = Bench::new();
    bench.declare(group("g", &["t"])).await;
    let mut from = bench.subscribe("g", 9).await;
    bench.publish("t", "a").await;
    bench.publish("t", "b").await;
    let first = receive(&mut from, 1).await;
    from.pause().await;
    assert_eq!(from.state(), Subscribed::Paused);
    bench.publish("t", "c").await;
    nothing(&mut from).await;
    settle(first, Settlement::Ack).await;
    assert_eq!(bench.stats("g").await.ready, 2);
    from.resume().await;
    assert_eq!(texts(&receive(&mut from, 2).await), ["b", "c"]);
}

#[tokio::test]
async fn declaring_tells_what_is_missing_and_what_differs() {
    let bench = Bench::new();
    let declare = async |group: &Group, mode| {
        bench.broker.declare(&Topology::of(group.clone()), mode).await.expect("answered")
    };
    let mut spec = group("g", &["a"]);
    let missing = vec!["group g".to_owned(), "group g.dead".to_owned()];
    assert_eq!(declare(&spec, DeclareMode::Verify).await.missing, missing);
    assert_eq!(declare(&spec, DeclareMode::Declare).await.missing, missing);
    assert!(declare(&spec, DeclareMode::Declare).await.is_empty());
    bench.publish("a", "kept").await;
    spec.patterns = vec![Pattern::new("b").expect("a pattern")];
    assert_eq!(declare(&spec, DeclareMode::Declare).await.missing, ["b of group g"]);
    bench.publish("b", "new").await;
    let topic = TopicName::new("a").expect("a name");
    let answers = bench.broker.publish(vec![Outgoing::to_topic(topic, Envelope::new("x"))]).await;
    assert!(matches!(answers[0], Err(PublishError::Unroutable { .. })));
    let mut from = bench.subscribe("g", 9).await;
    assert_eq!(texts(&receive(&mut from, 2).await), ["kept", "new"]);
    spec.single_active = true;
    let diff = declare(&spec, DeclareMode::Declare).await;
    assert_eq!(diff.to_string(), "group g: single_active is false, and should be true");
}

#[tokio::test]
async fn a_damaged_message_stops_no_other() {
    let mut bench = Bench::new();
    bench.declare(group("g", &["t"])).await;
    for payload in ["a", "b", "c", "d"] {
        bench.publish("t", payload).await;
    }
    let mut from = bench.subscribe("g", 1).await;
    let _first = receive(&mut from, 1).await;
    drop(bench.store.take());
    let db = Connection::open(bench.file()).expect("a database");
    db.execute("UPDATE messages SET headers = '[1' WHERE payload = x'62'", []).expect("done");
    db.execute("DELETE FROM messages WHERE payload = x'61'", []).expect("done");
    drop(db);
    bench.reopen();
    let mut from = bench.subscribe("g", 9).await;
    assert_eq!(texts(&receive(&mut from, 2).await), ["c", "d"]);
    let mut letters = bench.subscribe("g.dead", 9).await;
    assert_eq!(texts(&receive(&mut letters, 1).await), ["b"]);
    let condition = bench.store.as_ref().expect("open").condition().await.expect("it serves");
    assert_eq!(condition.set_aside, 2);
}

#[tokio::test]
async fn a_group_that_has_lost_what_it_held_gets_everything_once_more() {
    let mut bench = Bench::new();
    bench.declare(group("g", &["t"])).await;
    for payload in ["a", "b", "c"] {
        bench.publish("t", payload).await;
    }
    let mut from = bench.subscribe("g", 2).await;
    let mut held = receive(&mut from, 2).await;
    settle(vec![held.remove(0)], Settlement::Ack).await;
    drop(bench.store.take());
    let db = Connection::open(bench.file()).expect("a database");
    db.execute("UPDATE groups SET held = x'00' WHERE name = 'g'", []).expect("done");
    drop(db);
    bench.reopen();
    assert_eq!(bench.stats("g").await.ready, 2);
    let mut from = bench.subscribe("g", 9).await;
    assert_eq!(texts(&receive(&mut from, 2).await), ["b", "c"]);
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_taken_in_and_what_is_there_is_settled() {
    let mut bench = Bench::new();
    bench.declare(group("g", &["t"])).await;
    for payload in ["a", "b", "c"] {
        bench.publish("t", payload).await;
    }
    bench.reopen_with(1 << 50); // more than any disk has: there is no room from the start
    let topic = TopicName::new("t").expect("a name");
    let refused = bench.broker.publish(vec![Outgoing::to_topic(topic, Envelope::new("d"))]).await;
    assert!(matches!(refused[0], Err(PublishError::Nacked { .. })), "{:?}", refused[0]);
    let mut from = bench.subscribe("g", 9).await;
    let mut all = receive(&mut from, 3).await;
    let dead = Dead { class: FaultClass::Panic, reason: "no".to_owned() };
    settle(vec![all.remove(0)], Settlement::Dead(dead)).await;
    settle(vec![all.remove(0)], Settlement::Retry { after: Duration::ZERO }).await;
    settle(vec![all.remove(0)], Settlement::Ack).await;
    assert_eq!(texts(&receive(&mut from, 1).await), ["b"]);
    assert_eq!(bench.stats("g.dead").await.ready, 1);
}

#[tokio::test]
async fn a_closed_broker_ends_its_subscriptions_and_leaves_the_store_open() {
    let bench = Bench::new();
    bench.declare(group("g", &["t"])).await;
    bench.publish("t", "x").await;
    let mut from = bench.subscribe("g", 9).await;
    let held = receive(&mut from, 1).await.remove(0);
    let report = bench.broker.close(SOON).await;
    assert_eq!((report.unconfirmed, report.unsettled), (0, 1));
    assert_eq!(from.receive(1).await.len(), 0);
    assert_eq!(bench.broker.link().state.word(), "closed");
    assert!(bench.broker.inspect(&name("g")).await.is_err());
    let other = bench.store.as_ref().expect("open").broker();
    assert_eq!(other.inspect(&name("g")).await.expect("it serves").ready, 1);
    assert_eq!(held.settle(Settlement::Ack).await.expect("answered"), Settled::Stale);
}

#[tokio::test]
async fn of_ten_thousand_messages_none_is_lost() {
    const COUNT: usize = 10_000;
    let mut bench = Bench::new();
    bench.declare(group("g", &["t.#"])).await;
    let topic = TopicName::new("t.x").expect("a name");
    for batch in 0..COUNT / 500 {
        let outgoing = (0..500).map(|number| {
            let payload = (batch * 500 + number).to_string();
            Outgoing::to_topic(topic.clone(), Envelope::new(payload))
        });
        let answers = bench.broker.publish(outgoing.collect()).await;
        assert!(answers.iter().all(Result::is_ok));
    }
    let mut seen = BTreeSet::new();
    let mut from = bench.subscribe("g", 300).await;
    let mut died = false;
    while seen.len() < COUNT {
        let deliveries = tokio::time::timeout(SOON, from.receive(100)).await.expect("more comes");
        for delivery in deliveries {
            let text = std::str::from_utf8(&delivery.envelope.payload).expect("text");
            let number: usize = text.parse().expect("a number");
            let how = match number % 7 {
                3 if delivery.envelope.attempt() == 1 => {
                    Settlement::Retry { after: Duration::ZERO }
                }
                5 if !delivery.redelivered => continue, // dropped
                _ => Settlement::Ack,
            };
            let is_over = how == Settlement::Ack;
            assert_eq!(delivery.settle(how).await.expect("settled"), Settled::Done);
            assert!(!is_over || seen.insert(number), "{number} came twice");
        }
        if !died && seen.len() > COUNT / 2 {
            died = true;
            bench.reopen();
            from = bench.subscribe("g", 300).await;
        }
    }
    assert_eq!(bench.number("SELECT count(*) FROM messages"), 0);
}
