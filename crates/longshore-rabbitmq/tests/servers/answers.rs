//! Questions and answers.

use crate::rig::{SOON, declare, group, next, plain, shared, subscribe, to_group, unique};
use futures_util::StreamExt;
use futures_util::future::join_all;
use lapin::BasicProperties;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use longshore_core::broker::{Envelope, GroupName, PublishError, Settlement, To};
use longshore_rabbitmq::RequestError;
use std::time::{Duration, Instant};

pub(crate) async fn a_question_is_answered() {
    let (broker, group) = (shared().await, group("questions"));
    declare(&broker, &group).await;
    let mut asked = subscribe(&broker, &group.name, 1).await;
    let ask = broker.request(To::Group(group.name.clone()), Envelope::new("2 + 2"), SOON);
    let answer = async {
        let delivery = next(&mut asked).await;
        assert_eq!(delivery.envelope.payload, "2 + 2");
        let answer = Envelope::new("4").with("content-type", "text/plain");
        broker.reply(&delivery, answer).await.unwrap();
        delivery.settle(Settlement::Ack).await.unwrap();
    };
    let (answer, ()) = tokio::join!(ask, answer);
    let answer = answer.unwrap();
    assert_eq!(answer.payload, "4");
    assert_eq!(answer.headers.get("content-type"), Some("text/plain"));
}

pub(crate) async fn a_question_that_nobody_answers_ends_in_time() {
    let (broker, group) = (shared().await, group("silent"));
    declare(&broker, &group).await;
    let (began, patience) = (Instant::now(), Duration::from_millis(300));
    let answer = broker.request(To::Group(group.name), Envelope::new("?"), patience).await;
    assert!(matches!(answer, Err(RequestError::NoAnswer { .. })), "{answer:?}");
    assert!(began.elapsed() < SOON);
}

pub(crate) async fn a_question_that_nobody_gets_is_told_at_once() {
    let broker = shared().await;
    let to = To::Group(GroupName::new(&unique("nobody")).unwrap());
    let answer = broker.request(to.clone(), Envelope::new("?"), SOON).await;
    assert_eq!(answer, Err(RequestError::NotSent(PublishError::Unroutable { to })));
}

pub(crate) async fn many_ask_at_a_time() {
    let broker = shared().await;
    let (channel, queue) = (plain().await, unique("plain-answers"));
    let declared = channel.queue_declare(
        queue.as_str().into(),
        QueueDeclareOptions::default(),
        FieldTable::default(),
    );
    declared.await.unwrap();
    let consumed = channel.basic_consume(
        queue.as_str().into(),
        "c".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let mut asked = consumed.await.unwrap();
    let answering = tokio::spawn(async move {
        while let Some(Ok(question)) = asked.next().await {
            let properties = BasicProperties::default()
                .with_correlation_id(question.properties.correlation_id().clone().unwrap());
            let to = question.properties.reply_to().clone().unwrap();
            let options = BasicPublishOptions::default();
            let sent = channel.basic_publish("".into(), to, options, &question.data, properties);
            sent.await.unwrap();
            question.ack(BasicAckOptions::default()).await.unwrap();
        }
    });
    let ask = |number: usize| {
        let (to, broker) = (To::Group(GroupName::new(&queue).unwrap()), &broker);
        async move { broker.request(to, Envelope::new(number.to_string()), SOON).await.unwrap() }
    };
    let nobody = async {
        let to = To::Group(GroupName::new(&unique("nobody")).unwrap());
        broker.request(to, Envelope::new("?"), SOON).await.unwrap_err()
    };
    let (answers, nobody) = tokio::join!(join_all((0..200).map(ask)), nobody);
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer.payload, number.to_string());
    }
    assert!(matches!(nobody, RequestError::NotSent(PublishError::Unroutable { .. })), "{nobody:?}");
    answering.abort();
}

pub(crate) async fn who_was_not_asked_cannot_answer() {
    let (broker, group) = (shared().await, group("statements"));
    declare(&broker, &group).await;
    crate::rig::publish(&broker, vec![to_group(&group, "x")]).await;
    let delivery = next(&mut subscribe(&broker, &group.name, 1).await).await;
    let answer = broker.reply(&delivery, Envelope::new("y")).await;
    assert_eq!(answer, Err(RequestError::NoQuestion));
}
