//! From YAML to a [`Node`].

use super::fault::Fault;
use super::node::{Entry, Node, Value};
use super::origin::Origin;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::NonFiniteFloatPolicy;
use serde_saphyr::{DuplicateKeyPolicy, Error, Location, Options, Spanned, UserMessageFormatter};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// How deep blocks may nest.
const DEPTH: usize = 32;
/// Most values, those repeated by aliases included.
const NODES: usize = 100_000;

/// Parses the text of `file`.
pub(super) fn parse(text: &str, file: &Arc<Path>) -> Result<Node, Fault> {
    let at = |place: Location| {
        let (line, column) = (place.line(), place.column());
        Origin::File { file: file.clone(), line, column }
    };
    match serde_saphyr::from_str_with_options::<Spanned<Any>>(text, options()) {
        Ok(any) => Ok(node(any, &at)),
        Err(error) => {
            let origin = error.location().map_or_else(|| Origin::file(file), at);
            let message = format!("is not valid YAML: {}", plain(&error));
            Err(Fault { key: String::new(), origin, message })
        }
    }
}

/// Parses a value that was given in one line, outside of any file.
pub(super) fn parse_line(text: &str, origin: &Origin) -> Result<Node, String> {
    serde_saphyr::from_str_with_options::<Spanned<Any>>(text, options())
        .map(|any| node(any, &|_| origin.clone()))
        .map_err(|error| plain(&error))
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: DEPTH, max_nodes: NODES, max_documents: 1 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: NODES },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        // The reader refuses them with their key.
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

/// What the parser says, in one line, for people who did not write it, and without the place:
/// that is told in front.
fn plain(error: &Error) -> String {
    match error.without_snippet() {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key \"{key}\" is given twice")
        }
        Error::DuplicateMappingKey { .. } => "a key is given twice".into(),
        Error::AliasReplayLimitExceeded { .. } => "its aliases repeat too much".into(),
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            "it holds several documents; keep one".into()
        }
        Error::Budget { .. } => "it holds too much, or nests too deep".into(),
        Error::NullIntoString { .. } => "a key is empty".into(),
        error => {
            let text = error.render_with_formatter(&UserMessageFormatter);
            let line = text.lines().next().unwrap_or_default();
            line.split(" at line ").next().unwrap_or(line).trim_end_matches(':').to_owned()
        }
    }
}

/// Any YAML value.
#[derive(Debug)]
enum Any {
    Plain(Value),
    List(Vec<Spanned<Any>>),
    Map(Vec<(Spanned<String>, Spanned<Any>)>),
}

fn node(any: Spanned<Any>, at: &impl Fn(Location) -> Origin) -> Node {
    // Where it is written, rather than where an alias brings it in.
    let origin = at(any.defined);
    let value = match any.value {
        Any::Plain(value) => value,
        Any::List(items) => Value::List(items.into_iter().map(|item| node(item, at)).collect()),
        Any::Map(entries) => {
            let entry = |(key, any): (Spanned<String>, Spanned<Any>)| Entry {
                origin: at(key.defined),
                key: key.value,
                node: node(any, at),
            };
            Value::Map(entries.into_iter().map(entry).collect())
        }
    };
    Node { value, origin }
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Any;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_unit<E>(self) -> Result<Any, E> {
                Ok(Any::Plain(Value::Null))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Any, E> {
                Ok(Any::Plain(Value::Bool(value)))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Any, E> {
                Ok(Any::Plain(Value::Whole(value.into())))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Any, E> {
                Ok(Any::Plain(Value::Whole(value.into())))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Any, E> {
                Ok(Any::Plain(Value::Number(value)))
            }
            fn visit_str<E>(self, value: &str) -> Result<Any, E> {
                Ok(Any::Plain(Value::Text(value.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Any, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Any::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Any, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Any::Map(entries))
            }
        }
        from.deserialize_any(Reader)
    }
}
