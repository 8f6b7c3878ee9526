//! What outlives the server, or the process that holds it.

use super::bench::{Bench, dead, read, reads, secs, settle, settle_all};
use super::{REBOOT, case_list};
use longshore_core::broker::{Group, Settlement, Topology};

case_list![
    what_was_confirmed_is_there needs REBOOT,
    what_was_in_flight_comes_again needs REBOOT,
    what_was_acknowledged_does_not_come_again needs REBOOT,
    a_retry_that_waits_comes_in_its_time needs REBOOT,
    dead_letters_are_there needs REBOOT,
];

async fn again(t: &Bench) {
    let group = Group::new(t.name("g")).matching(t.pattern("a"));
    let diff = t.broker().declare(&Topology::of(group), Default::default()).await;
    assert!(diff.expect("it answers").is_empty(), "it outlives the server");
}

async fn what_was_confirmed_is_there(mut t: Bench) {
    let group = t.group("g", "a").await;
    let texts: Vec<String> = (0..500).map(|n| format!("{n:03}")).collect();
    t.publish_all("a", &texts).await;
    t.reboot().await;
    again(&t).await;
    let mut taken = t.subscribe(&group, 100).await.take(500).await;
    taken.sort();
    assert_eq!(taken, texts);
}

async fn what_was_in_flight_comes_again(mut t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1", "2", "3"]).await;
    let mut receiving = t.subscribe(&group, 2).await;
    let held = receiving.all(2).await;
    let held_texts = reads(&held);
    t.reboot().await;
    drop((held, receiving));
    again(&t).await;
    let mut receiving = t.subscribe(&group, 10).await;
    let all = receiving.all(3).await;
    for delivery in &all {
        let was_held = held_texts.contains(&read(delivery));
        assert!(delivery.redelivered || !was_held, "{delivery:?}");
    }
    settle_all(all, Settlement::Ack).await;
}

async fn what_was_acknowledged_does_not_come_again(mut t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1", "2"]).await;
    let mut receiving = t.subscribe(&group, 1).await;
    receiving.take(1).await;
    // Seen by the broker, since the next one came only after it.
    let held = receiving.one().await;
    t.pass(secs(1)).await;
    t.reboot().await;
    drop((held, receiving));
    again(&t).await;
    let mut receiving = t.subscribe(&group, 10).await;
    assert_eq!(receiving.take(1).await, ["2"]);
    receiving.nothing().await;
}

async fn a_retry_that_waits_comes_in_its_time(mut t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1"]).await;
    let mut receiving = t.subscribe(&group, 1).await;
    settle(receiving.one().await, Settlement::Retry { after: secs(5) }).await;
    t.pass(secs(1)).await; // until the original is forgotten
    t.reboot().await;
    drop(receiving);
    again(&t).await;
    t.pass(secs(4)).await;
    let delivery = t.subscribe(&group, 10).await.one().await;
    assert_eq!((read(&delivery).as_str(), delivery.envelope.attempt()), ("1", 2));
}

async fn dead_letters_are_there(mut t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1"]).await;
    let mut receiving = t.subscribe(&group, 1).await;
    settle(receiving.one().await, dead()).await;
    t.pass(secs(1)).await;
    t.reboot().await;
    drop(receiving);
    again(&t).await;
    assert_eq!(t.subscribe(&t.name("g.dead"), 10).await.take(1).await, ["1"]);
}
