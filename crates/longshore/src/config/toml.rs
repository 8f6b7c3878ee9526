//! From TOML to a [`Node`].

use super::fault::Fault;
use super::node::{Entry, Node, Value};
use super::origin::Origin;
use std::path::Path;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Parses the text of `file`; tells every error of its grammar.
pub(super) fn parse(text: &str, file: &Arc<Path>) -> Result<Node, Vec<Fault>> {
    let starts = text.match_indices('\n').map(|(at, _)| at + 1);
    let places = Places { text, file, lines: std::iter::once(0).chain(starts).collect() };
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let origin = places.origin(table.span().start);
        return Ok(Node { value: block(table.into_inner(), &places), origin });
    }
    let fault = |error: toml::de::Error| Fault {
        key: String::new(),
        origin: error.span().map_or_else(|| Origin::file(file), |span| places.origin(span.start)),
        message: format!("is not valid TOML: {}", error.message().replace('\n', ", ")),
    };
    Err(errors.into_iter().map(fault).collect())
}

/// Turns offsets into lines and columns.
struct Places<'a> {
    text: &'a str,
    file: &'a Arc<Path>,
    /// Where each line starts.
    lines: Vec<usize>,
}

impl Places<'_> {
    fn origin(&self, offset: usize) -> Origin {
        let offset = offset.min(self.text.len());
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines[line.saturating_sub(1)];
        let before = self.text.as_bytes().get(start..offset).unwrap_or_default();
        let column = 1 + String::from_utf8_lossy(before).chars().count() as u64;
        let line = line as u64;
        Origin::File { file: self.file.clone(), line, column }
    }
}

fn block(table: DeTable<'_>, places: &Places<'_>) -> Value {
    let entry = |(key, value): (Spanned<std::borrow::Cow<'_, str>>, Spanned<DeValue<'_>>)| Entry {
        origin: places.origin(key.span().start),
        key: key.into_inner().into_owned(),
        node: node(value, places),
    };
    let mut entries: Vec<Entry> = table.into_iter().map(entry).collect();
    entries.sort_by_key(|entry| match entry.origin {
        Origin::File { line, column, .. } => (line, column),
        _ => (0, 0),
    });
    Value::Map(entries)
}

fn node(value: Spanned<DeValue<'_>>, places: &Places<'_>) -> Node {
    let origin = places.origin(value.span().start);
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::Text(number.to_string()), Value::Whole),
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::Text(number.to_string()), Value::Number)
        }
        DeValue::Boolean(value) => Value::Bool(value),
        // No key takes one; the reader will say what it wants instead.
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(items) => {
            Value::List(items.into_iter().map(|item| node(item, places)).collect())
        }
        DeValue::Table(table) => block(table, places),
    };
    Node { value, origin }
}
