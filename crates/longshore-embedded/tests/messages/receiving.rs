//! Subscriptions: who shares, who waits, who is gone.

use crate::bench::{Bench, SOON, group, name, nothing, receive, settle, texts};
use longshore_core::broker::{
    Broker, Envelope, Group, Outgoing, Pattern, PublishError, Settled, Settlement, Subscribed,
    Subscription, TopicName, What,
};
use std::collections::BTreeSet;
use std::num::NonZeroUsize;

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
