//! Who gets what is published, and what becomes of it when it is settled.

use crate::bench::{Bench, group, name, receive, settle, texts};
use longshore_core::broker::{
    Broker, DeclareMode, Envelope, Group, Outgoing, Pattern, PublishError, Settled, Settlement,
    TopicName, Topology,
};
use std::time::Duration;

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
