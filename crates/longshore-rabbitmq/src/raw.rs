//! What somebody would write by hand over the client: a queue, and loops over it. Only to measure against.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};

/// How many messages may be written and not confirmed.
const WINDOW: usize = 512;

/// A connection with a channel, and a queue of its own.
#[derive(Debug)]
pub struct Raw {
    connection: Connection,
    channel: Channel,
    queue: String,
}

impl Raw {
    /// Connects, and makes the quorum queue `queue`.
    pub async fn make(url: &str, queue: &str) -> lapin::Result<Self> {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(queue.into(), options, arguments).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { connection, channel, queue: queue.to_owned() })
    }

    /// Publishes so many to a queue, confirms pipelined. Returns how many were confirmed.
    pub async fn publish(&self, queue: &str, number: u64, payload: &[u8]) -> lapin::Result<u64> {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let publish = || async {
            let properties = BasicProperties::default().with_delivery_mode(2);
            let sent =
                self.channel.basic_publish("".into(), queue.into(), options, payload, properties);
            sent.await?.await
        };
        let mut pending = FuturesUnordered::new();
        let (mut sent, mut confirmed) = (0, 0);
        while confirmed < number {
            while sent < number && pending.len() < WINDOW {
                pending.push(publish());
                sent += 1;
            }
            match pending.next().await {
                Some(Ok(Confirmation::Ack(None))) => confirmed += 1,
                Some(Err(error)) => return Err(error),
                _ => return Ok(confirmed),
            }
        }
        Ok(confirmed)
    }

    /// Publishes so many to its own queue.
    pub async fn publish_own(&self, number: u64, payload: &[u8]) -> lapin::Result<u64> {
        self.publish(&self.queue, number, payload).await
    }

    /// Consumes so many of its own queue, and acknowledges `every` of them with one frame.
    pub async fn consume(&self, number: u64, prefetch: u16, every: u64) -> lapin::Result<u64> {
        let channel = self.connection.create_channel().await?;
        channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
        let (options, table) = (BasicConsumeOptions::default(), FieldTable::default());
        let mut consumer =
            channel.basic_consume(self.queue.as_str().into(), "raw".into(), options, table).await?;
        let mut seen = 0;
        while seen < number {
            let Some(message) = consumer.next().await else { break };
            let tag = message?.delivery_tag;
            seen += 1;
            if seen % every == 0 || seen == number {
                let options = BasicAckOptions { multiple: every > 1 };
                channel.basic_ack(tag, options).await?;
            }
        }
        channel.close(200, "done".into()).await?;
        Ok(seen)
    }

    /// Deletes queues, its own too.
    pub async fn remove(self, others: &[&str]) -> lapin::Result<()> {
        for queue in others.iter().copied().chain([self.queue.as_str()]) {
            self.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
        }
        self.connection.close(200, "done".into()).await
    }
}
