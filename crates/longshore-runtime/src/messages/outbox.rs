//! Publishing by way of a task: accepted durably first, relayed to the broker as soon as it takes it.
//!
//! What is accepted is a task of the kind [`KIND`], visible among the others, tried again for hours, a dead letter in
//! the end. A relay that dies, or gets only a part confirmed, publishes all of its parcel again, each message with the
//! identity that it had before.

use super::publish::NewMessage;
use crate::brokers::Brokers;
use crate::handler::{BoxHandler, HandlerError, Payload, States, boxed};
use crate::registry::Kind;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use longshore_core::broker::{Outgoing, PublishError, TopicName};
use longshore_core::name::BadName;
use longshore_core::{FaultClass, KindName, QueueName, RetryPolicy};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::Duration;

/// The kind of its tasks.
pub const KIND: &str = "longshore.publish";
/// Their queue.
pub const QUEUE: &str = "outbox";

/// How long one attempt may take: brokers give up sooner.
const TIMEOUT: Duration = Duration::from_secs(30);
/// About sixteen hours: 1 s, 2 s, 4 s … 10 min.
const ATTEMPTS: u32 = 100;
/// The longest pause.
const CAP: Duration = Duration::from_secs(600);

/// What one task publishes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Parcel {
    broker: String,
    topic: String,
    messages: Vec<Kept>,
}

/// A message as the task keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    payload: Option<Box<RawValue>>,
    /// In the place of a payload that is no JSON.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    payload_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    traceparent: Option<String>,
}

impl Parcel {
    /// Packs messages for a topic. Each gets its identity now, so that it has the same one whenever it is published.
    pub fn new(
        broker: &str,
        topic: &TopicName,
        messages: Vec<NewMessage>,
        traceparent: Option<&str>,
    ) -> Self {
        let kept = |mut message: NewMessage| {
            let id = message.identified().to_owned();
            let text = String::from_utf8(message.payload.to_vec()).ok();
            let json = text.and_then(|text| RawValue::from_string(text).ok());
            let base64 = json.is_none().then(|| BASE64_STANDARD.encode(&message.payload));
            Kept {
                id,
                payload: json,
                payload_base64: base64,
                key: message.key,
                content_type: message.content_type,
                headers: message.headers.into_iter().collect(),
                traceparent: traceparent.map(str::to_owned),
            }
        };
        let messages = messages.into_iter().map(kept).collect();
        Self { broker: broker.to_owned(), topic: topic.to_string(), messages }
    }

    /// Returns the identities of its messages.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.messages.iter().map(|message| message.id.as_str())
    }
}

impl Kept {
    fn outgoing(self, topic: &TopicName) -> Result<Outgoing, HandlerError> {
        let bad = |why: String| HandlerError::bad_data(why);
        let payload = match (self.payload, self.payload_base64) {
            (Some(json), _) => Bytes::from(json.get().to_owned()),
            (None, Some(text)) => {
                let bytes = BASE64_STANDARD.decode(text);
                bytes.map_err(|why| bad(format!("payload_base64 is no base64: {why}")))?.into()
            }
            (None, None) => Bytes::from_static(b"null"),
        };
        let message = NewMessage {
            payload,
            id: Some(self.id),
            key: self.key,
            content_type: self.content_type,
            headers: self.headers.into_iter().collect(),
        };
        let envelope = message.envelope(self.traceparent.as_deref());
        Ok(Outgoing::to_topic(topic.clone(), envelope.map_err(|why| bad(why.to_string()))?))
    }
}

/// Makes the kind, for a registry.
pub fn kind(brokers: &Brokers) -> Result<Kind, BadName> {
    let retry = RetryPolicy::exponential(Duration::from_secs(1)).cap(CAP).max_attempts(ATTEMPTS);
    let kind = Kind::new(KindName::new(KIND)?, handler(brokers.clone()));
    Ok(kind.queue(QueueName::new(QUEUE)?).retry(retry).timeout(TIMEOUT))
}

fn handler(brokers: Brokers) -> BoxHandler {
    let relay = move |Payload(parcel): Payload<Parcel>| relay(parcel, brokers.clone());
    // It names no state.
    boxed(relay, &States::default()).unwrap_or_else(|_| crate::handler::nothing())
}

async fn relay(parcel: Parcel, brokers: Brokers) -> Result<(), HandlerError> {
    let Parcel { broker: name, topic, messages } = parcel;
    let topic = TopicName::new(&topic)
        .map_err(|why| HandlerError::bad_data(format!("\"{topic}\" is no topic: it {why}")))?;
    let broker = brokers
        .get(&name)
        .ok_or_else(|| HandlerError::dependency(format!("there is no broker {name}")))?;
    let outgoing = messages.into_iter().map(|message| message.outgoing(&topic));
    let answers = broker.publish(outgoing.collect::<Result<_, _>>()?).await;
    // As long as one may still succeed, it is tried again: only what is left then is hopeless.
    let failed = answers.into_iter().filter_map(Result::err);
    match failed.min_by_key(|error| matches!(error, PublishError::TooLarge { .. })) {
        None => Ok(()),
        Some(error) => {
            // Its own words may name what only operators are to see.
            tracing::debug!(broker = name, %error, "the outbox waits for a broker");
            Err(failure(&name, &error))
        }
    }
}

fn failure(broker: &str, error: &PublishError) -> HandlerError {
    let class = match error {
        PublishError::TooLarge { .. } => FaultClass::BadData,
        PublishError::Unconfirmed { .. } | PublishError::Nacked { .. } => FaultClass::Transient,
        // Somebody may yet make the group, the rights or the connection.
        PublishError::Unroutable { .. }
        | PublishError::Unavailable { .. }
        | PublishError::Blocked { .. }
        | PublishError::Refused { .. }
        | PublishError::Closed => FaultClass::Dependency,
    };
    let message = match error {
        PublishError::Unroutable { .. } | PublishError::TooLarge { .. } => error.to_string(),
        PublishError::Unconfirmed { .. } => format!("the broker {broker} did not confirm in time"),
        PublishError::Nacked { .. } => format!("the broker {broker} did not take it"),
        PublishError::Blocked { .. } => format!("the broker {broker} takes nothing in"),
        PublishError::Unavailable { .. } | PublishError::Closed => {
            format!("the broker {broker} is unavailable")
        }
        PublishError::Refused { .. } => {
            format!("the broker {broker} refuses; its log can tell why")
        }
    };
    HandlerError::new(class, message)
}
