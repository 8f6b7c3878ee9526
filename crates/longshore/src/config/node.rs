//! A document before anybody knows what its keys mean: values with their places.
//!
//! Both file formats become this, and the environment and flags are laid over it, so that one
//! reader judges all of them.

use super::origin::Origin;

/// A value and where it was said.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// What a document can hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Whole(i128),
    Number(f64),
    Text(String),
    /// Text of a variable or a flag: the key decides what it is.
    Raw(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key, where it stands, and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) origin: Origin,
    pub(super) node: Node,
}

impl Value {
    /// Returns what it is, for people.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Null => "empty",
            Self::Bool(_) => "true or false",
            Self::Whole(_) | Self::Number(_) => "a number",
            Self::Text(_) | Self::Raw(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a block of keys",
        }
    }
}

impl Node {
    /// Makes an empty document.
    pub(super) fn empty(origin: Origin) -> Self {
        Self { value: Value::Map(Vec::new()), origin }
    }

    /// Returns the entries of a block; none of anything else.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the entry of `key`, if this is a block that has it.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// Lays `value` over what stands at `path`. What stands in the way and is no block stays: it
    /// is a fault of its own, which the reader tells.
    pub(super) fn lay(&mut self, path: &[String], value: Value, origin: &Origin) {
        let Some((key, rest)) = path.split_first() else {
            *self = Self { value, origin: origin.clone() };
            return;
        };
        if self.value == Value::Null {
            self.value = Value::Map(Vec::new());
        }
        let Value::Map(entries) = &mut self.value else { return };
        let place = entries.iter().position(|entry| entry.key == *key).unwrap_or_else(|| {
            entries.push(Entry {
                key: key.clone(),
                origin: origin.clone(),
                node: Self::empty(origin.clone()),
            });
            entries.len() - 1
        });
        entries[place].node.lay(rest, value, origin);
    }
}
