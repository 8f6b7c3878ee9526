//! The forms of single values: what is accepted, and how it is shown, described and constrained.

use super::measure::Size;
use super::node::Value;
use super::secret::{Address, Secret, is_variable};
use longshore_core::Span;
use longshore_core::broker::{GroupName, Pattern};
use longshore_core::name::{KindName, QueueName};
use longshore_core::queue::Rate;
use longshore_core::schedule::{Cron, LONGEST, Timing};
use reqwest::header::HeaderValue;
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What a single value must be. Spans are in milliseconds, sizes in bytes, both ends included.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Span { min: u64, max: u64 },
    Size { min: u64, max: u64 },
    Whole { min: u64, max: u64 },
    Number { min: f64, max: f64 },
    Choice(&'static [&'static str]),
    Text { max: usize },
    Argument,
    Plain,
    Variable,
    Flag,
    Listen,
    Store,
    Broker,
    Url,
    Path,
    File,
    Secret,
    Queue,
    Kind,
    Topic,
    Group,
    Rate,
    Status,
    Cron,
    Zone,
    Json,
}

/// What the names of a block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    Queue,
    Kind,
    Header,
    Schedule,
    Broker,
    Consumer,
    Option,
}

/// A value that was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Leaf {
    Span(Span),
    Size(Size),
    Whole(u64),
    Number(f64),
    Text(String),
    Address(Address),
    Flag(bool),
    Listen(SocketAddr),
    Path(PathBuf),
    File(PathBuf),
    Secret(Secret),
    Rate(Rate),
    Json(serde_json::Value),
}

impl Leaf {
    /// Returns it as JSON, secrets masked.
    pub(super) fn json(&self) -> serde_json::Value {
        match self {
            Self::Span(span) => json!(span),
            Self::Size(size) => json!(size.to_string()),
            Self::Whole(number) => json!(number),
            Self::Number(number) => json!(number),
            Self::Text(text) => json!(text),
            Self::Address(address) => json!(address.to_string()),
            Self::Flag(flag) => json!(flag),
            Self::Listen(addr) => json!(addr.to_string()),
            Self::File(path) => json!(format!("file:{}", path.display())),
            Self::Path(path) => json!(path.display().to_string()),
            Self::Secret(secret) => json!(secret),
            Self::Rate(rate) => json!(rate.to_string()),
            Self::Json(value) => value.clone(),
        }
    }
}

impl Form {
    /// Reads what needs nothing but itself; the forms that need more (variables, folders, files)
    /// come here with their text filled in.
    pub(super) fn read(self, value: &Value) -> Result<Leaf, String> {
        let wanted = || format!("must be {}, not {}", self.noun(), self.given(value));
        match self {
            Self::Span { min, max } => {
                let span = span(value).ok_or_else(wanted)?;
                within(span, millis(min), millis(max)).map(Leaf::Span)
            }
            Self::Size { min, max } => {
                let size = size(value).ok_or_else(wanted)?;
                within(size, Size(min), Size(max)).map(Leaf::Size)
            }
            Self::Whole { min, max } => {
                let number = whole(value).ok_or_else(wanted)?;
                within(number, i128::from(min), i128::from(max))?;
                u64::try_from(number).map(Leaf::Whole).map_err(|_| wanted())
            }
            Self::Number { min, max } => {
                let number = number(value).ok_or_else(wanted)?;
                within(number, min, max).map(Leaf::Number)
            }
            Self::Choice(words) => {
                let word = text(value).ok_or_else(wanted)?;
                let known = words.contains(&word);
                if known { Ok(Leaf::Text(word.to_owned())) } else { Err(not_one_of(word, words)) }
            }
            Self::Text { max } => {
                let text = text(value).ok_or_else(wanted)?;
                if text.is_empty() || text.chars().count() > max {
                    return Err(format!("must have 1..{max} characters"));
                }
                Ok(Leaf::Text(text.to_owned()))
            }
            Self::Argument => {
                let text = text(value).ok_or_else(wanted)?;
                if text.contains('\0') {
                    Err("holds a zero byte".into())
                } else {
                    Ok(Leaf::Text(text.into()))
                }
            }
            Self::Plain => match value {
                Value::Text(text) | Value::Raw(text) => Ok(Leaf::Text(text.clone())),
                Value::Bool(flag) => Ok(Leaf::Text(flag.to_string())),
                Value::Whole(number) => Ok(Leaf::Text(number.to_string())),
                Value::Number(number) => Ok(Leaf::Text(number.to_string())),
                _ => Err(wanted()),
            },
            Self::Variable => {
                let name = text(value).ok_or_else(wanted)?;
                if !is_variable(name) {
                    return Err(format!("\"{name}\" {}", "is no name of an environment variable"));
                }
                Ok(Leaf::Text(name.to_owned()))
            }
            Self::Listen => {
                let addr = text(value).and_then(|text| text.parse().ok()).ok_or_else(wanted)?;
                Ok(Leaf::Listen(addr))
            }
            Self::Flag => match value {
                Value::Bool(flag) => Ok(Leaf::Flag(*flag)),
                Value::Raw(text) => text.parse().map(Leaf::Flag).map_err(|_| wanted()),
                _ => Err(wanted()),
            },
            Self::Queue => {
                let name = text(value).ok_or_else(wanted)?;
                QueueName::new(name)
                    .map_err(|why| format!("\"{name}\" is no queue's name: it {why}"))?;
                Ok(Leaf::Text(name.to_owned()))
            }
            Self::Kind => {
                let name = text(value).ok_or_else(wanted)?;
                KindName::new(name)
                    .map_err(|why| format!("\"{name}\" is no kind's name: it {why}"))?;
                Ok(Leaf::Text(name.to_owned()))
            }
            Self::Topic => {
                let topic = text(value).ok_or_else(wanted)?;
                Pattern::new(topic)
                    .map_err(|why| format!("\"{topic}\" is no pattern of topics: it {why}"))?;
                Ok(Leaf::Text(topic.to_owned()))
            }
            Self::Group => {
                let name = text(value).ok_or_else(wanted)?;
                GroupName::new(name)
                    .map_err(|why| format!("\"{name}\" is no group's name: it {why}"))?;
                Ok(Leaf::Text(name.to_owned()))
            }
            Self::Cron => {
                let cron = text(value).ok_or_else(wanted)?;
                cron.parse::<Cron>().map_err(|bad| bad.to_string())?;
                Ok(Leaf::Text(cron.to_owned()))
            }
            Self::Zone => {
                let zone = text(value).ok_or_else(wanted)?;
                Timing::parse("@daily", zone).map_err(|bad| bad.to_string())?;
                Ok(Leaf::Text(zone.to_owned()))
            }
            Self::Json => json_of(value).map(Leaf::Json).ok_or_else(wanted),
            Self::Rate => {
                let rate = text(value).and_then(|text| text.parse().ok()).ok_or_else(wanted)?;
                Ok(Leaf::Rate(rate))
            }
            Self::Status => status(value).map(Leaf::Text).ok_or_else(wanted),
            Self::Store | Self::Broker | Self::Url | Self::Path | Self::File | Self::Secret => {
                let text = text(value).ok_or_else(wanted)?;
                if text.is_empty() {
                    Err("is empty".into())
                } else {
                    Ok(Leaf::Text(text.to_owned()))
                }
            }
        }
    }

    /// Repeats a wrong value, unless it is long or secret.
    fn given(self, value: &Value) -> String {
        let literal = match value {
            _ if matches!(self, Self::Secret) => value.noun().to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Whole(number) => number.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Text(text) | Value::Raw(text) if text.len() <= 64 => format!("\"{text}\""),
            _ => value.noun().into(),
        };
        let bare = matches!(value, Value::Bool(_) | Value::Whole(_) | Value::Number(_));
        let text = matches!(self, Self::Text { .. } | Self::Argument | Self::Secret);
        if bare && text { format!("{literal}; put it in quotes") } else { literal }
    }

    /// Returns what it is, for messages.
    pub(super) fn noun(self) -> String {
        match self {
            Self::Span { .. } => {
                "a duration such as \"250ms\", \"1s\" or \"1h30m\", or a number of seconds".into()
            }
            Self::Size { .. } => {
                "a size such as \"256KiB\" or \"10GiB\", or a number of bytes".into()
            }
            Self::Whole { min, max } => format!("a whole number {min}..{max}"),
            Self::Number { min, max } => format!("a number {min}..{max}"),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Text { .. } | Self::Argument => "a text".into(),
            Self::Variable => "the name of an environment variable".into(),
            Self::Flag => "true or false".into(),
            Self::File => "a file such as \"file:./keys\"".into(),
            Self::Listen => "an address and a port such as \"127.0.0.1:8080\"".into(),
            Self::Store => {
                "a store's address such as \"embedded:./data\" or \"postgres://user@host/db\""
                    .into()
            }
            Self::Broker => "a broker's address such as \"amqp://user@host:5672/%2f\"".into(),
            Self::Plain => "a text, a number, true or false".into(),
            Self::Url => "a URL such as \"https://billing.internal/tasks\"".into(),
            Self::Path => "a path".into(),
            Self::Secret => "a text, \"${NAME}\" or \"file:PATH\"".into(),
            Self::Queue => "a queue's name".into(),
            Self::Kind => "a kind's name".into(),
            Self::Topic => "a topic such as \"orders.created\" or \"orders.*\"".into(),
            Self::Group => "a group's name".into(),
            Self::Cron => "a cron expression such as \"0 3 * * *\"".into(),
            Self::Zone => "a time zone such as \"Europe/Berlin\"".into(),
            Self::Json => "what JSON can hold".into(),
            Self::Rate => "a rate such as \"500/s\", \"30/m\" or \"10/h\"".into(),
            Self::Status => "an HTTP status such as 429, or \"5xx\"".into(),
        }
    }

    /// Returns the type and range, for the reference.
    pub(super) fn brief(self) -> String {
        match self {
            Self::Span { min, max } => format!("duration {}..{}", millis(min), millis(max)),
            Self::Size { min, max } => format!("size {}..{}", Size(min), Size(max)),
            Self::Whole { min, max } => format!("{min}..{max}"),
            Self::Number { min, max } => format!("{min}..{max}"),
            Self::Choice(words) => {
                words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            }
            Self::Text { max } => format!("text, 1..{max} characters"),
            Self::Argument => "text".into(),
            Self::Variable => "variable's name".into(),
            Self::Flag => "`true`, `false`".into(),
            Self::File => "`file:PATH`".into(),
            Self::Listen => "address:port".into(),
            Self::Store => "store's address".into(),
            Self::Broker => "broker's address".into(),
            Self::Plain => "text, number, `true`, `false`".into(),
            Self::Url => "URL".into(),
            Self::Path => "path".into(),
            Self::Secret => "secret".into(),
            Self::Queue => "queue's name".into(),
            Self::Kind => "kind's name".into(),
            Self::Topic => "topic, or pattern of topics".into(),
            Self::Group => "group's name".into(),
            Self::Cron => "5 or 6 fields".into(),
            Self::Zone => "IANA name".into(),
            Self::Json => "anything".into(),
            Self::Rate => "rate: `N/s`, `N/m`, `N/h`".into(),
            Self::Status => "status, or `1xx`..`5xx`".into(),
        }
    }

    /// Returns the JSON Schema of what a file may hold.
    pub(super) fn schema(self) -> serde_json::Value {
        const SPAN: &str = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";
        match self {
            Self::Span { min, max } => json!({"anyOf": [
                {"type": "string", "pattern": SPAN, "minLength": 2},
                {"type": "number", "minimum": min as f64 / 1e3, "maximum": max as f64 / 1e3},
            ]}),
            Self::Size { min, max } => json!({"anyOf": [
                {"type": "string", "pattern": "^[0-9]+([KMGT]i?B|kB|B)$"},
                {"type": "integer", "minimum": min, "maximum": max},
            ]}),
            Self::Whole { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
            Self::Number { min, max } => json!({"type": "number", "minimum": min, "maximum": max}),
            Self::Choice(words) => json!({"enum": words}),
            Self::Text { max } => json!({"type": "string", "minLength": 1, "maxLength": max}),
            Self::Argument => json!({"type": "string"}),
            Self::Variable => json!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}),
            Self::Store => {
                json!({"type": "string", "pattern": "^(embedded|postgres|postgresql):."})
            }
            Self::Broker => {
                json!({"type": "string", "pattern": r"^(amqps?://.|embedded:$|.*\$\{)"})
            }
            Self::Plain => json!({"type": ["string", "number", "boolean"]}),
            Self::Queue | Self::Kind => json!({"type": "string", "pattern": Names::NAME}),
            Self::Topic => json!({"type": "string", "pattern": "^[!-~]{1,249}$"}),
            Self::Group => json!({"type": "string", "pattern": "^[!\"$-)+-~]{1,249}$"}),
            Self::Cron => json!({"type": "string", "minLength": 1, "maxLength": LONGEST}),
            Self::Zone => json!({"type": "string", "minLength": 1, "maxLength": 64}),
            Self::Json => json!({}),
            Self::Rate => {
                json!({"type": "string", "pattern": "^0*[1-9][0-9]*/([smhd]|([0-9]+(ms|s|m|h|d))+)$"})
            }
            Self::Status => json!({"anyOf": [
                {"type": "integer", "minimum": 100, "maximum": 599},
                {"type": "string", "pattern": "^[1-5]xx$"},
            ]}),
            Self::Flag => json!({"type": "boolean"}),
            Self::File => json!({"type": "string", "pattern": "^file:."}),
            Self::Listen | Self::Url | Self::Path | Self::Secret => {
                json!({"type": "string", "minLength": 1})
            }
        }
    }
}

impl Names {
    /// The charset of kinds' and queues' names, as a regular expression.
    const NAME: &str = "^[a-z0-9][a-z0-9._-]{0,127}$";

    /// Judges a name.
    pub(super) fn check(self, name: &str) -> Result<(), String> {
        let bad =
            |what: &str, why: &dyn std::fmt::Display| format!("is no {what}'s name: it {why}");
        match self {
            Self::Queue => QueueName::new(name).map(drop).map_err(|why| bad("queue", &why)),
            Self::Kind => KindName::new(name).map(drop).map_err(|why| bad("kind", &why)),
            Self::Header => header(name),
            // They are names of components too, which have the charset of kinds.
            Self::Broker => KindName::new(name).map(drop).map_err(|why| bad("broker", &why)),
            Self::Consumer => KindName::new(name).map(drop).map_err(|why| bad("consumer", &why)),
            Self::Option => {
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
                let is_option = (1..=128).contains(&name.len()) && name.bytes().all(fits);
                if is_option { Ok(()) } else { Err("is no option's name".into()) }
            }
            Self::Schedule => {
                let fits = (2..=32).contains(&name.len()) && KindName::new(name).is_ok();
                let why = "is no schedule's name: it must match [a-z0-9][a-z0-9._-]{1,31}";
                if fits { Ok(()) } else { Err(why.into()) }
            }
        }
    }

    /// Judges what a name stands for, variables and files filled in.
    pub(super) fn check_value(self, value: &Leaf) -> Result<(), String> {
        match (self, value) {
            (Self::Header, Leaf::Secret(secret)) => HeaderValue::from_str(secret.expose())
                .map(drop)
                .map_err(|_| "holds characters that no header can, such as a line break".into()),
            _ => Ok(()),
        }
    }

    /// Returns what stands for a name in a path of keys.
    pub(super) fn placeholder(self) -> &'static str {
        match self {
            Self::Queue => "QUEUE",
            Self::Kind => "KIND",
            Self::Header => "HEADER",
            Self::Schedule => "SCHEDULE",
            Self::Broker => "BROKER",
            Self::Consumer => "CONSUMER",
            Self::Option => "OPTION",
        }
    }

    /// Returns the regular expression of the names.
    pub(super) fn pattern(self) -> &'static str {
        match self {
            Self::Queue | Self::Kind | Self::Broker | Self::Consumer => Self::NAME,
            Self::Option => "^[A-Za-z0-9._-]{1,128}$",
            Self::Schedule => "^[a-z0-9][a-z0-9._-]{1,31}$",
            Self::Header => "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
        }
    }
}

/// Headers that the product sends itself, or that belong to the connection.
fn header(name: &str) -> Result<(), String> {
    const OWN: [&str; 13] = [
        "host",
        "content-length",
        "content-type",
        "connection",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "keep-alive",
        "idempotency-key",
        "traceparent",
        "tracestate",
        "expect",
    ];
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+.^_`|~-".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err("is no header's name".into());
    }
    let name = name.to_ascii_lowercase();
    let ours = ["longshore-", "webhook-", "ce-"].iter().any(|prefix| name.starts_with(prefix));
    if ours || OWN.contains(&name.as_str()) {
        return Err("is a header that each request has already; leave it out".into());
    }
    Ok(())
}

/// Names the nearest of the known words, or all of them.
pub(super) fn not_one_of(word: &str, words: &[&str]) -> String {
    match longshore_runtime::nearest::nearest(word, words.iter().copied()).first() {
        Some(near) => format!("\"{word}\" is not known; did you mean \"{near}\"?"),
        None => format!("\"{word}\" is not known; there is: {}", words.join(", ")),
    }
}

fn within<T: PartialOrd + std::fmt::Display>(value: T, min: T, max: T) -> Result<T, String> {
    if value < min || value > max {
        return Err(format!("must be {min}..{max}, not {value}"));
    }
    Ok(value)
}

fn millis(millis: u64) -> Span {
    Span(std::time::Duration::from_millis(millis))
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) | Value::Raw(text) => Some(text),
        _ => None,
    }
}

fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Whole(number) => Some(*number),
        Value::Raw(text) => text.parse().ok(),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Whole(number) => *number as f64,
        Value::Number(number) => *number,
        Value::Raw(text) => text.parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

fn span(value: &Value) -> Option<Span> {
    match text(value).and_then(|text| text.parse().ok()) {
        Some(span) => Some(span),
        None => Span::from_seconds(number(value)?).ok(),
    }
}

fn size(value: &Value) -> Option<Size> {
    match text(value).and_then(|text| text.parse().ok()) {
        Some(size) => Some(size),
        None => u64::try_from(whole(value)?).ok().map(Size),
    }
}

/// Takes a value as JSON; text of a variable is JSON if it reads as such.
fn json_of(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(flag) => json!(flag),
        Value::Whole(number) => serde_json::from_str(&number.to_string()).ok()?,
        Value::Number(number) if number.is_finite() => json!(number),
        Value::Number(_) => return None,
        Value::Text(text) => json!(text),
        Value::Raw(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        Value::List(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| json_of(&item.value)).collect();
            items?.into()
        }
        Value::Map(entries) => {
            let fields =
                entries.iter().map(|entry| Some((entry.key.clone(), json_of(&entry.node.value)?)));
            serde_json::Value::Object(fields.collect::<Option<_>>()?)
        }
    })
}

fn status(value: &Value) -> Option<String> {
    if let Some(number) = whole(value) {
        return (100..600).contains(&number).then(|| number.to_string());
    }
    let text = text(value)?;
    let hundreds = text.strip_suffix("xx")?;
    matches!(hundreds, "1" | "2" | "3" | "4" | "5").then(|| text.to_owned())
}
