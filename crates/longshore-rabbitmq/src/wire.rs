//! Envelopes as AMQP messages, and messages of anybody as envelopes.

use crate::group::set;
use crate::ladder::LEFT;
use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use longshore_core::broker::{Envelope, Headers, header};

/// The properties of a request and its reply, as headers.
pub(crate) const REPLY_TO: &str = "reply-to";
/// See [`REPLY_TO`].
pub(crate) const CORRELATION_ID: &str = "correlation-id";
const CONTENT_ENCODING: &str = "content-encoding";

/// What RabbitMQ itself writes about a message's way; of no use to the next.
const OF_THE_BROKER: [&str; 6] = [
    "x-death",
    "x-first-death-",
    "x-last-death-",
    "x-delivery-count",
    "x-acquired-count",
    "x-opt-",
];
/// They would send copies elsewhere.
const STEERING: [&str; 2] = ["cc", "bcc"];
/// On disk before it is confirmed.
const PERSISTENT: u8 = 2;
/// All headers have to fit into one frame, and RabbitMQ's are of 128 KiB.
pub(crate) const MOST_HEADERS: usize = 120 * 1024;

/// A message on its way out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) properties: BasicProperties,
    pub(crate) payload: Bytes,
    /// Size of all its headers, about.
    pub(crate) headers: usize,
}

impl Message {
    /// Writes an envelope.
    pub(crate) fn of(envelope: Envelope) -> Self {
        let mut properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let mut table = FieldTable::default();
        let mut size = 0;
        for (name, value) in envelope.headers.iter() {
            size += name.len() + value.len() + 8;
            let lower = name.to_ascii_lowercase();
            let property = ShortString::try_new(value).ok();
            properties = match (lower.as_str(), property) {
                (header::CONTENT_TYPE, Some(text)) => properties.with_content_type(text),
                (CONTENT_ENCODING, Some(text)) => properties.with_content_encoding(text),
                (REPLY_TO, Some(text)) => properties.with_reply_to(text),
                (CORRELATION_ID, Some(text)) => properties.with_correlation_id(text),
                (lower, _) if STEERING.contains(&lower) => properties,
                (lower, property) => {
                    set(&mut table, name, AMQPValue::LongString(value.into()));
                    match property {
                        Some(id) if lower == header::ID => properties.with_message_id(id),
                        _ => properties,
                    }
                }
            };
        }
        let properties = properties.with_headers(table);
        Self { properties, payload: envelope.payload, headers: size }
    }

    /// Says what is left of a long pause.
    pub(crate) fn set_left(&mut self, millis: u128) {
        let mut table = self.properties.headers().clone().unwrap_or_default();
        set(&mut table, LEFT, AMQPValue::LongString(millis.to_string().into()));
        self.properties = self.properties.clone().with_headers(table);
    }
}

/// A message as it came in.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) envelope: Envelope,
    pub(crate) message_id: Option<String>,
    /// How often it was handed out before, as the broker counts.
    pub(crate) delivery_count: Option<u32>,
    /// What is left of its pause, in milliseconds.
    pub(crate) left: Option<u64>,
}

impl Received {
    /// Reads what anybody has published.
    pub(crate) fn of(properties: &BasicProperties, payload: Vec<u8>) -> Self {
        let mut headers = Headers::default();
        let (mut delivery_count, mut left) = (None, None);
        let own = |text: &Option<ShortString>| text.as_ref().map(|text| text.as_str().to_owned());
        for (name, value) in properties.headers().iter().flatten() {
            let name = name.as_str();
            match name {
                "x-delivery-count" => delivery_count = text(value).parse().ok(),
                LEFT => left = text(value).parse().ok(),
                name if OF_THE_BROKER.iter().any(|start| name.starts_with(start)) => {}
                name => headers.set(name, text(value)),
            }
        }
        for (name, property) in [
            (header::CONTENT_TYPE, properties.content_type()),
            (CONTENT_ENCODING, properties.content_encoding()),
            (REPLY_TO, properties.reply_to()),
            (CORRELATION_ID, properties.correlation_id()),
        ] {
            own(property).into_iter().for_each(|value| headers.set(name, value));
        }
        let envelope = Envelope { headers, payload: payload.into() };
        Self { envelope, message_id: own(properties.message_id()), delivery_count, left }
    }
}

/// Renders a header's value as text.
fn text(value: &AMQPValue) -> String {
    match value {
        AMQPValue::LongString(text) => text.to_string(),
        AMQPValue::ShortString(text) => text.as_str().to_owned(),
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortShortInt(value) => value.to_string(),
        AMQPValue::ShortShortUInt(value) => value.to_string(),
        AMQPValue::ShortInt(value) => value.to_string(),
        AMQPValue::ShortUInt(value) => value.to_string(),
        AMQPValue::LongInt(value) => value.to_string(),
        AMQPValue::LongUInt(value) => value.to_string(),
        AMQPValue::LongLongInt(value) => value.to_string(),
        AMQPValue::Float(value) => value.to_string(),
        AMQPValue::Double(value) => value.to_string(),
        AMQPValue::DecimalValue(value) => {
            (f64::from(value.value) / 10f64.powi(i32::from(value.scale))).to_string()
        }
        AMQPValue::Timestamp(seconds) => seconds.to_string(),
        AMQPValue::ByteArray(bytes) => String::from_utf8_lossy(bytes.as_slice()).into_owned(),
        AMQPValue::Void => String::new(),
        AMQPValue::FieldArray(values) => {
            let values: Vec<_> = values.as_slice().iter().map(text).collect();
            format!("[{}]", values.join(", "))
        }
        AMQPValue::FieldTable(table) => {
            let pairs: Vec<_> =
                table.into_iter().map(|(name, value)| format!("{name}: {}", text(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_arrives_as_it_was_sent() {
        let envelope = Envelope::new(vec![0, 159, 146, 150])
            .with(header::ID, "m1")
            .with(header::CONTENT_TYPE, "application/json")
            .with("region", "eu\u{e4}");
        let message = Message::of(envelope.clone());
        assert_eq!(message.properties.message_id().as_ref().map(ShortString::as_str), Some("m1"));
        assert_eq!(*message.properties.delivery_mode(), Some(PERSISTENT));
        let received = Received::of(&message.properties, message.payload.to_vec());
        let sorted = |envelope: &Envelope| {
            let mut pairs: Vec<_> =
                envelope.headers.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            pairs.sort();
            pairs
        };
        assert_eq!(sorted(&received.envelope), sorted(&envelope));
        assert_eq!(received.envelope.payload, envelope.payload);
        assert_eq!(received.message_id.as_deref(), Some("m1"));
    }

    #[test]
    fn a_message_of_somebody_else_is_readable() {
        let mut table = FieldTable::default();
        set(&mut table, "count", AMQPValue::LongInt(-7));
        set(&mut table, "vip", AMQPValue::Boolean(true));
        let list = vec![AMQPValue::LongString("a".into()), AMQPValue::Double(0.5)];
        set(&mut table, "list", AMQPValue::FieldArray(list.into()));
        set(&mut table, "x-delivery-count", AMQPValue::LongLongInt(3));
        set(&mut table, "x-first-death-queue", AMQPValue::LongString("q".into()));
        let properties = BasicProperties::default()
            .with_headers(table)
            .with_reply_to("answers".into())
            .with_correlation_id("c1".into());
        let received = Received::of(&properties, Vec::new());
        let get = |name| received.envelope.headers.get(name);
        assert_eq!(
            (get("count"), get("vip"), get("list")),
            (Some("-7"), Some("true"), Some("[a, 0.5]"))
        );
        assert_eq!((get(REPLY_TO), get(CORRELATION_ID)), (Some("answers"), Some("c1")));
        assert_eq!(received.delivery_count, Some(3));
        assert_eq!(received.envelope.headers.len(), 5);
    }

    #[test]
    fn what_steers_the_broker_is_not_sent_on() {
        let message = Message::of(Envelope::new("x").with("CC", "[elsewhere]"));
        assert!(
            message.properties.headers().as_ref().is_some_and(|table| table.inner().is_empty())
        );
    }
}
