//! A broker that is stopped, killed, frozen, cut off, emptied.

use super::bench::{Bench, Receiving, read, reads, secs, settle, settle_all, text};
use super::{FAULTS, case_list};
use longshore_core::broker::{
    BrokerError, DeclareMode, Envelope, Group, LinkState, PublishError, Settled, Settlement,
    Subscribed, Topology,
};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

case_list![
    a_restart_in_the_middle_loses_nothing needs FAULTS,
    a_kill_in_the_middle_loses_nothing needs FAULTS,
    a_freeze_in_the_middle_loses_nothing needs FAULTS,
    a_cut_in_the_middle_loses_nothing needs FAULTS,
    a_silent_link_is_seen_and_left needs FAULTS,
    a_confirm_that_is_lost_is_unknown needs FAULTS,
    while_it_is_away_publishing_fails_in_time needs FAULTS,
    what_is_declared_while_it_is_away_is_there_afterwards needs FAULTS,
    settlements_of_an_earlier_connection_are_stale needs FAULTS,
    a_deleted_group_comes_back needs FAULTS,
    a_group_deleted_while_it_was_away_comes_back needs FAULTS,
    what_was_purged_is_gone_and_everything_goes_on needs FAULTS,
    whoever_was_revoked_hears_it_and_comes_back needs FAULTS,
    a_broker_that_takes_nothing_in_still_hands_out needs FAULTS,
    messages_of_other_programs_are_received needs FAULTS,
    ten_bounces_need_no_hand needs FAULTS,
];

async fn up(t: &Bench) {
    let up = async {
        let mut link = t.broker().link();
        while !link.state.is_up() {
            link = t.broker().link_changed(link.version).await;
        }
    };
    let done = tokio::time::timeout(secs(60), up).await;
    assert!(done.is_ok(), "{:?}", t.broker().link());
}

/// Publishes and receives while something happens; whatever was confirmed is received in the end.
async fn through(t: &Bench, happens: impl AsyncFnOnce(&Bench)) {
    let group = t.group("g", "a").await;
    let mut receiving = t.subscribe(&group, 20).await;
    let mut confirmed = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let over = std::cell::Cell::new(false);
    let publishing = async {
        let mut after = 0;
        let mut n = 0;
        while after < 30 {
            let one = format!("{n:05}");
            if t.try_publish("a", text(&one)).await.is_ok() {
                confirmed.insert(one);
                after += u32::from(over.get());
            }
            n += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let receive = async {
        loop {
            for delivery in receiving.deliveries().receive(10).await {
                seen.insert(read(&delivery));
                let _ = delivery.settle(Settlement::Ack).await; // or it comes again
            }
        }
    };
    let faulting = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        happens(t).await;
        over.set(true);
    };
    let both = async { tokio::join!(publishing, faulting) };
    tokio::select! {
        _ = receive => unreachable!("it never ends"),
        done = tokio::time::timeout(secs(400), both) => { done.expect("it is confirmed again"); }
    }
    let until = Instant::now() + secs(90);
    while !confirmed.is_subset(&seen) {
        let missing: Vec<_> = confirmed.difference(&seen).take(10).collect();
        assert!(Instant::now() < until, "lost: {missing:?}");
        if let Ok(came) = tokio::time::timeout(secs(1), receiving.deliveries().receive(10)).await {
            for delivery in came {
                seen.insert(read(&delivery));
                let _ = delivery.settle(Settlement::Ack).await;
            }
        }
    }
}

async fn a_restart_in_the_middle_loses_nothing(t: Bench) {
    through(&t, async |t| {
        t.faults().stop();
        t.faults().start();
    })
    .await;
    assert!(t.broker().link().reconnects > 0);
}

async fn a_kill_in_the_middle_loses_nothing(t: Bench) {
    through(&t, async |t| {
        t.faults().kill();
        t.faults().start();
    })
    .await;
}

async fn a_freeze_in_the_middle_loses_nothing(t: Bench) {
    through(&t, async |t| {
        t.faults().freeze(true);
        let frozen = Instant::now();
        while t.broker().link().state.is_up() {
            assert!(frozen.elapsed() < secs(15), "nobody has seen it: {:?}", t.broker().link());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        t.faults().freeze(false);
    })
    .await;
}

async fn a_cut_in_the_middle_loses_nothing(t: Bench) {
    through(&t, async |t| {
        for _ in 0..3 {
            t.faults().cut();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
}

async fn a_silent_link_is_seen_and_left(t: Bench) {
    let group = t.group("g", "a").await;
    let mut receiving = t.subscribe(&group, 20).await;
    let muted = Instant::now();
    t.faults().mute();
    let mut link = t.broker().link();
    while link.reconnects == 0 {
        let changed = t.broker().link_changed(link.version);
        let changed = tokio::time::timeout(secs(20), changed).await;
        link = changed.unwrap_or_else(|_| panic!("nobody has seen it: {link:?}"));
    }
    assert!(muted.elapsed() < secs(17), "it took {:?}", muted.elapsed());
    t.publish_patiently("a", "1").await;
    assert_eq!(receiving.take(1).await, ["1"]);
}

async fn a_confirm_that_is_lost_is_unknown(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish("a", text("first")).await;
    t.faults().lose_answers(true);
    let began = Instant::now();
    let answer = t.try_publish("a", text("second")).await;
    assert!(matches!(answer, Err(PublishError::Unconfirmed { .. })), "{answer:?}");
    assert!(began.elapsed() < secs(20), "{:?}", began.elapsed());
    t.faults().lose_answers(false);
    t.publish_patiently("a", "third").await;
    let mut receiving = t.subscribe(&group, 10).await;
    let mut texts = BTreeSet::new();
    while !texts.contains("third") {
        texts.extend(receiving.take(1).await);
    }
    assert!(texts.contains("first"), "{texts:?}"); // the second one may be there, or not
}

async fn while_it_is_away_publishing_fails_in_time(t: Bench) {
    t.group("g", "a").await;
    t.faults().stop();
    for _ in 0..3 {
        let began = Instant::now();
        let answer = t.try_publish("a", text("1")).await;
        let error = answer.expect_err("it is away");
        assert!(error.is_temporary(), "{error}");
        assert!(began.elapsed() < secs(12), "{:?}", began.elapsed());
    }
    assert!(!t.broker().link().state.is_up());
    t.faults().start();
    t.publish_patiently("a", "2").await;
}

async fn what_is_declared_while_it_is_away_is_there_afterwards(t: Bench) {
    t.faults().stop();
    let group = Group::new(t.name("g")).matching(t.pattern("a"));
    let declared = t.broker().declare(&Topology::of(group), DeclareMode::Declare).await;
    let error = declared.expect_err("it is away");
    assert!(
        matches!(error, BrokerError::Unavailable { .. } | BrokerError::Deadline { .. }),
        "{error}"
    );
    t.faults().start();
    up(&t).await;
    let mut receiving = t.subscribe(&t.name("g"), 10).await;
    t.publish_patiently("a", "1").await;
    assert_eq!(receiving.take(1).await, ["1"]);
}

async fn settlements_of_an_earlier_connection_are_stale(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1", "2"]).await;
    let mut receiving = t.subscribe(&group, 2).await;
    let held = receiving.all(2).await;
    let epoch = held[0].epoch;
    t.faults().cut();
    let again = receiving.all(2).await;
    assert!(again.iter().all(|delivery| delivery.redelivered && delivery.epoch > epoch));
    let before = t.broker().link().stale;
    for old in held {
        assert_eq!(old.settle(Settlement::Ack).await.expect("it is said"), Settled::Stale);
    }
    assert_eq!(t.broker().link().stale, before + 2);
    settle_all(again, Settlement::Ack).await;
    receiving.nothing().await;
}

/// Whatever is published now is received; what came before may come again, for its ack may have been lost.
async fn works(t: &Bench, receiving: &mut Receiving, one: &str) {
    t.publish_patiently("a", one).await;
    while receiving.take(1).await != [one] {}
}

async fn a_deleted_group_comes_back(t: Bench) {
    let group = t.group("g", "a").await;
    let mut receiving = t.subscribe(&group, 10).await;
    works(&t, &mut receiving, "1").await;
    t.faults().delete(&group);
    let remade = tokio::time::timeout(secs(15), t.broker().remade()).await;
    assert_eq!(remade.expect("it is told"), [group]);
    receiving.until(&Subscribed::Confirmed).await;
    works(&t, &mut receiving, "2").await;
}

async fn a_group_deleted_while_it_was_away_comes_back(t: Bench) {
    let group = t.group("g", "a").await;
    // Nobody subscribes, so that nobody hears of it.
    t.faults().delete(&group);
    t.faults().cut();
    let remade = tokio::time::timeout(secs(15), t.broker().remade()).await;
    assert_eq!(remade.expect("it is told"), std::slice::from_ref(&group));
    let mut receiving = t.subscribe(&group, 10).await;
    works(&t, &mut receiving, "1").await;
}

async fn what_was_purged_is_gone_and_everything_goes_on(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1", "2"]).await;
    t.faults().purge(&group);
    let mut receiving = t.subscribe(&group, 10).await;
    receiving.nothing().await;
    works(&t, &mut receiving, "3").await;
}

async fn whoever_was_revoked_hears_it_and_comes_back(t: Bench) {
    let group = t.group("g", "a").await;
    let mut receiving = t.subscribe(&group, 10).await;
    t.faults().revoke(true);
    let until = Instant::now() + secs(20);
    loop {
        match t.broker().link().state {
            LinkState::Lost { tries, .. } if tries > 0 => break,
            state => assert!(Instant::now() < until, "{state:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let LinkState::Lost { tries: before, .. } = t.broker().link().state else { panic!("it is up") };
    tokio::time::sleep(secs(3)).await;
    if let LinkState::Lost { tries, .. } = t.broker().link().state {
        assert!(tries - before <= 8, "{} tries in three seconds", tries - before);
    }
    t.faults().revoke(false);
    up(&t).await;
    works(&t, &mut receiving, "1").await;
}

async fn a_broker_that_takes_nothing_in_still_hands_out(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1", "2"]).await;
    t.faults().block(true);
    // A broker says so to those who try.
    let until = Instant::now() + secs(20);
    let error = loop {
        match t.try_publish("a", text("3")).await {
            Err(error @ PublishError::Blocked { .. }) => break error,
            other => assert!(Instant::now() < until, "{other:?}"),
        }
    };
    assert!(error.is_temporary());
    assert_eq!(t.subscribe(&group, 1).await.take(2).await, ["1", "2"]);
    t.faults().block(false);
    t.publish_patiently("a", "4").await;
}

async fn messages_of_other_programs_are_received(t: Bench) {
    let group = t.group("g", "a").await;
    t.faults().publish(&t.topic("a"), &Envelope::new("plain").with("lang", "de"));
    let mut receiving = t.subscribe(&group, 10).await;
    let delivery = receiving.one().await;
    assert_eq!(reads(std::slice::from_ref(&delivery)), ["plain"]);
    assert_eq!(delivery.envelope.headers.get("lang"), Some("de"));
    assert_eq!(delivery.origin.topic, Some(t.topic("a")));
    assert_eq!(delivery.envelope.attempt(), 1);
    settle(delivery, Settlement::Ack).await;
}

async fn ten_bounces_need_no_hand(t: Bench) {
    let group = t.group("g", "a").await;
    let mut receiving = t.subscribe(&group, 10).await;
    for bounce in 0..10 {
        t.faults().kill();
        t.faults().start();
        let back = Instant::now();
        t.publish_patiently("a", &bounce.to_string()).await;
        // An acknowledgement at the moment of a kill may be forgotten.
        while receiving.take(1).await != [bounce.to_string()] {}
        assert!(back.elapsed() < secs(10), "bounce {bounce} took {:?}", back.elapsed());
    }
}
