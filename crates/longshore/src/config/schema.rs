//! The JSON Schema of the configuration file, for editors and `config schema`.

use super::keys::{Key, Preset, ROOT, Shape};
use serde_json::{Map, Value, json};

/// Returns the JSON Schema (draft 2020-12) of the configuration file, in YAML or TOML.
///
/// It describes what a file may hold. That a queue exists, that a program is found and the like
/// only [`Sources::load`](super::Sources::load) can say.
pub fn schema() -> Value {
    let mut root = block(ROOT);
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("Longshore's configuration");
    root
}

fn block(keys: &[Key]) -> Value {
    let properties: Map<String, Value> =
        keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<&str> = keys
        .iter()
        .filter(|key| matches!(key.preset, Preset::Required))
        .map(|key| key.name)
        .collect();
    let mut block = json!({
        // An empty block is null in YAML.
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        block["required"] = json!(required);
        block["type"] = json!("object");
    }
    block
}

fn property(key: &Key) -> Value {
    let mut schema = match &key.shape {
        Shape::One(form) => form.schema(),
        Shape::List { of, max } => {
            json!({"type": "array", "items": of.schema(), "minItems": 1, "maxItems": max})
        }
        Shape::OneOrMore { of, max } => json!({"anyOf": [
            of.schema(),
            {"type": "array", "items": of.schema(), "minItems": 1, "maxItems": max},
        ]}),
        Shape::Block(keys) => block(keys),
        Shape::WordOrBlock { words, keys } => json!({"anyOf": [{"enum": words}, block(keys)]}),
        Shape::Blocks { keys, max } => {
            json!({"type": "array", "items": block(keys), "maxItems": max})
        }
        Shape::Named { names, keys } => json!({
            "type": ["object", "null"],
            "propertyNames": {"pattern": names.pattern()},
            "additionalProperties": block(keys),
        }),
        Shape::Pairs { names, of, max } => json!({
            "type": ["object", "null"],
            "propertyNames": {"pattern": names.pattern()},
            "additionalProperties": of.schema(),
            "maxProperties": max,
        }),
        Shape::Later => json!({"not": {}}),
    };
    schema["description"] = json!(key.about.replace('`', ""));
    if let Preset::Is(text) = key.preset {
        // As the type that it has: 16, rather than "16".
        let typed = text.parse::<f64>().is_ok() || text.parse::<bool>().is_ok();
        schema["default"] = match typed {
            true => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
            false => json!(text),
        };
    }
    schema
}
