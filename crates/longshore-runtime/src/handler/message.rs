//! What handlers of consumers may ask of the message that they are called for.

use super::Call;
use super::extract::{FromCall, MissingState, States};
use bytes::Bytes;
use longshore_core::broker::{Delivery, GroupName, Headers, Origin, TopicName};
use longshore_core::{Fault, Payload};
use serde::de::value::{Error as Misfit, SeqDeserializer, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use std::fmt;
use std::sync::Arc;

/// How payloads of messages are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Decode {
    /// As JSON.
    #[default]
    Json,
    /// As text in UTF-8.
    Text,
    /// Not at all.
    Bytes,
}

impl Decode {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Bytes => "bytes",
        }
    }

    /// Returns the media type of what says nothing of itself.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
            Self::Bytes => "application/octet-stream",
        }
    }

    /// Judges a payload.
    pub(crate) fn check(self, payload: &[u8]) -> Result<(), Fault> {
        match self {
            Self::Bytes => Ok(()),
            Self::Text => std::str::from_utf8(payload)
                .map(drop)
                .map_err(|why| Fault::bad_data(format!("the payload is not UTF-8: {why}"))),
            Self::Json => serde_json::from_slice::<serde::de::IgnoredAny>(payload)
                .map(drop)
                .map_err(|why| Fault::bad_data(format!("the payload is not JSON: {why}"))),
        }
    }
}

/// The message of a call: what was sent, and where it comes from. Cloning gives another handle.
#[derive(Clone)]
pub struct Message(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) headers: Headers,
    pub(crate) payload: Bytes,
    pub(crate) origin: Origin,
    pub(crate) identity: Option<String>,
    pub(crate) redelivered: bool,
    pub(crate) hand_out: Option<u32>,
    pub(crate) consumer: Arc<str>,
    pub(crate) broker: Arc<str>,
    pub(crate) decode: Decode,
    pub(crate) parameters: Arc<serde_json::Value>,
}

impl Message {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Takes what is known of a delivery; the rest is its consumer's.
    pub(crate) fn of(
        delivery: &Delivery,
        (consumer, broker): (Arc<str>, Arc<str>),
        decode: Decode,
        parameters: Arc<serde_json::Value>,
    ) -> Self {
        Self::new(Inner {
            headers: delivery.envelope.headers.clone(),
            payload: delivery.envelope.payload.clone(),
            origin: delivery.origin.clone(),
            identity: delivery.identity().map(str::to_owned),
            redelivered: delivery.redelivered,
            hand_out: delivery.hand_out,
            consumer,
            broker,
            decode,
            parameters,
        })
    }

    /// Returns the topic to which it was published first; nothing if it was sent to the group itself.
    pub fn topic(&self) -> Option<&TopicName> {
        self.0.origin.topic.as_ref()
    }

    /// Returns the group that got it; nothing for a broadcast.
    pub fn group(&self) -> Option<&GroupName> {
        self.0.origin.group.as_ref()
    }

    /// Returns all headers.
    pub fn headers(&self) -> &Headers {
        &self.0.headers
    }

    /// Returns the value of a header, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers.get(name)
    }

    /// Returns the payload as it was sent.
    pub fn payload(&self) -> &Bytes {
        &self.0.payload
    }

    /// Returns what identifies the message at each hand-out. With nothing, nobody can tell a duplicate.
    pub fn identity(&self) -> Option<&str> {
        self.0.identity.as_deref()
    }

    /// Returns its place in the broker, if places have names.
    pub fn position(&self) -> Option<&str> {
        self.0.origin.position.as_deref()
    }

    /// Returns whether it was handed out before and not settled.
    pub fn is_redelivered(&self) -> bool {
        self.0.redelivered
    }

    /// Returns which hand-out it is as the broker counts, if it does.
    pub fn hand_out(&self) -> Option<u32> {
        self.0.hand_out
    }

    /// Returns the consumer's name.
    pub fn consumer(&self) -> &str {
        &self.0.consumer
    }

    /// Returns the broker's name.
    pub fn broker(&self) -> &str {
        &self.0.broker
    }

    /// Returns what the consumer's `parameters` say; `null` if there are none.
    pub fn parameters(&self) -> &serde_json::Value {
        &self.0.parameters
    }

    /// Returns the media type of the payload: its own, else what the consumer takes it for.
    pub(crate) fn content_type(&self) -> &str {
        let said = self.header(longshore_core::broker::header::CONTENT_TYPE);
        said.unwrap_or(self.0.decode.media_type())
    }

    /// Reads the payload as the consumer says.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Unfit> {
        let payload = &self.0.payload[..];
        match self.0.decode {
            Decode::Json => serde_json::from_slice(payload).map_err(|why| Unfit(why.to_string())),
            Decode::Text => {
                let text = std::str::from_utf8(payload).map_err(|why| Unfit(why.to_string()))?;
                let text: StrDeserializer<'_, Misfit> = text.into_deserializer();
                T::deserialize(text).map_err(|why| Unfit(why.to_string()))
            }
            Decode::Bytes => {
                let bytes: SeqDeserializer<_, Misfit> =
                    SeqDeserializer::new(payload.iter().copied());
                T::deserialize(bytes).map_err(|why| Unfit(why.to_string()))
            }
        }
    }

    pub(super) fn as_json(&self) -> Result<Payload, Fault> {
        let text = || std::str::from_utf8(&self.0.payload);
        match self.0.decode {
            Decode::Json => Payload::from_bytes(self.0.payload.clone())
                .map_err(|why| Fault::bad_data(format!("the payload is not UTF-8: {why}"))),
            Decode::Text => {
                let text = text().unwrap_or_default(); // it was judged before
                Ok(Payload::from_json(serde_json::Value::from(text).to_string()))
            }
            Decode::Bytes => {
                let why = "this consumer takes bytes, which are no JSON: name a `Message` instead";
                Err(Fault::bad_data(why).fatal())
            }
        }
    }
}

/// Why a payload cannot be read as what a handler wants.
pub(super) struct Unfit(String);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Message {
    /// Payload and headers stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("identity", &self.identity())
            .field("topic", &self.topic())
            .field("bytes", &self.0.payload.len())
            .finish_non_exhaustive()
    }
}

/// Only consumers call handlers with one; a handler of tasks that names it is refused at start-up.
impl FromCall for Message {
    fn check(states: &States) -> Result<(), MissingState> {
        states.needs_messages("`Message`")
    }

    fn from_call(call: &Call, _: &States) -> Result<Self, Fault> {
        call.message.clone().ok_or_else(|| Fault::transient("this is a task, not a message"))
    }
}

/// The payload of a message, as it was sent.
impl FromCall for Bytes {
    fn check(states: &States) -> Result<(), MissingState> {
        states.needs_messages("`Bytes`")
    }

    fn from_call(call: &Call, states: &States) -> Result<Self, Fault> {
        Message::from_call(call, states).map(|message| message.payload().clone())
    }
}

/// What the consumer's `parameters` say, read as `T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned> FromCall for Parameters<T> {
    fn check(states: &States) -> Result<(), MissingState> {
        states.needs_messages("`Parameters`")
    }

    fn from_call(call: &Call, states: &States) -> Result<Self, Fault> {
        let message = Message::from_call(call, states)?;
        // The message is not to blame: another setting may make it work.
        T::deserialize(message.parameters())
            .map(Self)
            .map_err(|why| Fault::transient(format!("the consumer's parameters do not fit: {why}")))
    }
}
