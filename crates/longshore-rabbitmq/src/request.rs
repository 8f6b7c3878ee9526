//! Request and reply: a question that waits for its answer, by RabbitMQ's direct reply-to.

use crate::broker::RabbitMq;
use crate::connection::STEP;
use crate::desk::Desk;
use crate::error::{Trouble, within};
use crate::flight::{Fail, Parcel};
use crate::live::Live;
use crate::names::Route;
use crate::publisher::not_sent;
use crate::sending::publish_error;
use crate::wire::{CORRELATION_ID, Message, REPLY_TO, Received};
use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Consumer};
use longshore_core::broker::{Delivery, Envelope, PublishError, To};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The queue that is none: the server gives what arrives there to whoever asked on the same channel.
const DIRECT_REPLY: &str = "amq.rabbitmq.reply-to";

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It was not asked.
    #[error(transparent)]
    NotSent(#[from] PublishError),
    /// Nobody has answered in time; somebody may still be at it.
    #[error("no answer within {waited:?}")]
    NoAnswer {
        /// How long it was waited.
        waited: Duration,
    },
    /// The connection was lost while waiting: the answer, if there is one, finds no way.
    #[error("the connection was lost while waiting for the answer")]
    Lost,
    /// What was received asks for no answer.
    #[error("this delivery asks for no answer: it has no reply-to")]
    NoQuestion,
}

/// Who waits for an answer.
#[derive(Debug)]
struct Asked {
    to: To,
    answer: oneshot::Sender<Result<Envelope, RequestError>>,
}

/// Those who wait, by the identity of their question.
type Waiting = Mutex<HashMap<String, Asked>>;

/// Asks on one channel of one connection.
#[derive(Debug)]
pub(crate) struct Asker {
    epoch: u64,
    channel: Channel,
    waiting: Arc<Waiting>,
    /// Tags of confirms and messages have to go in the same order.
    writing: tokio::sync::Mutex<()>,
}

fn lock(waiting: &Waiting) -> MutexGuard<'_, HashMap<String, Asked>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Asker {
    async fn open(live: &Live) -> Result<Self, Trouble> {
        let channel = live.connection.channel().await?;
        within(STEP, channel.confirm_select(ConfirmSelectOptions::default())).await?;
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consumed = channel.basic_consume(
            DIRECT_REPLY.into(),
            "answers".into(),
            options,
            FieldTable::default(),
        );
        let answers = within(STEP, consumed).await?;
        let waiting = Arc::new(Waiting::default());
        tokio::spawn(pass_on(answers, waiting.clone()));
        Ok(Self { epoch: live.epoch, channel, waiting, writing: tokio::sync::Mutex::new(()) })
    }

    fn is_up(&self, live: &Live) -> bool {
        self.epoch == live.epoch && self.channel.status().connected()
    }

    /// Writes a question, and makes sure that somebody gets it.
    async fn write(&self, parcel: &Parcel) -> Result<(), RequestError> {
        let began = Instant::now();
        let unconfirmed = || PublishError::Unconfirmed { waited: began.elapsed() };
        let Parcel { route, message, .. } = parcel;
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = message.properties.clone();
        let (exchange, key) = (route.exchange.as_str().into(), route.key.as_str().into());
        let confirm = {
            let _one = self.writing.lock().await;
            let written =
                self.channel.basic_publish(exchange, key, options, &message.payload, properties);
            within(STEP, written).await.map_err(|_| unconfirmed())?
        };
        match within(STEP, confirm).await {
            Ok(Confirmation::Ack(returned)) => {
                // Whose message was returned is said by its identity, not by whose confirm brings it.
                let returned = returned.and_then(|returned| identity(&returned.properties));
                let asked = returned.and_then(|id| lock(&self.waiting).remove(&id));
                if let Some(Asked { to, answer }) = asked {
                    let _ = answer.send(Err(PublishError::Unroutable { to }.into()));
                }
                Ok(())
            }
            Ok(_) => {
                Err(PublishError::Nacked { why: "a full queue, or an inner fault".to_owned() }
                    .into())
            }
            Err(_) => Err(unconfirmed().into()),
        }
    }
}

fn identity(properties: &BasicProperties) -> Option<String> {
    properties.correlation_id().as_ref().map(|id| id.as_str().to_owned())
}

/// Gives each answer to whoever waits for it; tells all when there will be no more.
async fn pass_on(mut answers: Consumer, waiting: Arc<Waiting>) {
    while let Some(Ok(answer)) = answers.next().await {
        let asked = identity(&answer.properties).and_then(|id| lock(&waiting).remove(&id));
        if let Some(asked) = asked {
            let _ = asked.answer.send(Ok(Received::of(&answer.properties, answer.data).envelope));
        }
    }
    lock(&waiting).drain().for_each(|(_, asked)| drop(asked.answer.send(Err(RequestError::Lost))));
}

impl RabbitMq {
    /// Asks, and returns the answer of whoever [replies](Self::reply) first.
    ///
    /// The question is a message like any other, with `reply-to` and `correlation-id` among its headers. It is sent
    /// once: whoever asks again after [`NoAnswer`](RequestError::NoAnswer) may be answered twice over there.
    pub async fn request(
        &self,
        to: To,
        envelope: Envelope,
        timeout: Duration,
    ) -> Result<Envelope, RequestError> {
        let began = Instant::now();
        let (id, answer) = (uuid::Uuid::now_v7().to_string(), oneshot::channel());
        let envelope = envelope.with(REPLY_TO, DIRECT_REPLY).with(CORRELATION_ID, id.as_str());
        let parcel = self.parcel(&to, envelope)?;
        let asked = async {
            let asker = self.asker(&parcel.route).await?;
            let forget = Forget { waiting: asker.waiting.clone(), id: id.clone() };
            lock(&asker.waiting).insert(id, Asked { to, answer: answer.0 });
            asker.write(&parcel).await?;
            let answer = answer.1.await.map_err(|_| RequestError::Lost)?;
            drop(forget);
            answer
        };
        match tokio::time::timeout(timeout, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(RequestError::NoAnswer { waited: began.elapsed() }),
        }
    }

    /// Answers what was [asked](Self::request), by anybody who asks as RabbitMQ has it (`reply_to` and
    /// `correlation_id`). The delivery is still to be settled. Whether the one who asked is still there is not known.
    pub async fn reply(&self, delivery: &Delivery, answer: Envelope) -> Result<(), RequestError> {
        let asked = &delivery.envelope.headers;
        let to = asked.get(REPLY_TO).ok_or(RequestError::NoQuestion)?;
        let answer = match asked.get(CORRELATION_ID) {
            Some(id) => answer.with(CORRELATION_ID, id),
            None => answer,
        };
        let message = Message::of(answer);
        // A direct reply-to is no queue, and would be returned.
        let parcel = Parcel { route: Route::to_queue(to), message, is_mandatory: false };
        let told = self
            .office
            .publisher
            .send(vec![Arc::new(parcel)])
            .await
            .pop()
            .unwrap_or(Err(Fail::Closed));
        told.map_err(|fail| publish_error(fail, None).into())
    }

    async fn asker(&self, route: &Route) -> Result<Arc<Asker>, PublishError> {
        let not_sent = |error| publish_error(not_sent(error), None);
        let live = self.publish.wait().await.map_err(not_sent)?;
        if let Some(why) = live.blocked() {
            return Err(PublishError::Blocked { why });
        }
        // To ask where there is no exchange would close the channel under all who wait.
        let is_there = route.exchange.is_empty() || route.exchange.starts_with("amq.");
        let found = is_there || {
            let found = Desk::new(&live).has_exchange(&route.exchange).await;
            found.map_err(|trouble| not_sent(trouble.into_error()))?
        };
        if !found {
            return Err(PublishError::Refused {
                why: format!("there is no exchange {}", route.exchange),
            });
        }
        let mut asker = self.asker.lock().await;
        if let Some(asker) = asker.as_ref().filter(|asker| asker.is_up(&live)) {
            return Ok(asker.clone());
        }
        let opened = Asker::open(&live).await.map_err(|trouble| not_sent(trouble.into_error()))?;
        Ok(asker.insert(Arc::new(opened)).clone())
    }
}

/// Whoever does not wait any more is forgotten.
struct Forget {
    waiting: Arc<Waiting>,
    id: String,
}

impl Drop for Forget {
    fn drop(&mut self) {
        lock(&self.waiting).remove(&self.id);
    }
}
