//! The shape of what is wanted: a queue with its arguments and bindings for each group.

use crate::group::{ExchangeType, GroupOptions, set};
use crate::names::{DEFAULT, Route};
use lapin::types::{AMQPValue, FieldTable};
use longshore_core::broker::{DeclareMode, Group, GroupName, Pattern, Topic, TopicName};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A group that is wanted.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) group: Group,
    pub(crate) options: GroupOptions,
    pub(crate) queue: String,
    pub(crate) bindings: Vec<Route>,
    pub(crate) mode: DeclareMode,
    /// Nobody declared it: it came with a group whose dead letters it gets.
    is_implied: bool,
    was_there: AtomicBool,
}

impl Entry {
    /// Takes a group with its options read.
    pub(crate) fn new(
        group: Group,
        options: GroupOptions,
        mode: DeclareMode,
        exchange: &str,
    ) -> Self {
        let queue = options.queue.clone().unwrap_or_else(|| group.name.as_str().to_owned());
        let otherwise = options.exchange.as_deref().unwrap_or(exchange);
        let mut bindings: Vec<_> =
            group.patterns.iter().map(|pattern| Route::read(pattern.as_str(), otherwise)).collect();
        let is_for_all = options.exchange_type.is_some_and(ExchangeType::ignores_keys)
            || !options.matching.is_empty();
        if let (Some(exchange), true, true) = (&options.exchange, is_for_all, bindings.is_empty()) {
            bindings.push(Route { exchange: exchange.clone(), key: String::new() });
        }
        let was_there = AtomicBool::new(false);
        Self { group, options, queue, bindings, mode, is_implied: false, was_there }
    }

    /// Makes what gets the dead letters of others.
    fn implied(name: GroupName, mode: DeclareMode) -> Self {
        let group = Group { dead: None, ..Group::new(name) };
        Self { is_implied: true, ..Self::new(group, GroupOptions::default(), mode, DEFAULT) }
    }

    /// Returns the arguments of its queue.
    pub(crate) fn arguments(&self, queue_of: impl Fn(&GroupName) -> String) -> FieldTable {
        let mut table = FieldTable::default();
        let text = |text: &str| AMQPValue::LongString(text.into());
        if self.group.single_active {
            set(&mut table, "x-single-active-consumer", AMQPValue::Boolean(true));
        }
        if self.options.is_classic {
            set(&mut table, "x-queue-type", text("classic"));
        } else {
            set(&mut table, "x-queue-type", text("quorum"));
            let limit = i64::from(self.group.breaker);
            set(&mut table, "x-delivery-limit", AMQPValue::LongLongInt(limit));
            if let Some(dead) = &self.group.dead {
                // What the breaker puts aside would be dropped otherwise, or moved without a confirm.
                set(&mut table, "x-dead-letter-exchange", text(DEFAULT));
                set(&mut table, "x-dead-letter-routing-key", text(&queue_of(dead)));
                set(&mut table, "x-dead-letter-strategy", text("at-least-once"));
                set(&mut table, "x-overflow", text("reject-publish"));
            }
        }
        self.options.add_arguments(&mut table);
        table
    }

    /// Returns whether it gets what is published there, as far as that can be known here.
    pub(crate) fn gets(&self, route: &Route) -> bool {
        let is_topics = |kind| matches!(kind, None | Some(ExchangeType::Topic));
        self.bindings.iter().filter(|bound| bound.exchange == route.exchange).any(
            |bound| match self.options.exchange_type {
                Some(kind) if kind.ignores_keys() => true,
                kind if is_topics(kind) => matches(&bound.key, &route.key),
                _ => bound.key == route.key,
            },
        )
    }

    /// Returns whether its queue was there before.
    pub(crate) fn was_there(&self) -> bool {
        self.was_there.load(Ordering::Relaxed)
    }

    /// Its queue was found or made.
    pub(crate) fn is_there(&self) {
        self.was_there.store(true, Ordering::Relaxed);
    }
}

fn matches(pattern: &str, key: &str) -> bool {
    match (Pattern::new(pattern), TopicName::new(key)) {
        (Ok(pattern), Ok(topic)) => pattern.matches(&topic),
        _ => pattern == key,
    }
}

/// A topic with properties of its own.
#[derive(Debug, Clone)]
pub(crate) struct TopicShape {
    pub(crate) route: Route,
    /// The exchange is declared, if it has a type.
    pub(crate) kind: Option<ExchangeType>,
    pub(crate) mode: DeclareMode,
}

/// All that is wanted.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) groups: BTreeMap<GroupName, Arc<Entry>>,
    pub(crate) topics: BTreeMap<TopicName, TopicShape>,
}

impl Wanted {
    /// Adds groups, and those for their dead letters; returns all their names.
    pub(crate) fn add(&mut self, entries: Vec<Entry>) -> Vec<GroupName> {
        let mut names = Vec::new();
        let dead: Vec<_> = entries
            .iter()
            .filter_map(|entry| Some((entry.group.dead.clone()?, entry.mode)))
            .collect();
        for entry in entries {
            names.push(entry.group.name.clone());
            self.put(entry);
        }
        for (name, mode) in dead {
            if self.groups.get(&name).is_none_or(|known| known.is_implied) {
                self.put(Entry::implied(name.clone(), mode));
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn put(&mut self, entry: Entry) {
        let name = entry.group.name.clone();
        let known = self.groups.get(&name).filter(|known| known.queue == entry.queue);
        if known.is_some_and(|known| known.was_there()) {
            entry.is_there();
        }
        self.groups.insert(name, Arc::new(entry));
    }

    /// Adds a topic; its options are those of an exchange.
    pub(crate) fn add_topic(
        &mut self,
        topic: &Topic,
        mode: DeclareMode,
        exchange: &str,
    ) -> Result<(), String> {
        let options = GroupOptions::read(&topic.options)?;
        let is_of_queues = options.queue.is_some()
            || options.is_classic
            || !options.arguments.is_empty()
            || !options.matching.is_empty();
        if is_of_queues {
            return Err("a topic has the options exchange and exchange_type only".to_owned());
        }
        let otherwise = options.exchange.as_deref().unwrap_or(exchange);
        let route = Route::read(topic.name.as_str(), otherwise);
        let shape = TopicShape { route, kind: options.exchange_type, mode };
        self.topics.insert(topic.name.clone(), shape);
        Ok(())
    }

    /// Returns the queue of a group, declared or not.
    pub(crate) fn queue_of(&self, group: &GroupName) -> String {
        let entry = self.groups.get(group);
        entry.map_or_else(|| group.as_str().to_owned(), |entry| entry.queue.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(patterns: &[&str], options: GroupOptions) -> Entry {
        let mut group = Group::new(GroupName::new("shipping").unwrap());
        group.patterns = patterns.iter().map(|pattern| Pattern::new(pattern).unwrap()).collect();
        Entry::new(group, options, DeclareMode::Declare, "amq.topic")
    }

    fn route(exchange: &str, key: &str) -> Route {
        Route { exchange: exchange.to_owned(), key: key.to_owned() }
    }

    #[test]
    fn a_group_is_a_quorum_queue_with_a_breaker_that_loses_nothing() {
        let table = entry(&["orders.#"], GroupOptions::default())
            .arguments(|group| group.as_str().to_owned());
        let text = |name: &str| match table.inner().get(name) {
            Some(AMQPValue::LongString(text)) => text.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(text("x-queue-type"), "quorum");
        assert_eq!(text("x-dead-letter-routing-key"), "shipping.dead");
        assert_eq!(text("x-dead-letter-strategy"), "at-least-once");
        assert_eq!(table.inner().get("x-delivery-limit"), Some(&AMQPValue::LongLongInt(100)));
    }

    #[test]
    fn raw_arguments_come_last() {
        let options = GroupOptions::default().argument("x-delivery-limit", 5);
        let table = entry(&[], options).arguments(|group| group.as_str().to_owned());
        assert_eq!(table.inner().get("x-delivery-limit"), Some(&AMQPValue::LongLongInt(5)));
    }

    #[test]
    fn patterns_are_bound_where_they_say() {
        let bound = entry(&["orders.#", "shop/paid"], GroupOptions::default());
        assert_eq!(bound.bindings, [route("amq.topic", "orders.#"), route("shop", "paid")]);
        assert!(bound.gets(&route("amq.topic", "orders.created")));
        assert!(!bound.gets(&route("shop", "orders.created")));
        let all = entry(&[], GroupOptions::default().exchange("logs", Some(ExchangeType::Fanout)));
        assert_eq!(all.bindings, [route("logs", "")]);
        assert!(all.gets(&route("logs", "anything")));
    }

    #[test]
    fn groups_of_dead_letters_come_by_themselves_once() {
        let mut wanted = Wanted::default();
        let names = wanted.add(vec![entry(&[], GroupOptions::default())]);
        assert_eq!(
            names.iter().map(GroupName::as_str).collect::<Vec<_>>(),
            ["shipping", "shipping.dead"]
        );
        assert_eq!(wanted.groups.len(), 2);
    }
}
