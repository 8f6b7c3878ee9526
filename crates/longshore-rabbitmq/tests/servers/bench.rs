//! Figures beside the plain client's: told, not judged. Only with `LONGSHORE_BENCH` set, and worth something in a release
//! build alone.

use crate::rig::{declare, group, open, subscribe, to_group, unique};
use futures_util::StreamExt;
use futures_util::future::join_all;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use longshore_conformance::rabbitmq::RabbitMqServer;
use longshore_core::broker::{Broker, Group, Settlement};
use longshore_rabbitmq::RabbitMq;
use std::time::Instant;

const COUNT: usize = 50_000;
const BATCH: usize = 500;
const PREFETCH: u16 = 500;

pub(crate) async fn figures() {
    if std::env::var_os("LONGSHORE_BENCH").is_none() {
        return;
    }
    let runtime = std::thread::spawn(|| {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let server = RabbitMqServer::start().unwrap();
            let broker = open(&server.url()).await;
            let (ours, one_by_one) = (group("bench"), group("bench"));
            declare(&broker, &ours).await;
            declare(&broker, &one_by_one).await;
            batches(&broker, &ours, 1).await;
            batches(&broker, &one_by_one, 4).await;
            consume(&broker, &ours).await;
            settle_in_parallel(&broker, &one_by_one).await;
            single(&broker, &one_by_one).await;
            let plain = crate::rig::plain_at(&server.url()).await;
            let queue = raw_publish(&plain).await;
            raw_consume(&plain, &queue).await;
            raw_single(&plain, &queue).await;
        });
    });
    tokio::task::spawn_blocking(|| runtime.join().unwrap()).await.unwrap();
}

fn tell(what: &str, count: usize, began: Instant) {
    let rate = count as f64 / began.elapsed().as_secs_f64();
    println!("{what}: {rate:.0}/s");
}

async fn batches(broker: &RabbitMq, group: &Group, callers: usize) {
    let began = Instant::now();
    let call = |_| async {
        for _ in 0..COUNT / BATCH / callers {
            let batch = (0..BATCH).map(|_| to_group(group, &"x".repeat(200))).collect();
            assert!(broker.publish(batch).await.iter().all(Result::is_ok));
        }
    };
    join_all((0..callers).map(call)).await;
    tell(&format!("publish, {callers} callers with batches of {BATCH}"), COUNT, began);
}

async fn single(broker: &RabbitMq, group: &Group) {
    let began = Instant::now();
    let call = |_| async {
        for _ in 0..100 {
            assert!(broker.publish(vec![to_group(group, "x")]).await[0].is_ok());
        }
    };
    join_all((0..100).map(call)).await;
    tell("publish, 100 callers with one each", 10_000, began);
}

async fn consume(broker: &RabbitMq, group: &Group) {
    let mut received = subscribe(broker, &group.name, usize::from(PREFETCH)).await;
    let (began, mut count) = (Instant::now(), 0);
    while count < COUNT {
        for delivery in received.receive(BATCH).await {
            delivery.settle(Settlement::Ack).await.unwrap();
            count += 1;
        }
    }
    tell("consume and ack in order", COUNT, began);
}

async fn settle_in_parallel(broker: &RabbitMq, group: &Group) {
    let mut received = subscribe(broker, &group.name, usize::from(PREFETCH)).await;
    let (began, mut handlers) = (Instant::now(), tokio::task::JoinSet::new());
    let mut count = 0;
    while count < COUNT {
        for delivery in received.receive(BATCH).await {
            count += 1;
            handlers.spawn(async move {
                tokio::task::yield_now().await;
                delivery.settle(Settlement::Ack).await.unwrap()
            });
        }
        while handlers.try_join_next().is_some() {}
    }
    while handlers.join_next().await.is_some() {}
    tell("consume and ack in any order", COUNT, began);
}

async fn raw_publish(channel: &Channel) -> String {
    let queue = unique("raw");
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.as_str().into(), options, arguments).await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let payload = "x".repeat(200);
    let began = Instant::now();
    for _ in 0..COUNT / BATCH {
        let sent = (0..BATCH).map(|_| raw_send(channel, &queue, payload.as_bytes()));
        join_all(sent).await;
    }
    tell("plain client: publish batches", COUNT, began);
    queue
}

async fn raw_send(channel: &Channel, queue: &str, payload: &[u8]) {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let sent = channel.basic_publish("".into(), queue.into(), options, payload, properties);
    assert!(sent.await.unwrap().await.unwrap().is_ack());
}

async fn raw_consume(channel: &Channel, queue: &str) {
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.unwrap();
    let options = BasicConsumeOptions::default();
    let consumed = channel.basic_consume(queue.into(), "c".into(), options, FieldTable::default());
    let mut received = consumed.await.unwrap();
    let began = Instant::now();
    for _ in 0..COUNT {
        let delivery = received.next().await.unwrap().unwrap();
        delivery.ack(BasicAckOptions::default()).await.unwrap();
    }
    tell("plain client: consume and ack each", COUNT, began);
}

async fn raw_single(channel: &Channel, queue: &str) {
    let began = Instant::now();
    for _ in 0..1_000 {
        raw_send(channel, queue, b"x").await;
    }
    tell("plain client: publish one by one", 1_000, began);
}
