//! From a schema's text to one that checks payloads.

use super::{cycles, words};
use crate::FieldError;
use jsonschema::error::{ValidationError, ValidationErrorKind};
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// Most faults that one check tells.
pub const MAX_FAULTS: usize = 20;

/// Largest payload of which every fault is looked for, in bytes; of larger ones the first is told.
const DETAILED: usize = 64 * 1024;

/// Largest compiled pattern, in bytes.
const PATTERN_SIZE: usize = 1 << 20;

/// A kind's JSON Schema (drafts 4 to 2020-12; 2020-12 unless `$schema` says otherwise).
///
/// Known formats are checked; unknown ones and unknown keywords are ignored. Patterns have neither
/// look-around nor back-references. Cheap to clone.
///
/// ```
/// use longshore_runtime::schema::Schema;
/// let schema = Schema::compile(r#"{"type": "object", "required": ["to"]}"#)?;
/// let faults = schema.check("{}");
/// assert_eq!((faults[0].field.as_str(), faults[0].message.as_str()), ("payload.to", "is required"));
/// # Ok::<(), longshore_runtime::schema::SchemaError>(())
/// ```
#[derive(Clone)]
pub struct Schema(Arc<Compiled>);

struct Compiled {
    source: Value,
    validator: Validator,
    /// Whether telling every fault could take exponential time.
    explosive: bool,
}

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The text is not JSON.
    #[error("line {line}, column {column}: is not JSON: {why}")]
    NotJson {
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
        /// What is wrong there.
        why: String,
    },
    /// A `$ref` leads out of the schema.
    #[error(
        "refers to \"{target}\": only references inside the schema (#/…) are followed; put it under $defs"
    )]
    Foreign {
        /// Where it leads.
        target: String,
    },
    /// A keyword is wrong.
    #[error("{place}: {why}")]
    Invalid {
        /// The keyword's place, such as `/properties/name/type`; `the schema` for the whole.
        place: String,
        /// What is wrong and what would be right.
        why: String,
    },
}

impl Schema {
    /// Returns its text, as JSON.
    pub fn text(&self) -> String {
        self.0.source.to_string()
    }

    /// Compiles a schema.
    pub fn compile(json: &str) -> Result<Self, SchemaError> {
        let source: Value = serde_json::from_str(json).map_err(|error| SchemaError::NotJson {
            line: error.line(),
            column: error.column(),
            why: words::of_syntax(&error),
        })?;
        let patterns =
            PatternOptions::regex().size_limit(PATTERN_SIZE).dfa_size_limit(PATTERN_SIZE);
        let validator = jsonschema::options()
            .offline()
            .with_pattern_options(patterns)
            .should_validate_formats(true)
            .build(&source)
            .map_err(|error| refusal(&error))?;
        let explosive = cycles::explosive(&source);
        Ok(Self(Arc::new(Compiled { source, validator, explosive })))
    }

    /// Checks a payload; nothing means that it fits. Fields are named as in `payload.items[3].name`.
    /// Of equal keys in one object the last one counts.
    pub fn check(&self, payload: &str) -> Vec<FieldError> {
        let value: Value = match serde_json::from_str(payload) {
            Ok(value) => value,
            Err(error) => {
                let why = format!("is not JSON: {}", words::of_syntax(&error));
                return vec![FieldError::new("payload", why)];
            }
        };
        let Compiled { source, validator, explosive } = &*self.0;
        if validator.is_valid(&value) {
            return Vec::new();
        }
        let faults: Vec<FieldError> = if *explosive {
            Vec::new()
        } else if payload.len() > DETAILED {
            let first = validator.validate(&value).err();
            first
                .iter()
                .flat_map(|error| words::faults(error, source, &value))
                .take(MAX_FAULTS)
                .collect()
        } else {
            let all = validator.iter_errors(&value);
            all.flat_map(|error| words::faults(&error, source, &value)).take(MAX_FAULTS).collect()
        };
        if faults.is_empty() {
            return vec![FieldError::new("payload", "does not match the schema of its kind")];
        }
        faults
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("schema")
    }
}

impl PartialEq for Schema {
    /// Whether both say the same; the order of keys does not count.
    fn eq(&self, other: &Self) -> bool {
        self.0.source == other.0.source
    }
}

fn refusal(error: &ValidationError<'_>) -> SchemaError {
    use jsonschema::ReferencingError;
    let place = match error.instance_path().as_str() {
        "" => "the schema".to_owned(),
        path => path.to_owned(),
    };
    match error.kind() {
        ValidationErrorKind::Referencing(ReferencingError::Unretrievable { uri, .. }) => {
            SchemaError::Foreign { target: uri.clone() }
        }
        ValidationErrorKind::Referencing(ReferencingError::UnknownSpecification {
            specification,
        }) => SchemaError::Invalid {
            place: "/$schema".into(),
            why: format!(
                "\"{specification}\" is not a known draft, such as https://json-schema.org/draft/2020-12/schema"
            ),
        },
        ValidationErrorKind::Referencing(other) => {
            SchemaError::Invalid { place: "$ref".into(), why: other.to_string() }
        }
        _ => SchemaError::Invalid { place, why: words::of_schema(error) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn check(schema: &str, payload: &str) -> Vec<(String, String)> {
        let schema = Schema::compile(schema).unwrap();
        schema.check(payload).into_iter().map(|fault| (fault.field, fault.message)).collect()
    }

    fn refused(schema: &str) -> String {
        Schema::compile(schema).unwrap_err().to_string()
    }

    #[test]
    fn every_fault_names_its_field() {
        let schema = r##"{"properties": {"items": {"items": {"$ref": "#/$defs/item"}}},
            "$defs": {"item": {"type": "object", "required": ["name"], "additionalProperties": false,
            "properties": {"name": {"type": "string", "maxLength": 3}, "count": {"minimum": 1}}}}}"##;
        let payload = r#"{"items": [{"name": "abcd", "count": 0}, {"nmae": 1}, 7]}"#;
        let told = |field: &str, message: &str| (field.to_owned(), message.to_owned());
        let mut faults = check(schema, payload);
        faults.sort();
        assert_eq!(
            faults,
            [
                told("payload.items[0].count", "must be at least 1"),
                told("payload.items[0].name", "must have at most 3 characters"),
                told("payload.items[1].name", "is required"),
                told("payload.items[1].nmae", "is not a known field; did you mean name?"),
                told("payload.items[2]", "must be an object, is a number"),
            ]
        );
    }

    #[test]
    fn a_payload_that_fits_has_no_faults_and_one_that_is_no_json_says_so() {
        let schema = r#"{"type": "object"}"#;
        assert!(check(schema, "{}").is_empty());
        assert_eq!(check(schema, "{")[0].0, "payload");
        assert!(check("false", "1")[0].1.contains("nothing"), "{:?}", check("false", "1"));
    }

    #[test]
    fn at_most_twenty_faults_are_told() {
        let payload = format!("[{}1]", "1,".repeat(99));
        assert_eq!(check(r#"{"items": {"type": "string"}}"#, &payload).len(), MAX_FAULTS);
    }

    #[test]
    fn a_large_payload_is_told_its_first_fault() {
        let payload = format!("[{}1]", "1,".repeat(DETAILED));
        assert_eq!(check(r#"{"items": {"type": "string"}}"#, &payload).len(), 1);
    }

    #[test]
    fn references_out_of_the_schema_are_refused() {
        for target in ["https://example.com/a.json", "file:///etc/passwd", "other.json#/x"] {
            let told = refused(&format!(r#"{{"$ref": "{target}"}}"#));
            assert!(told.contains(target.split('#').next().unwrap()), "{told}");
            assert!(told.contains("only references inside"), "{told}");
        }
        assert!(refused(r##"{"$ref": "#/nowhere"}"##).contains("/nowhere"));
    }

    #[test]
    fn a_schema_that_is_wrong_says_where_and_what_would_be_right() {
        let told = refused("{\n  \"type\": }");
        assert!(told.starts_with("line 2, column 11: "), "{told}");
        let told = refused(r#"{"properties": {"a": {"type": "strin"}}}"#);
        assert!(told.starts_with("/properties/a/type: must be one of ") && told.contains("string"));
        let told = refused(r#"{"properties": {"a": {"minLength": -1}}}"#);
        assert_eq!(told, "/properties/a/minLength: must be at least 0");
        for pattern in ["(?=a)b", "(", r"(a)\\1"] {
            let told =
                refused(&format!(r#"{{"properties": {{"a": {{"pattern": "{pattern}"}}}}}}"#));
            assert!(told.starts_with("/properties/a/pattern: "), "{told}");
            assert!(told.contains("look-around"), "{told}");
        }
        assert!(refused(r#"{"$schema": "https://example.com/mine"}"#).contains("2020-12"));
        assert!(refused("[]").starts_with("the schema: must be"), "{}", refused("[]"));
    }

    #[test]
    fn hostile_texts_against_nested_repetition_take_no_time() {
        let schema = Schema::compile(r#"{"pattern": "^(a+)+$"}"#).unwrap();
        let payload = format!("\"{}!\"", "a".repeat(200_000));
        let began = Instant::now();
        assert_eq!(schema.check(&payload).len(), 1);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }

    #[test]
    fn deep_payloads_against_branching_recursion_take_no_time() {
        let branch = |keyword: &str| {
            format!(
                r##"{{"$defs": {{"n": {{"{keyword}": [
                    {{"type": ["array", "string"], "items": {{"$ref": "#/$defs/n"}}}},
                    {{"type": ["array", "string"], "maxItems": 5, "items": {{"$ref": "#/$defs/n"}}}}
                ]}}}}, "$ref": "#/$defs/n"}}"##
            )
        };
        for keyword in ["anyOf", "allOf", "oneOf"] {
            let schema = Schema::compile(&branch(keyword)).unwrap();
            for leaf in ["1", "\"x\""] {
                let payload = format!("{}{leaf}{}", "[".repeat(60), "]".repeat(60));
                let began = Instant::now();
                schema.check(&payload);
                assert!(began.elapsed() < Duration::from_secs(2), "{keyword} {leaf}");
            }
        }
    }

    #[test]
    fn plain_recursion_is_told_in_detail() {
        let schema = r##"{"properties": {"name": {"type": "string"},
            "children": {"type": "array", "items": {"$ref": "#"}}}}"##;
        let faults = check(schema, r#"{"children": [{"children": [{"name": 1}]}]}"#);
        assert_eq!(faults[0].0, "payload.children[0].children[0].name");
    }

    #[test]
    fn numbers_compare_exactly_up_to_64_bits() {
        let largest = r#"{"type": "integer", "maximum": 9223372036854775807}"#;
        assert!(check(largest, "9223372036854775807").is_empty());
        assert_eq!(check(largest, "9223372036854775808").len(), 1);
        assert!(check(r#"{"type": "integer"}"#, "1.0").is_empty());
        assert!(check(r#"{"multipleOf": 0.01}"#, "19.99").is_empty());
        assert_eq!(check(r#"{"maximum": 100}"#, "1e400").len(), 1);
        // Beyond 64 bits they are doubles, as documented.
        let constant = r#"{"const": 123456789012345678901234567890}"#;
        assert!(check(constant, "123456789012345678901234567891").is_empty());
    }

    #[test]
    fn values_of_a_payload_are_not_told() {
        let schema = r#"{"properties": {"pin": {"enum": ["a"]}, "b": {"pattern": "^x$"}, "c": {"format": "email"},
            "d": {"anyOf": [{"type": "null"}, {"const": 1}]}, "e": {"not": {}}, "f": {"type": "array"}}}"#;
        let faults = check(
            schema,
            r#"{"pin": "s3cret", "b": "s3cret", "c": "s3cret", "d": "s3cret", "e": "s3cret", "f": "s3cret"}"#,
        );
        assert_eq!(faults.len(), 6, "{faults:?}");
        assert!(faults.iter().all(|(_, message)| !message.contains("s3cret")), "{faults:?}");
    }
}
