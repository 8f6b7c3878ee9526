//! What is new in a configuration.

use super::block::Setting;
use super::model::Config;
use super::origin::Origin;
use longshore_core::{KindName, QueueName};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// What is new in a configuration, for a reload.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Changes {
    /// Queues: take effect at once.
    pub queues: Difference<QueueName>,
    /// Kinds, with their retries, rules and runners: take effect at once.
    pub kinds: Difference<KindName>,
    /// Schedules: take effect at once.
    pub schedules: Difference<String>,
    /// Every value below `queues`, `kinds` and `schedules` that is new, changed or gone.
    pub applied: Vec<Change>,
    /// Every other one: it takes effect at the next start, and not before.
    pub restart: Vec<Change>,
}

/// What was added to a set of named things, changed in it, and taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference<N> {
    /// The new ones.
    pub added: Vec<N>,
    /// Those that are not as they were.
    pub changed: Vec<N>,
    /// Those that are gone.
    pub removed: Vec<N>,
}

/// A value that is not what it was.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// The key's path.
    pub key: String,
    /// What it was, secrets masked; nothing if it was not set.
    pub from: Option<Value>,
    /// What it is now, secrets masked; nothing if it is not set any more.
    pub to: Option<Value>,
    /// Where it is said now, or was last.
    pub origin: Origin,
}

impl<N> Default for Difference<N> {
    fn default() -> Self {
        Self { added: Vec::new(), changed: Vec::new(), removed: Vec::new() }
    }
}

impl<N: Ord + Clone> Difference<N> {
    fn between<T: PartialEq>(old: &BTreeMap<N, T>, new: &BTreeMap<N, T>) -> Self {
        let names = |of: &BTreeMap<N, T>, keep: &dyn Fn(&N, &T) -> bool| -> Vec<N> {
            of.iter()
                .filter(|(name, value)| keep(name, value))
                .map(|(name, _)| name.clone())
                .collect()
        };
        Self {
            added: names(new, &|name, _| !old.contains_key(name)),
            changed: names(new, &|name, value| old.get(name).is_some_and(|was| was != value)),
            removed: names(old, &|name, _| !new.contains_key(name)),
        }
    }

    /// Returns whether nothing is different.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

impl Changes {
    /// Returns whether nothing is different.
    pub fn is_empty(&self) -> bool {
        let live = [self.queues.is_empty(), self.kinds.is_empty(), self.schedules.is_empty()];
        live.iter().all(|same| *same) && self.restart.is_empty()
    }
}

impl Config {
    /// Compares two configurations. Where a value was said makes no difference; what the files of
    /// schemas and secrets say does.
    pub fn diff(old: &Self, new: &Self) -> Changes {
        let mut changes = Changes {
            queues: Difference::between(&old.queues, &new.queues),
            kinds: Difference::between(&old.kinds, &new.kinds),
            schedules: Difference::between(&old.schedules, &new.schedules),
            ..Changes::default()
        };
        let was: BTreeMap<&str, &Setting> = by_key(old);
        let is: BTreeMap<&str, &Setting> = by_key(new);
        for setting in &new.settings {
            let before = was.get(setting.key.as_str()).copied();
            if before.is_none_or(|before| before.exact != setting.exact) {
                changes.push(before, Some(setting));
            }
        }
        for setting in &old.settings {
            if !is.contains_key(setting.key.as_str()) {
                changes.push(Some(setting), None);
            }
        }
        changes
    }
}

impl Changes {
    fn push(&mut self, from: Option<&Setting>, to: Option<&Setting>) {
        let Some(last) = to.or(from) else { return };
        let value = |setting: Option<&Setting>| setting.map(|setting| setting.value.clone());
        let change = Change {
            key: last.key.clone(),
            from: value(from),
            to: value(to),
            origin: last.origin.clone(),
        };
        if last.live { self.applied.push(change) } else { self.restart.push(change) }
    }
}

fn by_key(config: &Config) -> BTreeMap<&str, &Setting> {
    config.settings.iter().map(|setting| (setting.key.as_str(), setting)).collect()
}

/// Shows `queues.mail.slots: 8 → 16 (longshore.yaml:3)`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<Value>| match value {
            None => "not set".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let (from, to) = (shown(&self.from), shown(&self.to));
        write!(f, "{}: {from} → {to} ({})", self.key, self.origin)
    }
}

/// Shows a line for each value that changed; those that wait for a restart say so.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (change, note)) in self
            .applied
            .iter()
            .map(|change| (change, ""))
            .chain(self.restart.iter().map(|change| (change, ", at the next start")))
            .enumerate()
        {
            let line = if place == 0 { "" } else { "\n" };
            write!(f, "{line}{change}{note}")?;
        }
        Ok(())
    }
}
