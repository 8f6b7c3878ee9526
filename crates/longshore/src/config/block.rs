//! A document after it was read by the table of keys: every value is of its form, every default
//! is filled in, and each knows where it was said.

use super::form::Leaf;
use super::keys::{Key, ROOT};
use super::origin::Origin;
use serde_json::{Map, Value};
use std::time::Duration;

/// What was read of a block.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    pub(super) path: String,
    pub(super) origin: Origin,
    pub(super) entries: Vec<Placed>,
}

/// A key's value, and where it was said.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) name: String,
    pub(super) origin: Origin,
    pub(super) content: Content,
}

/// What stands behind a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Leaf(Leaf),
    List(Vec<Leaf>),
    Block(Block),
    Blocks(Vec<Block>),
    /// It was given and is wrong: a fault tells how.
    Bad,
}

/// A value as it holds, and where it was said.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Setting {
    /// The key's path, such as `kinds."report.wordcount".retry.base`.
    pub key: String,
    /// The value as JSON; secrets are `"***"`.
    pub value: Value,
    /// Where it was said.
    pub origin: Origin,
    /// Whether a change takes effect without a restart.
    pub live: bool,
    /// The value itself, for comparing: two secrets look alike.
    #[serde(skip)]
    pub(super) exact: Exact,
}

/// A value with its secrets; prints nothing of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exact(Vec<Leaf>);

/// Joins a key to the path of its block; names with dots are quoted.
pub(super) fn join(path: &str, name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let plain = !name.is_empty() && name.bytes().all(plain);
    let name = if plain { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

impl Block {
    /// Returns what stands behind `name`. Asking for a key that the table does not have is a slip
    /// of this program.
    pub(super) fn get(&self, name: &str) -> Option<&Placed> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Returns whether somebody gave `name`, rightly or wrongly.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|entry| !entry.origin.is_default())
    }

    /// Returns the path of a key of this block.
    pub(super) fn path_of(&self, name: &str) -> String {
        join(&self.path, name)
    }

    /// Returns where `name` was said, else where the block was.
    pub(super) fn origin_of(&self, name: &str) -> Origin {
        self.get(name).map_or(&self.origin, |entry| &entry.origin).clone()
    }

    fn leaf(&self, name: &str) -> Option<&Leaf> {
        match &self.get(name)?.content {
            Content::Leaf(leaf) => Some(leaf),
            _ => None,
        }
    }

    pub(super) fn span(&self, name: &str) -> Option<Duration> {
        match self.leaf(name)? {
            Leaf::Span(span) => Some(span.0),
            _ => None,
        }
    }

    pub(super) fn size(&self, name: &str) -> Option<u64> {
        match self.leaf(name)? {
            Leaf::Size(size) => Some(size.0),
            _ => None,
        }
    }

    pub(super) fn whole(&self, name: &str) -> Option<u64> {
        match self.leaf(name)? {
            Leaf::Whole(number) => Some(*number),
            _ => None,
        }
    }

    /// A whole number whose form keeps it below 2³².
    pub(super) fn small(&self, name: &str) -> Option<u32> {
        self.whole(name).and_then(|number| number.try_into().ok())
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        match self.leaf(name)? {
            Leaf::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.leaf(name)? {
            Leaf::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Any other form, by its leaf.
    pub(super) fn pick<T>(&self, name: &str, pick: impl Fn(&Leaf) -> Option<T>) -> Option<T> {
        pick(self.leaf(name)?)
    }

    pub(super) fn list(&self, name: &str) -> &[Leaf] {
        match self.get(name).map(|entry| &entry.content) {
            Some(Content::List(items)) => items,
            _ => &[],
        }
    }

    pub(super) fn block(&self, name: &str) -> Option<&Block> {
        match &self.get(name)?.content {
            Content::Block(block) => Some(block),
            _ => None,
        }
    }

    pub(super) fn blocks(&self, name: &str) -> &[Block] {
        match self.get(name).map(|entry| &entry.content) {
            Some(Content::Blocks(blocks)) => blocks,
            _ => &[],
        }
    }

    /// Returns all of it as JSON, secrets masked.
    pub(super) fn json(&self) -> Value {
        let entry = |entry: &Placed| {
            let value = match &entry.content {
                Content::Leaf(leaf) => leaf.json(),
                Content::List(items) => items.iter().map(Leaf::json).collect(),
                Content::Block(block) => block.json(),
                Content::Blocks(blocks) => blocks.iter().map(Self::json).collect(),
                Content::Bad => Value::Null,
            };
            (entry.name.clone(), value)
        };
        Value::Object(self.entries.iter().map(entry).collect::<Map<_, _>>())
    }

    /// Returns all values with their paths, in the order of the table.
    pub(super) fn settings(&self) -> Vec<Setting> {
        let mut all = Vec::new();
        for entry in &self.entries {
            let live = ROOT.iter().find(|key| key.name == entry.name).is_some_and(Key::is_live);
            entry.collect(&self.path_of(&entry.name), live, &mut all);
        }
        all
    }
}

impl Placed {
    fn collect(&self, key: &str, live: bool, all: &mut Vec<Setting>) {
        let mut push = |value: Value, exact: Vec<Leaf>| {
            let (key, origin) = (key.to_owned(), self.origin.clone());
            all.push(Setting { key, value, origin, live, exact: Exact(exact) });
        };
        match &self.content {
            Content::Leaf(leaf) => push(leaf.json(), vec![leaf.clone()]),
            Content::List(items) => push(items.iter().map(Leaf::json).collect(), items.clone()),
            Content::Block(block) => {
                for entry in &block.entries {
                    entry.collect(&join(key, &entry.name), live, all);
                }
            }
            Content::Blocks(blocks) => {
                for (place, block) in blocks.iter().enumerate() {
                    for entry in &block.entries {
                        entry.collect(&join(&format!("{key}[{place}]"), &entry.name), live, all);
                    }
                }
            }
            Content::Bad => {}
        }
    }
}
