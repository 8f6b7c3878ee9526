//! JSON values as YAML.
//!
//! The library's own writer meets `serde_json`'s numbers of any precision, which only JSON can
//! write; and a document needs no more of YAML than this.

use serde_json::Value;

/// Writes a document in block style.
pub(crate) fn write(document: &Value) -> String {
    let mut out = String::new();
    block(&mut out, document, 0);
    out
}

fn block(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                indent(out, depth);
                out.push_str(&key(name));
                out.push(':');
                entry(out, value, depth + 1);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                indent(out, depth);
                out.push('-');
                entry(out, item, depth + 1);
            }
        }
        // Scalars and empty containers are JSON, which YAML contains.
        other => {
            indent(out, depth);
            out.push_str(&other.to_string());
            out.push('\n');
        }
    }
}

fn entry(out: &mut String, value: &Value, depth: usize) {
    let nested = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if nested {
        out.push('\n');
        block(out, value, depth);
    } else {
        out.push(' ');
        out.push_str(&value.to_string());
        out.push('\n');
    }
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn key(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && !matches!(
            name.to_ascii_lowercase().as_str(),
            "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain { name.into() } else { Value::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_written_in_block_style_with_json_scalars() {
        let document = serde_json::json!({
            "openapi": "3.1.0", "paths": {"/v1/tasks": {"on": [1, {"a": null}, []]}}, "none": {}
        });
        let text = write(&document);
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        let mut expected = vec![
            "openapi: \"3.1.0\"",
            "paths:",
            "  \"/v1/tasks\":",
            "    \"on\":",
            "      - 1",
            "      -",
            "        a: null",
            "      - []",
            "none: {}",
        ];
        expected.sort_unstable();
        assert_eq!(lines, expected);
    }
}
