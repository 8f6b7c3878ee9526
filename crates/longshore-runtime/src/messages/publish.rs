//! Messages that are published from here.

use crate::telemetry::Telemetry;
use bytes::Bytes;
use longshore_core::broker::{
    BadHeader, Broker, Envelope, Headers, Outgoing, PublishError, Receipt, TopicName, header,
};
use longshore_core::{Clock, SystemClock, TaskId};
use std::time::Instant;

/// Longest identity and longest key in bytes.
const MAX_NAME: usize = 128;

/// A message that is to be published.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewMessage {
    /// What is sent, byte for byte.
    pub payload: Bytes,
    /// Identifies it among all: who gets two of one identity has a duplicate. Default: a new UUID.
    pub id: Option<String>,
    /// Messages of one key are in order, where the broker keeps any. Default: none.
    pub key: Option<String>,
    /// The media type of the payload. Default: none is said.
    pub content_type: Option<String>,
    /// What travels besides.
    pub headers: Vec<(String, String)>,
}

/// What is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct BadMessage {
    /// The field that it is about.
    pub field: &'static str,
    /// What is wrong, a lower-case fragment about the field.
    pub message: String,
}

fn bad(field: &'static str, message: impl Into<String>) -> BadMessage {
    BadMessage { field, message: message.into() }
}

impl NewMessage {
    /// Makes a message of that payload.
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Self { payload: payload.into(), ..Self::default() }
    }

    /// Returns its identity: the one that was given, or one that is made now.
    pub fn identified(&mut self) -> &str {
        self.id.get_or_insert_with(|| TaskId::fresh().to_string())
    }

    /// Makes the envelope, unless something of it is not the sender's to say. `traceparent` is the sender's trace.
    pub fn envelope(mut self, traceparent: Option<&str>) -> Result<Envelope, BadMessage> {
        let pairs = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut headers =
            Headers::of_user(pairs).map_err(|why: BadHeader| bad("headers", why.to_string()))?;
        if headers.get(header::CONTENT_TYPE).is_some() {
            return Err(bad("headers", "has a content-type; say it as `content_type`"));
        }
        let id = self.identified().to_owned();
        let own = [
            ("id", header::ID, Some(id)),
            ("key", header::ORDER_KEY, self.key),
            ("content_type", header::CONTENT_TYPE, self.content_type),
        ];
        for (field, name, value) in own {
            let Some(value) = value else { continue };
            let fits = (1..=MAX_NAME).contains(&value.len()) && !value.contains(char::is_control);
            if !fits {
                let why = format!("must have 1..{MAX_NAME} bytes and no control characters");
                return Err(bad(field, why));
            }
            headers.set(name, value);
        }
        headers.set(header::CREATED, SystemClock.now().to_string());
        if let (None, Some(parent)) = (headers.get(header::TRACEPARENT), traceparent) {
            headers.set(header::TRACEPARENT, parent);
        }
        Ok(Envelope { headers, payload: self.payload })
    }
}

/// Publishes to a topic, and counts what became of it.
pub async fn publish(
    (name, broker): (&str, &dyn Broker),
    topic: &TopicName,
    envelopes: Vec<Envelope>,
    telemetry: &Telemetry,
) -> Vec<Result<Receipt, PublishError>> {
    let began = Instant::now();
    let to = |envelope| Outgoing::to_topic(topic.clone(), envelope);
    let answers = broker.publish(envelopes.into_iter().map(to).collect()).await;
    telemetry.publishing(name, began.elapsed());
    for answer in &answers {
        telemetry.published(name, answer.as_ref().map_or_else(word, |_| "confirmed"));
    }
    answers
}

/// Returns the word for an error, for metrics.
fn word(error: &PublishError) -> &'static str {
    match error {
        PublishError::Unroutable { .. } => "unroutable",
        PublishError::Unconfirmed { .. } => "unconfirmed",
        PublishError::Unavailable { .. } => "unavailable",
        PublishError::Blocked { .. } => "blocked",
        PublishError::Nacked { .. } => "nacked",
        PublishError::TooLarge { .. } => "too_large",
        PublishError::Refused { .. } => "refused",
        PublishError::Closed => "closed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_says_what_the_sender_said_and_what_is_ours() {
        let message = NewMessage {
            id: Some("m1".into()),
            key: Some("customer 7".into()),
            content_type: Some("application/json".into()),
            headers: vec![("region".into(), "eu".into())],
            ..NewMessage::new("{}")
        };
        let envelope = message.envelope(Some("00-a-b-01")).unwrap();
        let said = |name| envelope.headers.get(name);
        assert_eq!((said(header::ID), said(header::ORDER_KEY)), (Some("m1"), Some("customer 7")));
        assert_eq!((said("region"), said(header::TRACEPARENT)), (Some("eu"), Some("00-a-b-01")));
        assert!(said(header::CREATED).is_some() && said(header::ATTEMPT).is_none());
    }

    #[test]
    fn what_is_not_the_senders_to_say_is_refused_by_field() {
        let with = |name: &str| NewMessage {
            headers: vec![(name.into(), "x".into())],
            ..NewMessage::new("")
        };
        for (message, field) in [
            (with("ls-id"), "headers"),
            (with("content-type"), "headers"),
            (NewMessage { id: Some(String::new()), ..NewMessage::new("") }, "id"),
            (NewMessage { key: Some("a\nb".into()), ..NewMessage::new("") }, "key"),
        ] {
            assert_eq!(message.envelope(None).unwrap_err().field, field);
        }
    }
}
