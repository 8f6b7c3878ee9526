//! Receiving: who gets what, how much, and in which order.

use super::bench::{Bench, read, reads, settle, settle_all};
use super::{BROADCAST, COUNTS, ORDER, SINGLE, WILDCARDS, case_list};
use longshore_core::broker::{BrokerError, Group, Settlement, Subscribed, Subscription, What};
use std::num::NonZeroUsize;
use std::time::Duration;

case_list![
    subscriptions_of_a_group_share_what_comes,
    subscriptions_of_several_processes_share_too,
    patterns_choose_topics needs WILDCARDS,
    a_broadcast_reaches_everybody needs BROADCAST,
    a_broadcast_takes_nothing_from_a_group needs BROADCAST,
    a_broadcast_hears_nothing_of_before needs BROADCAST,
    of_a_single_active_group_one_receives needs SINGLE,
    another_one_takes_over_when_the_active_one_goes needs SINGLE,
    no_more_is_handed_out_than_the_prefetch,
    settling_makes_room_for_more,
    order_is_kept needs ORDER,
    order_is_kept_over_many_batches needs ORDER,
    what_a_dropped_subscription_has_not_settled_goes_to_others,
    a_delivery_that_is_dropped_comes_again,
    hand_outs_are_counted needs COUNTS,
    a_call_that_is_dropped_takes_nothing,
    while_paused_nothing_comes,
    what_was_handed_out_can_be_settled_while_paused,
    a_group_that_nobody_declared_is_an_error,
];

async fn subscriptions_of_a_group_share_what_comes(t: Bench) {
    let group = t.group("g", "a").await;
    let (mut one, mut two) = (t.subscribe(&group, 1).await, t.subscribe(&group, 1).await);
    t.publish_all("a", &["1", "2"]).await;
    let (first, second) = (one.one().await, two.one().await);
    let mut both = [read(&first), read(&second)];
    both.sort();
    assert_eq!(both, ["1", "2"]);
    settle_all(vec![first, second], Settlement::Ack).await;
    one.nothing().await;
    two.nothing().await;
}

async fn subscriptions_of_several_processes_share_too(t: Bench) {
    let group = t.group("g", "a").await;
    let other = t.connect().await;
    let declared =
        longshore_core::broker::Topology::of(Group::new(group.clone()).matching(t.pattern("a")));
    other.declare(&declared, Default::default()).await.expect("it is declared");
    let mut one = t.subscribe(&group, 10).await;
    let mut two = t.subscribe_by(&other, What::Group(group), 10).await;
    let texts: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    t.publish_all("a", &texts).await;
    let mut all = Vec::new();
    while all.len() < 40 {
        let came = tokio::select! {
            came = one.some(10) => came,
            came = two.some(10) => came,
        };
        all.extend(reads(&came));
        settle_all(came, Settlement::Ack).await;
    }
    let mut numbers: Vec<u32> = all.iter().map(|text| text.parse().expect("a number")).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..40).collect::<Vec<_>>(), "each once");
}

async fn patterns_choose_topics(t: Bench) {
    let (star, hash, exact) =
        (t.group("star", "a.*").await, t.group("hash", "a.#").await, t.group("exact", "a.b").await);
    for topic in ["a", "a.b", "a.b.c"] {
        t.publish(topic, super::bench::text(topic)).await;
    }
    for (group, expected) in
        [(star, &["a.b"][..]), (hash, &["a", "a.b", "a.b.c"]), (exact, &["a.b"])]
    {
        let mut receiving = t.subscribe(&group, 10).await;
        let mut taken = receiving.take(expected.len()).await;
        taken.sort();
        assert_eq!(taken, expected, "{group}");
        receiving.nothing().await;
    }
}

async fn a_broadcast_reaches_everybody(t: Bench) {
    let everything = || What::All(vec![t.pattern("#")]);
    let other = t.connect().await;
    let mut one = t.subscribe_by(t.broker(), everything(), 10).await;
    let mut two = t.subscribe_by(&other, everything(), 10).await;
    t.publish("a", super::bench::text("1")).await;
    assert_eq!(one.take(1).await, ["1"]);
    assert_eq!(two.take(1).await, ["1"]);
}

async fn a_broadcast_takes_nothing_from_a_group(t: Bench) {
    let group = t.group("g", "a").await;
    let mut all = t.subscribe_by(t.broker(), What::All(vec![t.pattern("a")]), 10).await;
    t.publish("a", super::bench::text("1")).await;
    assert_eq!(all.take(1).await, ["1"]);
    assert_eq!(t.subscribe(&group, 10).await.take(1).await, ["1"]);
}

async fn a_broadcast_hears_nothing_of_before(t: Bench) {
    t.group("g", "a").await;
    t.publish("a", super::bench::text("before")).await;
    let mut all = t.subscribe_by(t.broker(), What::All(vec![t.pattern("a")]), 10).await;
    all.nothing().await;
    t.publish("a", super::bench::text("after")).await;
    assert_eq!(all.take(1).await, ["after"]);
}

fn single(t: &Bench) -> Group {
    Group { single_active: true, ..Group::new(t.name("g")).matching(t.pattern("a")) }
}

async fn of_a_single_active_group_one_receives(t: Bench) {
    let group = t.declare(single(&t)).await;
    let (mut one, mut two) = (t.subscribe(&group, 1).await, t.subscribe(&group, 1).await);
    t.publish_all("a", &["1", "2", "3"]).await;
    assert_eq!(one.take(3).await, ["1", "2", "3"]);
    two.nothing().await;
}

async fn another_one_takes_over_when_the_active_one_goes(t: Bench) {
    let group = t.declare(single(&t)).await;
    let (mut one, mut two) = (t.subscribe(&group, 1).await, t.subscribe(&group, 1).await);
    t.publish_all("a", &["1", "2"]).await;
    let held = one.one().await;
    drop(one);
    drop(held);
    let first = two.one().await;
    assert_eq!((read(&first).as_str(), first.redelivered), ("1", true));
    settle(first, Settlement::Ack).await;
    assert_eq!(two.take(1).await, ["2"]);
}

async fn no_more_is_handed_out_than_the_prefetch(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1", "2", "3", "4", "5"]).await;
    let mut receiving = t.subscribe(&group, 3).await;
    let held = receiving.all(3).await;
    receiving.nothing().await;
    settle_all(held, Settlement::Ack).await;
    receiving.take(2).await;
}

async fn settling_makes_room_for_more(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1", "2", "3"]).await;
    let mut receiving = t.subscribe(&group, 2).await;
    let mut held = receiving.all(2).await;
    settle(held.pop().expect("two"), Settlement::Ack).await; // not the first: out of order
    let third = receiving.one().await;
    settle(third, Settlement::Ack).await;
    settle_all(held, Settlement::Ack).await;
    receiving.nothing().await;
}

async fn order_is_kept(t: Bench) {
    let group = t.group("g", "a").await;
    let mut receiving = t.subscribe(&group, 10).await;
    for text in ["1", "2", "3"] {
        t.publish("a", super::bench::text(text)).await;
    }
    assert_eq!(receiving.take(3).await, ["1", "2", "3"]);
}

async fn order_is_kept_over_many_batches(t: Bench) {
    let group = t.group("g", "a").await;
    let texts: Vec<String> = (0..2_000).map(|n| format!("{n:05}")).collect();
    t.publish_all("a", &texts).await;
    assert_eq!(t.subscribe(&group, 100).await.take(2_000).await, texts);
}

async fn what_a_dropped_subscription_has_not_settled_goes_to_others(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1", "2"]).await;
    let mut gone = t.subscribe(&group, 10).await;
    let held = gone.all(2).await;
    drop(gone);
    let mut other = t.subscribe(&group, 10).await;
    let again = other.all(2).await;
    assert!(again.iter().all(|delivery| delivery.redelivered));
    let mut texts = reads(&again);
    texts.sort();
    assert_eq!(texts, ["1", "2"]);
    for stale in held {
        let settled = stale.settle(Settlement::Ack).await.expect("it is said");
        assert_eq!(settled, longshore_core::broker::Settled::Stale);
    }
    settle_all(again, Settlement::Ack).await;
    other.nothing().await;
}

async fn a_delivery_that_is_dropped_comes_again(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1"]).await;
    let mut receiving = t.subscribe(&group, 1).await;
    drop(receiving.one().await);
    let again = receiving.one().await;
    assert_eq!((read(&again).as_str(), again.redelivered), ("1", true));
    assert_eq!(again.envelope.attempt(), 1, "nobody has failed");
    settle(again, Settlement::Ack).await;
    receiving.nothing().await;
}

async fn hand_outs_are_counted(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1"]).await;
    let mut receiving = t.subscribe(&group, 1).await;
    for count in 1..=3 {
        assert_eq!(receiving.one().await.hand_out, Some(count));
    }
}

async fn a_call_that_is_dropped_takes_nothing(t: Bench) {
    let group = t.group("g", "a").await;
    let mut receiving = t.subscribe(&group, 10).await;
    for n in 0..20 {
        let waits =
            tokio::time::timeout(Duration::from_millis(n), receiving.deliveries().receive(10));
        let texts = [n.to_string()];
        let (published, came) = tokio::join!(t.publish_all("a", &texts), waits);
        let () = published;
        let delivery = match came {
            Ok(mut came) => came.remove(0),
            Err(_) => receiving.one().await,
        };
        assert_eq!(read(&delivery), n.to_string());
        settle(delivery, Settlement::Ack).await;
    }
}

async fn while_paused_nothing_comes(t: Bench) {
    let group = t.group("g", "a").await;
    let mut receiving = t.subscribe(&group, 10).await;
    receiving.deliveries().pause().await;
    receiving.until(&Subscribed::Paused).await;
    t.publish_all("a", &["1"]).await;
    receiving.nothing().await;
    let mut other = t.subscribe(&group, 10).await;
    assert_eq!(other.take(1).await, ["1"], "others get it");
    drop(other);
    receiving.deliveries().resume().await;
    receiving.until(&Subscribed::Confirmed).await;
    t.publish_all("a", &["2"]).await;
    assert_eq!(receiving.take(1).await, ["2"]);
}

async fn what_was_handed_out_can_be_settled_while_paused(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1", "2"]).await;
    let mut receiving = t.subscribe(&group, 10).await;
    let held = receiving.all(2).await;
    receiving.deliveries().pause().await;
    receiving.until(&Subscribed::Paused).await;
    settle_all(held, Settlement::Ack).await;
    receiving.deliveries().resume().await;
    receiving.nothing().await;
    t.subscribe(&group, 10).await.nothing().await;
}

async fn a_group_that_nobody_declared_is_an_error(t: Bench) {
    let one = NonZeroUsize::MIN;
    let refused = t.broker().subscribe(&Subscription::to_group(t.name("nobody"), one)).await;
    assert!(matches!(refused, Err(BrokerError::UnknownGroup { .. })), "{refused:?}");
}
