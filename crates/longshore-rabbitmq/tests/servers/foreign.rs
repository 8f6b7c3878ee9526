//! Programs that know nothing of us.

use crate::rig::{bound, declare, group, next, plain, publish, shared, subscribe, unique};
use lapin::BasicProperties;
use lapin::options::{BasicGetOptions, BasicPublishOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use longshore_core::FaultClass;
use longshore_core::broker::{Dead, Envelope, GroupName, Outgoing, Settlement, TopicName, header};
use longshore_rabbitmq::GroupOptions;

async fn send(exchange: &str, key: &str, properties: BasicProperties, payload: &[u8]) {
    let (channel, options) = (plain().await, BasicPublishOptions::default());
    let sent = channel.basic_publish(exchange.into(), key.into(), options, payload, properties);
    sent.await.unwrap();
}

pub(crate) async fn a_message_of_a_plain_client_is_received_as_it_is() {
    let (broker, prefix) = (shared().await, unique("plain"));
    let group = bound("ours", Some(&format!("{prefix}.#")), GroupOptions::default());
    declare(&broker, &group).await;
    let mut table = FieldTable::default();
    table.insert("count".into(), AMQPValue::LongInt(7));
    table.insert("name".into(), AMQPValue::LongString("ä".into()));
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_message_id("m-1".into())
        .with_priority(3)
        .with_headers(table);
    send("amq.topic", &format!("{prefix}.a"), properties, b"{}").await;
    send("", group.name.as_str(), BasicProperties::default(), b"").await;
    let mut received = subscribe(&broker, &group.name, 10).await;
    let first = next(&mut received).await;
    let get = |name| first.envelope.headers.get(name);
    assert_eq!((get("count"), get("name")), (Some("7"), Some("ä")));
    assert_eq!(get(header::CONTENT_TYPE), Some("application/json"));
    assert_eq!((first.origin.message_id.as_deref(), first.identity()), (Some("m-1"), Some("m-1")));
    assert_eq!(first.origin.topic, TopicName::new(&format!("{prefix}.a")).ok());
    assert_eq!(first.envelope.attempt(), 1);
    let second = next(&mut received).await;
    assert!(second.envelope.payload.is_empty() && second.envelope.headers.is_empty());
    assert_eq!((&second.origin.topic, second.identity()), (&None, None));
}

pub(crate) async fn a_plain_client_reads_what_we_publish() {
    let (broker, group) = (shared().await, group("theirs"));
    declare(&broker, &group).await;
    let envelope = Envelope::new("x")
        .with(header::ID, "m-2")
        .with(header::CONTENT_TYPE, "text/plain")
        .with("region", "eu");
    publish(&broker, vec![Outgoing::to_group(group.name.clone(), envelope)]).await;
    let (channel, options) = (plain().await, BasicGetOptions { no_ack: true });
    let got = channel.basic_get(group.name.as_str().into(), options).await.unwrap().unwrap();
    let text = |value: &Option<ShortString>| value.as_ref().map(|text| text.as_str().to_owned());
    assert_eq!(text(got.properties.content_type()).as_deref(), Some("text/plain"));
    assert_eq!(text(got.properties.message_id()).as_deref(), Some("m-2"));
    assert_eq!(*got.properties.delivery_mode(), Some(2));
    let region = got.properties.headers().as_ref().and_then(|table| table.inner().get("region"));
    assert_eq!(region, Some(&AMQPValue::LongString("eu".into())));
}

pub(crate) async fn what_fails_of_a_plain_client_keeps_its_identity() {
    let (broker, prefix) = (shared().await, unique("plain"));
    let group = bound("failing", Some(&format!("{prefix}.#")), GroupOptions::default());
    declare(&broker, &group).await;
    let mut table = FieldTable::default();
    // Would send copies elsewhere, or close the channel, if it were sent on.
    table
        .insert("CC".into(), AMQPValue::FieldArray(vec![AMQPValue::LongString("q".into())].into()));
    let properties = BasicProperties::default().with_message_id("m-3".into()).with_headers(table);
    send("amq.topic", &format!("{prefix}.a"), properties, b"x").await;
    let mut received = subscribe(&broker, &group.name, 1).await;
    let dead = Dead { class: FaultClass::BadData, reason: "not ours".to_owned() };
    next(&mut received).await.settle(Settlement::Dead(dead)).await.unwrap();
    let dead = GroupName::new(&format!("{}.dead", group.name)).unwrap();
    let letter = next(&mut subscribe(&broker, &dead, 1).await).await;
    let get = |name| letter.envelope.headers.get(name);
    assert_eq!((get(header::ID), get(header::DEAD_REASON)), (Some("m-3"), Some("not ours")));
    assert_eq!(get(header::ORIGIN_TOPIC), Some(format!("{prefix}.a").as_str()));
    assert_eq!(get(header::ORIGIN_GROUP), Some(group.name.as_str()));
}
