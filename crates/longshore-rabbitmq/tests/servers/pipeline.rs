//! Confirms of many at once.

use crate::rig::{bound, declare, group, publish, ready, shared, to_group, to_topic, unique};
use futures_util::future::join_all;
use lapin::options::ExchangeDeleteOptions;
use longshore_core::broker::{Broker, Envelope, Outgoing, PublishError};
use longshore_rabbitmq::{ExchangeType, GroupOptions};

pub(crate) async fn what_nobody_gets_among_a_thousand_is_told_of_each() {
    let (broker, prefix) = (shared().await, unique("p"));
    let group = bound("some", Some(&format!("{prefix}.yes")), GroupOptions::default());
    declare(&broker, &group).await;
    let is_lost = |at: usize| at % 7 == 3;
    let batch = (0..1_000).map(|at| {
        let word = if is_lost(at) { "no" } else { "yes" };
        to_topic(&format!("{prefix}.{word}"), "same payload")
    });
    let answers = broker.publish(batch.collect()).await;
    for (at, answer) in answers.iter().enumerate() {
        let told = matches!(answer, Err(PublishError::Unroutable { .. }));
        assert_eq!(told, is_lost(at), "{at}: {answer:?}");
        assert_eq!(answer.is_ok(), !is_lost(at), "{at}: {answer:?}");
    }
    let expected = (0..1_000).filter(|at| !is_lost(*at)).count() as u64;
    assert_eq!(ready(&broker, &group.name, expected).await, expected);
}

pub(crate) async fn callers_at_a_time_are_told_of_their_own() {
    let (broker, prefix) = (shared().await, unique("p"));
    let group = bound("some", Some(&format!("{prefix}.yes")), GroupOptions::default());
    declare(&broker, &group).await;
    let call = |at: usize| {
        let (broker, word) = (&broker, if at.is_multiple_of(2) { "yes" } else { "no" });
        let batch = vec![to_topic(&format!("{prefix}.{word}"), &at.to_string())];
        async move { broker.publish(batch).await.remove(0) }
    };
    let answers = join_all((0..500).map(call)).await;
    for (at, answer) in answers.iter().enumerate() {
        assert_eq!(answer.is_ok(), at.is_multiple_of(2), "{at}: {answer:?}");
    }
    assert_eq!(ready(&broker, &group.name, 250).await, 250);
    assert_eq!(broker.link().unconfirmed, 0);
}

pub(crate) async fn an_exchange_deleted_meanwhile_does_not_touch_the_others() {
    let (broker, exchange) = (shared().await, unique("gone"));
    let options = GroupOptions::default().exchange(&exchange, Some(ExchangeType::Fanout));
    let group = bound("some", None, options);
    declare(&broker, &group).await;
    let topic = format!("{exchange}/k");
    publish(&broker, vec![to_topic(&topic, "known from now on")]).await;
    let channel = crate::rig::plain().await;
    channel
        .exchange_delete(exchange.as_str().into(), ExchangeDeleteOptions::default())
        .await
        .unwrap();
    let batch = vec![to_topic(&topic, "refused"), to_group(&group, "1"), to_group(&group, "2")];
    let answers = broker.publish(batch).await;
    assert!(matches!(answers[0], Err(PublishError::Refused { .. })), "{answers:?}");
    assert!(answers[1].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert_eq!(ready(&broker, &group.name, 3).await, 3);
}

pub(crate) async fn too_large_is_told_before_it_is_sent() {
    let (broker, group) = (shared().await, group("large"));
    declare(&broker, &group).await;
    let limit = broker.capabilities().max_payload;
    let send =
        |size: usize| Outgoing::to_group(group.name.clone(), Envelope::new(vec![b'x'; size]));
    let mut heavy = Envelope::new("x");
    for number in 0..20 {
        heavy = heavy.with(&format!("h{number}"), "x".repeat(8 * 1024));
    }
    let heavy = Outgoing::to_group(group.name.clone(), heavy);
    let answers = broker.publish(vec![send(limit + 1), send(limit), heavy, send(0)]).await;
    assert_eq!(answers[0], Err(PublishError::TooLarge { size: limit + 1, limit }));
    assert!(matches!(answers[2], Err(PublishError::Refused { .. })), "{:?}", answers[2]);
    assert!(answers[1].is_ok() && answers[3].is_ok(), "{answers:?}");
}
