//! Closing.

use super::bench::{Bench, secs, text};
use super::case_list;
use longshore_core::broker::{
    BrokerError, Group, LinkState, Outgoing, PublishError, Subscribed, Topology, What,
};

case_list![
    what_is_closed_does_nothing_any_more,
    what_was_not_settled_is_told_and_comes_again,
    a_subscription_ends,
    closing_one_leaves_the_others,
];

async fn what_is_closed_does_nothing_any_more(t: Bench) {
    let group = t.group("g", "a").await;
    let report = t.broker().close(secs(5)).await;
    assert_eq!((report.unconfirmed, report.unsettled), (0, 0));
    assert_eq!(t.broker().link().state, LinkState::Closed);
    assert_eq!(t.try_publish("a", text("1")).await, Err(PublishError::Closed));
    let answers = [
        t.broker()
            .declare(&Topology::of(Group::new(group.clone())), Default::default())
            .await
            .err(),
        t.broker().inspect(&group).await.err(),
    ];
    for error in answers {
        assert!(matches!(error, Some(BrokerError::Closed)), "{error:?}");
    }
}

async fn what_was_not_settled_is_told_and_comes_again(t: Bench) {
    let group = t.group("g", "a").await;
    let other = t.connect().await;
    let spec = Group::new(group.clone()).matching(t.pattern("a"));
    other.declare(&Topology::of(spec), Default::default()).await.expect("it is declared");
    t.publish_all("a", &["1", "2"]).await;
    let mut receiving = t.subscribe(&group, 2).await;
    let held = receiving.all(2).await;
    assert_eq!(t.broker().close(secs(5)).await.unsettled, 2);
    let mut again = t.subscribe_by(&other, What::Group(group), 2).await;
    let mut texts = again.take(2).await;
    texts.sort();
    assert_eq!(texts, ["1", "2"]);
    drop(held);
}

async fn a_subscription_ends(t: Bench) {
    let group = t.group("g", "a").await;
    let mut receiving = t.subscribe(&group, 2).await;
    t.broker().close(secs(5)).await;
    receiving.until(&Subscribed::Ended).await;
    assert!(receiving.deliveries().receive(10).await.is_empty());
}

async fn closing_one_leaves_the_others(t: Bench) {
    let group = t.group("g", "a").await;
    let other = t.connect().await;
    let spec = Group::new(group.clone()).matching(t.pattern("a"));
    other.declare(&Topology::of(spec), Default::default()).await.expect("it is declared");
    t.broker().close(secs(5)).await;
    let outgoing = Outgoing::to_topic(t.topic("a"), text("1"));
    other.publish(vec![outgoing]).await.remove(0).expect("it is confirmed");
    assert_eq!(t.subscribe_by(&other, What::Group(group), 2).await.take(1).await, ["1"]);
}
