//! Whether telling every fault of a payload could take exponential time.
//!
//! A schema that refers to itself, and looks at one value in several ways at each level, has a
//! number of faults that doubles with each level of the payload. Whether such a payload fits is
//! still decided quickly; only the list of faults is not made.

use serde_json::Value;
use std::collections::HashSet;

/// Keywords that look at the same value, or at the same child, once more.
const AGAIN: [&str; 13] = [
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "patternProperties",
    "dependentSchemas",
    "dependencies",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Returns whether `schema` refers to itself and looks at one value in several ways.
pub(super) fn explosive(schema: &Value) -> bool {
    looks_again(schema) && is_cyclic(schema)
}

fn looks_again(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            fields.keys().any(|key| AGAIN.contains(&key.as_str()))
                // What stands beside a reference holds too.
                || (fields.contains_key("$ref") && fields.keys().any(|key| holds(key)))
                || fields.values().any(looks_again)
        }
        Value::Array(items) => items.iter().any(looks_again),
        _ => false,
    }
}

fn holds(key: &str) -> bool {
    matches!(key, "items" | "prefixItems" | "properties" | "additionalProperties")
}

/// Follows the references from the root on. What cannot be followed by its text alone (an anchor, a
/// dynamic reference, another base) counts as a cycle.
fn is_cyclic(schema: &Value) -> bool {
    let mut done = HashSet::new();
    let mut path = vec!["#".to_owned()];
    leads_back(schema, schema, &mut path, &mut done)
}

fn leads_back(
    root: &Value,
    node: &Value,
    path: &mut Vec<String>,
    done: &mut HashSet<String>,
) -> bool {
    let mut targets = Vec::new();
    let plain = references(node, &mut targets);
    if !plain {
        return true;
    }
    for target in targets {
        if target == "#" || path.iter().any(|on| *on == target || is_within(on, &target)) {
            return true;
        }
        if !done.insert(target.clone()) {
            continue;
        }
        let Some(next) = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) else {
            return true;
        };
        path.push(target);
        if leads_back(root, next, path, done) {
            return true;
        }
        path.pop();
    }
    false
}

/// Whether `inner` is a part of `outer`: a reference to what encloses it leads back to it.
fn is_within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}

/// Collects the references under `node`, but for those inside definitions, which count where they
/// are used; false if one is of a sort that is not followed here.
fn references(node: &Value, into: &mut Vec<String>) -> bool {
    match node {
        Value::Object(fields) => fields.iter().all(|(key, value)| match (key.as_str(), value) {
            ("$ref", Value::String(target)) => {
                into.push(target.clone());
                target == "#" || target.starts_with("#/")
            }
            ("$dynamicRef" | "$recursiveRef", _) => false,
            ("$defs" | "definitions", _) => true,
            (_, value) => references(value, into),
        }),
        Value::Array(items) => items.iter().all(|item| references(item, into)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_schemas_that_refer_to_themselves_and_branch_explode() {
        let branching = json!({"anyOf": [{"items": {"$ref": "#"}}, {"type": "string"}]});
        assert!(explosive(&branching));
        let plain = json!({"properties": {"children": {"items": {"$ref": "#"}}}});
        assert!(!explosive(&plain));
        let shared = json!({"$defs": {"a": {"type": "string"}},
            "anyOf": [{"items": {"$ref": "#/$defs/a"}}, {"$ref": "#/$defs/a"}]});
        assert!(!explosive(&shared));
        let roundabout = json!({"$defs": {"a": {"oneOf": [{"$ref": "#/$defs/b"}]},
            "b": {"items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"});
        assert!(explosive(&roundabout));
        let anchored = json!({"$anchor": "x", "anyOf": [{"items": {"$ref": "#x"}}]});
        assert!(explosive(&anchored));
    }
}
