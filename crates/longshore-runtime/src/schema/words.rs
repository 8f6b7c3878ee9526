//! What is said of a fault. Values of a payload are never repeated: they may be secrets.

use crate::FieldError;
use crate::nearest::nearest;
use jsonschema::error::{TypeKind, ValidationError, ValidationErrorKind as Kind};
use serde_json::Value;

/// Most choices that one message lists.
const MAX_CHOICES: usize = 10;

/// Longest part of a schema that a message repeats, in characters.
const MAX_SHOWN: usize = 100;

/// Says what is wrong with a text that is no JSON, without the place.
pub(super) fn of_syntax(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Says what is wrong with a keyword of a schema.
pub(super) fn of_schema(error: &ValidationError<'_>) -> String {
    let is_pattern = error.instance_path().as_str().ends_with("/pattern")
        || error.instance_path().as_str().contains("/patternProperties");
    if is_pattern && matches!(error.kind(), Kind::Format { .. } | Kind::PropertyNames { .. }) {
        return "is no pattern that can be used: look-around and back-references are not supported, \
                as their time has no bounds"
            .into();
    }
    message(error)
}

/// Says what is wrong with a payload: one fault for each field.
pub(super) fn faults(
    error: &ValidationError<'_>,
    schema: &Value,
    payload: &Value,
) -> Vec<FieldError> {
    let field = field_of(error.instance_path().as_str(), payload);
    match error.kind() {
        Kind::Required { property: Value::String(property) } => {
            vec![FieldError::new(under(&field, property), "is required")]
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let known = known_beside(error.schema_path().as_str(), schema);
            let fault = |name: &String| {
                let near = nearest(name, known.iter().copied());
                let message = match near.as_slice() {
                    [] => "is not a known field".to_owned(),
                    near => format!("is not a known field; did you mean {}?", near.join(", ")),
                };
                FieldError::new(under(&field, name), message)
            };
            unexpected.iter().map(fault).collect()
        }
        _ => vec![FieldError::new(field, message(error))],
    }
}

/// The names that stand beside the keyword at `path` of the schema.
fn known_beside<'a>(path: &str, schema: &'a Value) -> Vec<&'a str> {
    let beside = path.rfind('/').and_then(|end| schema.pointer(&path[..end]));
    let properties = beside.and_then(|node| node.get("properties")).and_then(Value::as_object);
    properties.map(|fields| fields.keys().map(String::as_str).collect()).unwrap_or_default()
}

fn message(error: &ValidationError<'_>) -> String {
    let is = || sort(error.instance());
    match error.kind() {
        Kind::Type { kind } => format!("must be {}, is {}", types(kind), is()),
        Kind::Enum { options } => format!("must be one of {}", choices(options)),
        Kind::Constant { expected_value } => format!("must be {}", shown(expected_value)),
        Kind::Minimum { limit } => format!("must be at least {}", shown(limit)),
        Kind::Maximum { limit } => format!("must be at most {}", shown(limit)),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {}", shown(limit)),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {}", shown(limit)),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} items"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items"),
        Kind::AdditionalItems { limit } => format!("must have at most {limit} items"),
        Kind::MinProperties { limit } => format!("must have at least {limit} fields"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} fields"),
        Kind::UniqueItems => "must not hold the same item twice".into(),
        Kind::UnevaluatedItems { .. } => "has more items than the schema knows".into(),
        Kind::Contains => "holds no item, or not as many, of the sort that it must".into(),
        Kind::Pattern { pattern } => format!("must match the pattern {}", cut(pattern)),
        Kind::Format { format } => format!("must be of the format \"{}\"", cut(format)),
        Kind::FalseSchema => "is not allowed: the schema lets nothing be here".into(),
        Kind::Not { .. } => "is of a sort that the schema rules out (not)".into(),
        Kind::PropertyNames { error } => {
            format!("has a field whose name does not fit: it {}", message(error))
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => match choice(context) {
            Some(choice) => choice,
            None => format!("fits none of the {} allowed shapes", context.len()),
        },
        Kind::OneOfMultipleValid { .. } => {
            "fits more than one of the shapes of which it must fit exactly one".into()
        }
        Kind::ContentEncoding { content_encoding } => {
            format!("must be encoded as {}", cut(content_encoding))
        }
        Kind::ContentMediaType { content_media_type } => {
            format!("must be of the type {}", cut(content_media_type))
        }
        _ => format!("does not fit the keyword {}", error.kind().keyword()),
    }
}

/// If one of the shapes is a plain list of values, says those.
fn choice(shapes: &[Vec<ValidationError<'static>>]) -> Option<String> {
    let lists = shapes.iter().filter_map(|faults| match faults.as_slice() {
        [only] if matches!(only.kind(), Kind::Enum { .. }) => Some(message(only)),
        _ => None,
    });
    lists.into_iter().next()
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => with_article(&one.to_string()).to_owned(),
        TypeKind::Multiple(several) => {
            let names: Vec<String> =
                several.iter().map(|one| with_article(&one.to_string()).to_owned()).collect();
            names.join(" or ")
        }
    }
}

fn with_article(name: &str) -> &'static str {
    match name {
        "array" => "an array",
        "boolean" => "a boolean",
        "integer" => "a whole number",
        "null" => "null",
        "number" => "a number",
        "object" => "an object",
        _ => "a string",
    }
}

fn sort(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn choices(options: &Value) -> String {
    let Some(options) = options.as_array() else { return shown(options) };
    let mut text: Vec<String> = options.iter().take(MAX_CHOICES).map(shown).collect();
    if options.len() > MAX_CHOICES {
        text.push(format!("{} more", options.len() - MAX_CHOICES));
    }
    text.join(", ")
}

/// A part of the schema, as a message repeats it.
fn shown(value: &Value) -> String {
    cut(&value.to_string())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// From a JSON Pointer into `payload` to `payload.items[3].name`.
fn field_of(pointer: &str, payload: &Value) -> String {
    let mut field = String::from("payload");
    let mut at = Some(payload);
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        match at {
            Some(Value::Array(items)) => {
                field.push_str(&format!("[{step}]"));
                at = step.parse::<usize>().ok().and_then(|index| items.get(index));
            }
            other => {
                field = under(&field, &step);
                at = other.and_then(|value| value.get(&step));
            }
        }
    }
    field
}

fn under(field: &str, name: &str) -> String {
    format!("{field}.{}", cut(name))
}
