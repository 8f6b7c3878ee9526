//! JSON text as YAML, with every digit of its numbers.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Writes a value as YAML in block style; scalars and empty containers are JSON, which YAML
/// contains.
pub(crate) fn yaml<T: serde::Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    let json = serde_json::value::to_raw_value(value)?;
    let mut out = String::new();
    block(&mut out, &json, 0)?;
    Ok(out)
}

/// What stands in a JSON text.
enum Node<'a> {
    Fields(Vec<(String, &'a RawValue)>),
    Items(Vec<&'a RawValue>),
    Scalar(&'a str),
}

fn node(json: &RawValue) -> serde_json::Result<Node<'_>> {
    let text = json.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => match serde_json::from_str::<Fields<'_>>(text)?.0 {
            none if none.is_empty() => Node::Scalar("{}"),
            fields => Node::Fields(fields),
        },
        Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(text)? {
            none if none.is_empty() => Node::Scalar("[]"),
            items => Node::Items(items),
        },
        _ => Node::Scalar(text),
    })
}

fn block(out: &mut String, json: &RawValue, depth: usize) -> serde_json::Result<()> {
    match node(json)? {
        Node::Fields(fields) => {
            for (name, value) in fields {
                indent(out, depth);
                out.push_str(&key(&name));
                out.push(':');
                entry(out, value, depth + 1)?;
            }
        }
        Node::Items(items) => {
            for item in items {
                indent(out, depth);
                out.push('-');
                entry(out, item, depth + 1)?;
            }
        }
        Node::Scalar(text) => {
            indent(out, depth);
            out.push_str(text);
            out.push('\n');
        }
    }
    Ok(())
}

fn entry(out: &mut String, json: &RawValue, depth: usize) -> serde_json::Result<()> {
    if let Node::Scalar(text) = node(json)? {
        out.push(' ');
        out.push_str(text);
        out.push('\n');
        return Ok(());
    }
    out.push('\n');
    block(out, json, depth)
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn key(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && !["null", "true", "false", "yes", "no", "on", "off", "y", "n"]
            .contains(&name.to_ascii_lowercase().as_str());
    if plain { name.to_owned() } else { serde_json::Value::from(name).to_string() }
}

/// The fields of an object in their order.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_written_in_its_order_and_with_every_digit() {
        let json = r#"{"b":{"on":[1,{"a":null},[]]},"a":12345678901234567890123.4500,"none":{}}"#;
        let json = RawValue::from_string(json.to_owned()).unwrap();
        assert_eq!(
            yaml(&json).unwrap(),
            "b:\n  \"on\":\n    - 1\n    -\n      a: null\n    - []\na: 12345678901234567890123.4500\nnone: {}\n"
        );
    }
}
