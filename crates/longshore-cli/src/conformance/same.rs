//! Whether two JSON texts say the same.
//!
//! White space, the order of keys and the way a text is escaped say nothing. Every digit of a number
//! does, and that `1.0` is not written `1`: whoever reads numbers as floats loses either.

use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Returns whether two JSON texts say the same; what is no JSON says nothing.
pub(super) fn same(one: &str, other: &str) -> bool {
    matches!((Said::read(one), Said::read(other)), (Some(one), Some(other)) if one == other)
}

#[derive(PartialEq, Eq)]
enum Said {
    Object(BTreeMap<String, Said>),
    Array(Vec<Said>),
    Text(String),
    /// A number, `true`, `false` or `null`, as it is written.
    Word(String),
}

impl Said {
    fn read(text: &str) -> Option<Self> {
        let raw: &RawValue = serde_json::from_str(text).ok()?;
        let text = raw.get();
        match text.as_bytes().first()? {
            b'{' => {
                let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
                let fields =
                    fields.into_iter().map(|(name, raw)| Some((name, Self::read(raw.get())?)));
                fields.collect::<Option<_>>().map(Self::Object)
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                items
                    .iter()
                    .map(|raw| Self::read(raw.get()))
                    .collect::<Option<_>>()
                    .map(Self::Array)
            }
            b'"' => serde_json::from_str(text).ok().map(Self::Text),
            _ => Some(Self::Word(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn the_form_says_nothing() {
        assert!(same(r#"{"a":[1,"é"],"b":{}}"#, r#"{ "b": {}, "a": [1, "\u00e9"] }"#));
    }

    #[test]
    fn every_digit_says_something() {
        for (one, other) in [
            ("9007199254740993", "9007199254740992"),
            ("1.0", "1"),
            ("[]", "{}"),
            ("null", "\"null\""),
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
            ("[1,2]", "[2,1]"),
            ("nothing", "nothing"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }
}
