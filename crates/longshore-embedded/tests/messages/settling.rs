//! Retries, dead letters, and what is handed out again.

use crate::bench::{Bench, group, nothing, receive, settle, texts};
use longshore_core::FaultClass;
use longshore_core::broker::{
    Broker, Dead, Envelope, Group, Outgoing, Settled, Settlement, TopicName, header,
};
use std::time::Duration;

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
