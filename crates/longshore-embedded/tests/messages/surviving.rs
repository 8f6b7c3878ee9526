//! Deaths of the process, a full disk, and a file that has lost something.

use crate::bench::{Bench, SOON, group, receive, settle, texts};
use longshore_core::FaultClass;
use longshore_core::broker::{
    Broker, Dead, Envelope, Outgoing, PublishError, Settled, Settlement, Subscribed, TopicName,
};
use longshore_core::store::Lifecycle;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::time::Duration;

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
