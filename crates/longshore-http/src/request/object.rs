//! A JSON object split into its fields, each left as the text it was sent as.

use crate::codes;
use crate::problem::Problem;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Most fields an object may have: more than any object of the API.
const MAX_FIELDS: usize = 64;
/// Deepest nesting of a body, the outermost object included.
pub(crate) const MAX_DEPTH: usize = 64;

/// The fields of an object, in the order they were sent.
#[derive(Debug, Default)]
pub(crate) struct Object<'a> {
    /// Name and text of each field; the first of those that were given twice.
    pub(crate) fields: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// Names that were given more than once.
    pub(crate) repeated: Vec<String>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object<'de>, M::Error> {
                let mut object = Object { fields: Vec::with_capacity(8), repeated: Vec::new() };
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &RawValue>()? {
                    if object.fields.len() == MAX_FIELDS {
                        return Err(M::Error::custom(format!("more than {MAX_FIELDS} fields")));
                    }
                    if object.fields.iter().any(|(known, _)| *known == name) {
                        object.repeated.push(name.into_owned());
                    } else {
                        object.fields.push((name, value));
                    }
                }
                Ok(object)
            }
        }
        from.deserialize_map(Reader)
    }
}

/// A field's name, borrowed unless it holds escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field's name")
            }
            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.into())))
            }
        }
        from.deserialize_str(Reader)
    }
}

/// Reads the body of a request, which must be one object.
pub(crate) fn read(body: &[u8]) -> Result<Object<'_>, Problem> {
    let malformed = |message: String| Problem::new(&codes::MALFORMED, message);
    let text = std::str::from_utf8(body)
        .map_err(|error| malformed(format!("no UTF-8 from byte {} on", error.valid_up_to())))?;
    if text.trim_ascii().is_empty() {
        return Err(malformed("the body is empty; send a JSON object (line 1, column 1)".into()));
    }
    let object = serde_json::from_str(text).map_err(|error| match error.classify() {
        // Whatever else is wrong with it, it may be no JSON at all further on.
        serde_json::error::Category::Data => {
            if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
                return malformed(error.to_string());
            }
            Problem::new(&codes::INVALID, format!("the body must be a JSON object: {error}"))
        }
        _ => malformed(error.to_string()),
    })?;
    if is_deeper(body, MAX_DEPTH) {
        return Err(too_deep());
    }
    Ok(object)
}

/// Says that something is nested too deep.
pub(crate) fn too_deep() -> Problem {
    Problem::new(&codes::MALFORMED, format!("nested more than {MAX_DEPTH} levels deep"))
}

/// Returns whether JSON that is known to be well-formed is nested deeper than `limit`.
pub(super) fn is_deeper(json: &[u8], limit: usize) -> bool {
    if json.len() <= 2 * limit {
        return false; // one level takes two brackets
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str) -> u32 {
        read(body.as_bytes()).map_or_else(|problem| problem.code().number, |_| 0)
    }

    fn message(body: &[u8]) -> String {
        let problem = read(body).unwrap_err();
        String::from_utf8(problem.body("", "")).unwrap()
    }

    #[test]
    fn values_stay_as_they_were_sent() {
        let body = br#" {"a": [1.000, 99999999999999999999] , "b\u0041":"\ud83d\ude00"} "#;
        let object = read(body).unwrap();
        assert_eq!(object.fields[0].0, "a");
        assert_eq!(object.fields[0].1.get(), "[1.000, 99999999999999999999]");
        assert_eq!(object.fields[1].0, "bA");
        assert_eq!(object.fields[1].1.get(), r#""\ud83d\ude00""#);
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        for bad in ["", "  ", "{", "{\"a\":1,}", "{'a':1}", "{\"a\":NaN}", "{} {}", "nul"] {
            assert_eq!(code(bad), 40002, "{bad}");
        }
        assert!(message(b"{\n \"a\": }").contains("line 2 column 7"));
        assert!(message(b"{\"a\":\"\xff\"}").contains("byte 6"));
    }

    #[test]
    fn what_is_no_object_is_refused_as_such() {
        for bad in ["[]", "1", "\"x\"", "null", "true"] {
            assert_eq!(code(bad), 40001, "{bad}");
            assert!(message(bad.as_bytes()).contains("must be a JSON object"), "{bad}");
        }
    }

    #[test]
    fn repeated_fields_are_noticed() {
        let object = read(br#"{"a":1,"b":2,"\u0061":3}"#).unwrap();
        assert_eq!(object.repeated, ["a"]);
        let many: String = (0..100).map(|i| format!("\"f{i}\":1,")).collect();
        assert_eq!(code(&format!("{{{}}}", many.trim_end_matches(','))), 40001);
    }

    #[test]
    fn sixty_four_levels_pass_and_one_more_does_not() {
        let nested = |levels: usize| {
            let payload = format!("{}{}", "[".repeat(levels - 1), "]".repeat(levels - 1));
            format!("{{\"payload\":{payload}}}")
        };
        assert_eq!(code(&nested(64)), 0);
        assert_eq!(code(&nested(65)), 40002);
        assert_eq!(code(&nested(50_000)), 40002);
        let brackets_in_text = format!("{{\"payload\":\"{}\\\"[\"}}", "[".repeat(200));
        assert_eq!(code(&brackets_in_text), 0);
    }
}
