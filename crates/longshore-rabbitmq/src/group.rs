//! What only RabbitMQ knows of a group: its queue, its exchange, and arguments of any sort.

use lapin::types::{AMQPValue, FieldTable, ShortString};
use longshore_core::broker::Options as Raw;
use std::collections::BTreeMap;

/// The kind of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeType {
    /// By the routing key itself.
    Direct,
    /// To everybody.
    Fanout,
    /// By patterns of routing keys.
    Topic,
    /// By headers.
    Headers,
}

impl ExchangeType {
    /// Returns RabbitMQ's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
            Self::Headers => "headers",
        }
    }

    /// Returns whether routing keys do not matter.
    pub(crate) fn ignores_keys(self) -> bool {
        matches!(self, Self::Fanout | Self::Headers)
    }

    pub(crate) fn read(word: &str) -> Result<Self, String> {
        [Self::Direct, Self::Fanout, Self::Topic, Self::Headers]
            .into_iter()
            .find(|known| known.as_str() == word)
            .ok_or_else(|| {
                format!("exchange_type {word:?} must be direct, fanout, topic or headers")
            })
    }
}

/// What only RabbitMQ knows of a group. In the configuration each field is an option of the same name.
///
/// ```
/// use longshore_rabbitmq::{ExchangeType, GroupOptions};
///
/// let options = GroupOptions::default().exchange("shop", Some(ExchangeType::Headers)).matching("region", "eu");
/// let raw = options.raw();
/// assert_eq!(raw["match.region"], "eu");
/// assert_eq!(GroupOptions::read(&raw), Ok(options));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupOptions {
    /// `exchange`: of patterns that name none, instead of the broker's.
    pub exchange: Option<String>,
    /// `exchange_type`: the exchange is declared, durable. Without it, it has to be there.
    pub exchange_type: Option<ExchangeType>,
    /// `queue`: its name, if it is not the group's.
    pub queue: Option<String>,
    /// `queue_type: classic`, for a queue on one node that is faster and less safe. Default: `quorum`.
    pub is_classic: bool,
    /// `arguments.x-…`: arguments of the queue, in the place of ours. Whole numbers and `true`/`false` are sent as such.
    pub arguments: BTreeMap<String, String>,
    /// `match.HEADER`: what a headers exchange compares.
    pub matching: BTreeMap<String, String>,
    /// `match: any`: one header that fits is enough. Default: `all`.
    pub match_any: bool,
}

/// Options without a dot.
const KNOWN: [&str; 5] = ["exchange", "exchange_type", "queue", "queue_type", "match"];

impl GroupOptions {
    /// Sets the exchange of patterns that name none, and its type if it is to be declared.
    #[must_use]
    pub fn exchange(mut self, name: &str, kind: Option<ExchangeType>) -> Self {
        (self.exchange, self.exchange_type) = (Some(name.to_owned()), kind);
        self
    }

    /// Sets the queue's name.
    #[must_use]
    pub fn queue(mut self, name: &str) -> Self {
        self.queue = Some(name.to_owned());
        self
    }

    /// Makes a classic queue of it.
    #[must_use]
    pub fn classic(mut self) -> Self {
        self.is_classic = true;
        self
    }

    /// Adds an argument of the queue, `x-max-length` for example.
    #[must_use]
    pub fn argument(mut self, name: &str, value: impl ToString) -> Self {
        self.arguments.insert(name.to_owned(), value.to_string());
        self
    }

    /// Adds a header that a headers exchange compares.
    #[must_use]
    pub fn matching(mut self, header: &str, value: &str) -> Self {
        self.matching.insert(header.to_owned(), value.to_owned());
        self
    }

    /// Returns them as they are written in the configuration.
    pub fn raw(&self) -> Raw {
        let mut raw = Raw::new();
        let mut set = |name: String, value: &str| raw.insert(name, value.to_owned());
        for (name, value) in [("exchange", &self.exchange), ("queue", &self.queue)] {
            value.iter().for_each(|value| drop(set(name.to_owned(), value)));
        }
        if let Some(kind) = self.exchange_type {
            set("exchange_type".to_owned(), kind.as_str());
        }
        if self.is_classic {
            set("queue_type".to_owned(), "classic");
        }
        if self.match_any {
            set("match".to_owned(), "any");
        }
        self.arguments
            .iter()
            .for_each(|(name, value)| drop(set(format!("arguments.{name}"), value)));
        self.matching.iter().for_each(|(name, value)| drop(set(format!("match.{name}"), value)));
        raw
    }

    /// Reads them from the configuration; tells what is unknown or makes no sense.
    pub fn read(raw: &Raw) -> Result<Self, String> {
        let mut read = Self::default();
        for (name, value) in raw {
            let text = || Some(value.clone());
            match (name.as_str(), value.as_str()) {
                ("exchange" | "queue", value) if !(1..=255).contains(&value.len()) => {
                    return Err(format!("{name} must have 1 to 255 characters"));
                }
                ("exchange", _) => read.exchange = text(),
                ("queue", _) => read.queue = text(),
                ("exchange_type", word) => read.exchange_type = Some(ExchangeType::read(word)?),
                ("queue_type", "quorum") => read.is_classic = false,
                ("queue_type", "classic") => read.is_classic = true,
                ("queue_type", word) => {
                    return Err(format!("queue_type {word:?} must be quorum or classic"));
                }
                ("match", "all") => read.match_any = false,
                ("match", "any") => read.match_any = true,
                ("match", word) => return Err(format!("match {word:?} must be all or any")),
                (name, _) => match name.split_once('.') {
                    Some(("arguments", argument)) if argument.starts_with("x-") => {
                        read.arguments.insert(argument.to_owned(), value.clone());
                    }
                    Some(("match", header)) if !header.is_empty() => {
                        read.matching.insert(header.to_owned(), value.clone());
                    }
                    _ => return Err(unknown(name)),
                },
            }
        }
        if read.exchange_type.is_some() && read.exchange.is_none() {
            return Err("exchange_type needs an exchange".to_owned());
        }
        Ok(read)
    }

    /// Returns the raw arguments as the protocol has them.
    pub(crate) fn add_arguments(&self, table: &mut FieldTable) {
        for (name, text) in &self.arguments {
            set(table, name, value_of(text));
        }
    }

    /// Returns what a binding to a headers exchange compares; nothing on others.
    pub(crate) fn bound_by(&self) -> FieldTable {
        let mut table = FieldTable::default();
        if !self.matching.is_empty() {
            let how = if self.match_any { "any" } else { "all" };
            set(&mut table, "x-match", AMQPValue::LongString(how.into()));
        }
        for (header, text) in &self.matching {
            set(&mut table, header, AMQPValue::LongString(text.as_str().into()));
        }
        table
    }
}

/// Sets a value; a name that is too long for the protocol cannot be meant.
pub(crate) fn set(table: &mut FieldTable, name: &str, value: AMQPValue) {
    if let Ok(name) = ShortString::try_new(name) {
        table.insert(name, value);
    }
}

fn value_of(text: &str) -> AMQPValue {
    match text {
        "true" => AMQPValue::Boolean(true),
        "false" => AMQPValue::Boolean(false),
        _ => match text.parse() {
            Ok(number) => AMQPValue::LongLongInt(number),
            Err(_) => AMQPValue::LongString(text.into()),
        },
    }
}

fn unknown(name: &str) -> String {
    let near = |known: &&&str| strsim::jaro_winkler(name, known) > 0.7;
    let nearest = KNOWN
        .iter()
        .filter(near)
        .max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
    match nearest {
        Some(nearest) => format!("{name} is no option of RabbitMQ; did you mean {nearest}?"),
        None => format!(
            "{name} is no option of RabbitMQ; possible are {}, arguments.x-… and match.HEADER",
            KNOWN.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<GroupOptions, String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        GroupOptions::read(&pairs.iter().map(own).collect())
    }

    #[test]
    fn arguments_are_numbers_words_and_truths() {
        let options =
            read(&[("arguments.x-max-length", "10"), ("arguments.x-overflow", "drop-head")]);
        let mut table = FieldTable::default();
        options.unwrap().add_arguments(&mut table);
        assert_eq!(table.inner().get("x-max-length"), Some(&AMQPValue::LongLongInt(10)));
        let overflow = AMQPValue::LongString("drop-head".into());
        assert_eq!(table.inner().get("x-overflow"), Some(&overflow));
        assert_eq!(value_of("true"), AMQPValue::Boolean(true));
    }

    #[test]
    fn what_is_unknown_is_told_with_the_nearest() {
        assert!(read(&[("exchnage", "x")]).unwrap_err().contains("did you mean exchange?"));
        assert!(read(&[("colour", "red")]).unwrap_err().contains("possible are"));
        for pairs in [
            [("queue_type", "stream")],
            [("exchange_type", "fanout")],
            [("match", "some")],
            [("queue", "")],
            [("arguments.max", "1")],
        ] {
            assert!(read(&pairs).is_err(), "{pairs:?}");
        }
    }
}
