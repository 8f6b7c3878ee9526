//! Steps that the server may refuse, each with a deadline: a refusal closes its channel, and the next step gets a new one.

use crate::connection::STEP;
use crate::error::{Trouble, within};
use crate::live::Live;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, ExchangeKind, Queue};

/// Where things are declared and looked at.
#[derive(Debug)]
pub(crate) struct Desk<'l> {
    live: &'l Live,
    channel: Option<Channel>,
}

impl<'l> Desk<'l> {
    /// Makes a desk; its channel is opened when it is needed.
    pub(crate) fn new(live: &'l Live) -> Self {
        Self { live, channel: None }
    }

    /// Returns a queue that is there.
    pub(crate) async fn queue(&mut self, name: &str) -> Result<Option<Queue>, Trouble> {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let channel = self.channel().await?;
        let found = channel.queue_declare(short(name)?, passive, FieldTable::default());
        found_or_not(self.told(within(STEP, found).await))
    }

    /// Declares a durable queue.
    pub(crate) async fn declare_queue(
        &mut self,
        name: &str,
        arguments: FieldTable,
    ) -> Result<(), Trouble> {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let channel = self.channel().await?;
        let declared = channel.queue_declare(short(name)?, options, arguments);
        self.told(within(STEP, declared).await).map(|_| ())
    }

    /// Returns whether an exchange is there.
    pub(crate) async fn has_exchange(&mut self, name: &str) -> Result<bool, Trouble> {
        let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let channel = self.channel().await?;
        let kind = ExchangeKind::Direct; // is not looked at
        let found = channel.exchange_declare(short(name)?, kind, passive, FieldTable::default());
        Ok(found_or_not(self.told(within(STEP, found).await))?.is_some())
    }

    /// Declares a durable exchange.
    pub(crate) async fn declare_exchange(
        &mut self,
        name: &str,
        kind: &str,
        arguments: FieldTable,
    ) -> Result<(), Trouble> {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let channel = self.channel().await?;
        let kind = ExchangeKind::Custom(kind.to_owned());
        let declared = channel.exchange_declare(short(name)?, kind, options, arguments);
        self.told(within(STEP, declared).await)
    }

    /// Binds a queue.
    pub(crate) async fn bind(
        &mut self,
        queue: &str,
        exchange: &str,
        key: &str,
        arguments: FieldTable,
    ) -> Result<(), Trouble> {
        let channel = self.channel().await?;
        let (queue, exchange, key) = (short(queue)?, short(exchange)?, short(key)?);
        let bound =
            channel.queue_bind(queue, exchange, key, QueueBindOptions::default(), arguments);
        self.told(within(STEP, bound).await)
    }

    async fn channel(&mut self) -> Result<Channel, Trouble> {
        if self.channel.is_none() {
            self.channel = Some(self.live.connection.channel().await?);
        }
        self.channel.clone().ok_or_else(|| Trouble::Away("no channel".to_owned()))
    }

    fn told<T>(&mut self, answer: Result<T, Trouble>) -> Result<T, Trouble> {
        if answer.is_err() {
            self.channel = None;
        }
        answer
    }
}

fn found_or_not<T>(answer: Result<T, Trouble>) -> Result<Option<T>, Trouble> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(trouble) if trouble.is_not_found() => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// Names of the protocol have at most 255 bytes.
pub(crate) fn short(name: &str) -> Result<ShortString, Trouble> {
    ShortString::try_new(name).map_err(|_| Trouble::Away(format!("{name:?} is too long a name")))
}
