//! A plan as a flat JSON object, each value as the text that it was written as.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// What was said of a plan, by the names of the API. Two are the same if their texts are.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(BTreeMap<String, Box<RawValue>>);

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().all(|(name, value)| other.text(name) == Some(value.get()))
    }
}

impl Eq for Fields {}

impl Fields {
    /// Reads a JSON object; nothing if it is none.
    pub fn read(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// Returns a field as it was written.
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name).map(|value| &**value)
    }

    /// Returns the JSON text of a field.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).map(RawValue::get)
    }

    /// Sets a field; with nothing, it is taken out.
    pub fn set(&mut self, name: &str, value: Option<&RawValue>) {
        match value {
            Some(value) => self.0.insert(name.to_owned(), value.to_owned()),
            None => self.0.remove(name),
        };
    }

    /// Takes a field over from others, as it is there.
    pub fn take_over(&mut self, name: &str, from: &Self) {
        self.set(name, from.get(name));
    }

    /// Adds a field whose value is plain.
    pub(super) fn with(mut self, name: &str, value: impl Serialize) -> Self {
        // Texts and numbers alone always serialize.
        if let Ok(value) = serde_json::value::to_raw_value(&value) {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    /// Returns the names of the fields that differ.
    pub fn differing<'a>(&'a self, other: &'a Self) -> BTreeSet<&'a str> {
        let names = self.0.keys().chain(other.0.keys()).map(String::as_str);
        names.filter(|name| self.text(name) != other.text(name)).collect()
    }

    /// Writes the JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_texts_and_differ_by_them() {
        let one = Fields::read(r#"{"a": {"z":1.0, "b":2}, "c": "x"}"#).unwrap();
        assert_eq!(one.text("a"), Some(r#"{"z":1.0, "b":2}"#));
        let other = Fields::read(r#"{"c":"x","a":{"z":1},"d":null}"#).unwrap();
        assert_eq!(one.differing(&other), BTreeSet::from(["a", "d"]));
        assert_eq!(Fields::read(&one.to_json()), Some(one));
    }
}
