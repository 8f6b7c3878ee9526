//! JSON Schemas, and payloads that are checked by them.

use crate::{Came, Target};
use longshore_runtime::schema::{MAX_FAULTS, Schema};

/// A schema, a line of its own with `---`, and a payload.
pub(super) struct Schemas;

impl Target for Schemas {
    fn name(&self) -> &'static str {
        "schema"
    }

    fn words(&self) -> &'static [&'static str] {
        &[
            "\"type\":",
            "\"object\"",
            "\"string\"",
            "\"integer\"",
            "\"properties\":",
            "\"required\":",
            "\"pattern\":",
            "\"^(a+)+$\"",
            "\"format\":",
            "\"email\"",
            "\"uuid\"",
            "\"date-time\"",
            "\"allOf\":",
            "\"anyOf\":",
            "\"oneOf\":",
            "\"not\":",
            "\"$ref\":",
            "\"#\"",
            "\"#/$defs/a\"",
            "\"$defs\":",
            "\"items\":",
            "\"uniqueItems\":true",
            "\"multipleOf\":",
            "\"minLength\":",
            "\"$dynamicRef\":",
            "\"$schema\":",
            "\"enum\":",
            "\"const\":",
            "\n---\n",
            "{",
            "}",
            "[",
            "]",
        ]
    }

    /// A schema that compiles checks anything, with few faults that each say something.
    fn feed(&mut self, input: &[u8]) -> Result<Came, String> {
        let text = String::from_utf8_lossy(input);
        let (schema, payload) = text.split_once("\n---\n").unwrap_or((&text, "null"));
        let schema = match Schema::compile(schema) {
            Ok(schema) => schema,
            Err(error) => {
                return Ok(Came::refused(error.to_string().chars().take(30).collect::<String>()));
            }
        };
        let faults = schema.check(payload);
        if faults.len() > MAX_FAULTS + 1 || faults.iter().any(|fault| fault.message.is_empty()) {
            return Err(format!("{} faults, such as {:?}", faults.len(), faults.first()));
        }
        let sign = faults.first().map_or_else(String::new, |fault| fault.message.clone());
        Ok(Came::accepted(sign.chars().take(20).collect::<String>()))
    }
}
