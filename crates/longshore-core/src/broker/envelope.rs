//! What travels: a payload and its headers.

use bytes::Bytes;
use std::sync::Arc;

/// Names of headers that Longshore gives a meaning. They are the same on every broker.
pub mod header {
    /// The identity of the message.
    pub const ID: &str = "ls-id";
    /// What it is about.
    pub const KIND: &str = "ls-kind";
    /// The number of the attempt that comes next, from 1: handlers' failures, not deaths.
    pub const ATTEMPT: &str = "ls-attempt";
    /// When it was first published (RFC 3339).
    pub const CREATED: &str = "ls-created";
    /// Messages of one key are in order.
    pub const ORDER_KEY: &str = "ls-order-key";
    /// Whose it is.
    pub const TENANT: &str = "ls-tenant";
    /// The media type of the payload.
    pub const CONTENT_TYPE: &str = "content-type";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";
    /// W3C trace context of vendors.
    pub const TRACESTATE: &str = "tracestate";
    /// W3C baggage.
    pub const BAGGAGE: &str = "baggage";
    /// Of a dead letter: why it is one, in a sentence.
    pub const DEAD_REASON: &str = "ls-dead-reason";
    /// Of a dead letter: the class of its last failure.
    pub const DEAD_CLASS: &str = "ls-dead-class";
    /// Of a dead letter: when it became one (RFC 3339).
    pub const DEAD_AT: &str = "ls-dead-at";
    /// Of a dead letter or a later attempt: the topic to which it was published first.
    pub const ORIGIN_TOPIC: &str = "ls-origin-topic";
    /// Of a dead letter: the group whose letter it is.
    pub const ORIGIN_GROUP: &str = "ls-origin-group";
}

/// Longest name of a header in bytes.
const MAX_NAME: usize = 128;
/// Longest value of a header in bytes.
const MAX_VALUE: usize = 8 * 1024;
/// Most headers that users may set.
const MAX_HEADERS: usize = 32;
/// Names beginning so are not the users' to set.
const RESERVED: [&str; 3] = ["ls-", "nats-", "x-"];
/// These neither: they steer the broker.
const STEERING: [&str; 4] = ["reply-to", "expiration", "cc", "bcc"];

/// A header that may not be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// The name is empty, too long, or has characters beyond `!`..`~`.
    #[error("the header {name:?} is no name: 1 to 128 characters from ! to ~")]
    Name {
        /// The name.
        name: String,
    },
    /// The value is too long, or has CR, LF or NUL.
    #[error("the header {name} has a value with CR, LF or NUL, or of more than 8 KiB")]
    Value {
        /// The name.
        name: String,
    },
    /// The name belongs to Longshore, or steers the broker.
    #[error("the header {name} is reserved (ls-, nats-, x-, reply-to, expiration, cc, bcc)")]
    Reserved {
        /// The name.
        name: String,
    },
    /// There are too many.
    #[error("there are {count} headers; at most 32 are possible")]
    TooMany {
        /// How many.
        count: usize,
    },
}

/// Pairs of names and values, in the order they were set. Names are compared without regard to case.
///
/// Cloning is cheap: a clone has pairs of its own from its first change on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(Arc<Vec<(String, String)>>);

impl Headers {
    /// Returns the value of a header.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Sets a header, in the place of an earlier one of that name.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        let pairs = Arc::make_mut(&mut self.0);
        match pairs.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            Some(pair) => pair.1 = value,
            None => pairs.push((name, value)),
        }
    }

    /// Removes a header.
    pub fn remove(&mut self, name: &str) {
        Arc::make_mut(&mut self.0).retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// Returns all of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes what a user wants to send along, unless some of it is not his to set.
    pub fn of_user<'p>(
        pairs: impl IntoIterator<Item = (&'p str, &'p str)>,
    ) -> Result<Self, BadHeader> {
        let mut headers = Self::default();
        for (name, value) in pairs {
            let bad = |make: fn(String) -> BadHeader| Err(make(name.to_owned()));
            let is_graphic = name.bytes().all(|byte| byte.is_ascii_graphic());
            if name.is_empty() || name.len() > MAX_NAME || !is_graphic {
                return bad(|name| BadHeader::Name { name });
            }
            let lower = name.to_ascii_lowercase();
            let is_reserved = RESERVED.iter().any(|start| lower.starts_with(start));
            if is_reserved || STEERING.contains(&lower.as_str()) {
                return bad(|name| BadHeader::Reserved { name });
            }
            if value.len() > MAX_VALUE || value.contains(['\r', '\n', '\0']) {
                return bad(|name| BadHeader::Value { name });
            }
            headers.set(name, value);
        }
        match headers.len() {
            0..=MAX_HEADERS => Ok(headers),
            count => Err(BadHeader::TooMany { count }),
        }
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::default();
        pairs.into_iter().for_each(|(name, value)| headers.set(name, value));
        headers
    }
}

/// Headers and a payload of any bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// What is said of the payload.
    pub headers: Headers,
    /// Passed on untouched.
    pub payload: Bytes,
}

impl Envelope {
    /// Makes an envelope without headers.
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Self { headers: Headers::default(), payload: payload.into() }
    }

    /// Sets a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.set(name, value);
        self
    }

    /// Returns the number of the attempt that this hand-out is for: 1 if nothing is said.
    pub fn attempt(&self) -> u32 {
        let said = self.headers.get(header::ATTEMPT).and_then(|text| text.parse().ok());
        said.filter(|attempt| *attempt > 0).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_whatever_its_case_and_set_once() {
        let mut headers: Headers =
            [("Content-Type", "text/plain"), ("a", "1")].into_iter().collect();
        assert_eq!(headers.get("content-type"), Some("text/plain"));
        headers.set("content-type", "application/json");
        assert_eq!(headers.iter().count(), 2);
        headers.remove("A");
        assert_eq!(headers.get("a"), None);
    }

    #[test]
    fn users_cannot_set_what_is_not_theirs() {
        for name in
            ["ls-id", "LS-anything", "Nats-Msg-Id", "x-delay", "Reply-To", "BCC", "expiration"]
        {
            let refused = Headers::of_user([(name, "v")]);
            assert_eq!(refused, Err(BadHeader::Reserved { name: name.to_owned() }));
        }
        for name in ["", "a b", "ä", "a\n"] {
            assert!(
                matches!(Headers::of_user([(name, "v")]), Err(BadHeader::Name { .. })),
                "{name:?}"
            );
        }
        for value in ["a\rb", "a\nb", "a\0b", &"x".repeat(8 * 1024 + 1)] {
            assert!(matches!(Headers::of_user([("n", value)]), Err(BadHeader::Value { .. })));
        }
        let names: Vec<String> = (0..33).map(|n| format!("h{n}")).collect();
        let many = names.iter().map(|name| (name.as_str(), ""));
        assert_eq!(Headers::of_user(many), Err(BadHeader::TooMany { count: 33 }));
        assert!(Headers::of_user([("traceparent", "00-0-0-0"), ("region", "eu")]).is_ok());
    }

    #[test]
    fn an_attempt_that_makes_no_sense_is_the_first() {
        for said in ["", "0", "-1", "many"] {
            assert_eq!(Envelope::new("").with(header::ATTEMPT, said).attempt(), 1, "{said}");
        }
        assert_eq!(Envelope::new("").with(header::ATTEMPT, "3").attempt(), 3);
    }
}
