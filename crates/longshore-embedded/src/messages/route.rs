//! Who gets what is published to a topic.

use super::{GroupId, Position};
use longshore_core::broker::{Pattern, TopicName};
use rustc_hash::FxHashMap as HashMap;
use std::sync::Arc;

/// Topics whose ways are remembered at a time.
const REMEMBERED: usize = 4_096;

/// A pattern of a group, and between which positions it counts: a message goes by what was declared when it was
/// published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) pattern: Pattern,
    /// What was published up to here, it does not get.
    pub(super) since: Position,
    /// What was published after this, it does not get.
    pub(super) until: Position,
}

/// The groups that get, or got, what is published to one topic.
#[derive(Debug, Default)]
pub(super) struct Route(Vec<(GroupId, Position, Position)>);

impl Route {
    /// Returns who gets what was published there at a position, each once.
    pub(super) fn takers(&self, position: Position) -> impl Iterator<Item = GroupId> {
        let covers = move |(_, since, until): &&(GroupId, Position, Position)| {
            *since < position && position <= *until
        };
        let mut last = None;
        let legs = self.0.iter().filter(covers).map(|(group, ..)| *group);
        legs.filter(move |group| last.replace(*group) != Some(*group))
    }
}

/// Where one message goes.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// To this group alone.
    Only(GroupId),
    /// To those that get what is published to its topic.
    Topic(Arc<Route>),
}

impl Way {
    /// Returns the way of a row.
    pub(super) fn of(routes: &mut Routes, topic: Option<&str>, only: Option<GroupId>) -> Self {
        match only {
            Some(group) => Self::Only(group),
            None => Self::Topic(routes.of(topic.unwrap_or_default())),
        }
    }

    /// Returns whether a group gets what was published at a position.
    pub(super) fn leads_to(&self, group: GroupId, position: Position) -> bool {
        match self {
            Self::Only(only) => *only == group,
            Self::Topic(route) => route.takers(position).any(|taker| taker == group),
        }
    }

    /// Returns the route, if it leads to more than one group.
    pub(super) fn shared(&self, position: Position) -> Option<Arc<Route>> {
        match self {
            Self::Topic(route) if route.takers(position).nth(1).is_some() => Some(route.clone()),
            _ => None,
        }
    }
}

/// All bindings, and the ways that were asked for last.
#[derive(Debug, Default)]
pub(super) struct Routes {
    bindings: Vec<(GroupId, Binding)>,
    remembered: HashMap<Box<str>, Arc<Route>>,
}

impl Routes {
    /// Takes the bindings of all groups, group by group.
    pub(super) fn set(&mut self, bindings: impl Iterator<Item = (GroupId, Binding)>) {
        self.bindings = bindings.collect();
        self.remembered.clear();
    }

    /// Returns the way of a topic. What is no name of one leads nowhere.
    pub(super) fn of(&mut self, topic: &str) -> Arc<Route> {
        if let Some(route) = self.remembered.get(topic) {
            return route.clone();
        }
        let route = Arc::new(self.find(topic));
        if self.remembered.len() >= REMEMBERED {
            self.remembered.clear();
        }
        self.remembered.insert(topic.into(), route.clone());
        route
    }

    fn find(&self, topic: &str) -> Route {
        let Ok(topic) = TopicName::new(topic) else { return Route::default() };
        let legs = self.bindings.iter().filter(|(_, binding)| binding.pattern.matches(&topic));
        Route(legs.map(|(group, binding)| (*group, binding.since, binding.until)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(pattern: &str, since: Position, until: Position) -> Binding {
        Binding { pattern: Pattern::new(pattern).unwrap(), since, until }
    }

    #[test]
    fn each_group_gets_it_once_and_only_while_it_is_bound() {
        let mut routes = Routes::default();
        let bound = [
            (1, binding("a.*", 0, Position::MAX)),
            (1, binding("#", 0, Position::MAX)),
            (2, binding("a.b", 10, 20)),
            (3, binding("b", 0, Position::MAX)),
        ];
        routes.set(bound.into_iter());
        let route = routes.of("a.b");
        let takers = |position| route.takers(position).collect::<Vec<_>>();
        assert_eq!(
            (takers(10), takers(11), takers(20), takers(21)),
            (vec![1], vec![1, 2], vec![1, 2], vec![1])
        );
        let way = Way::of(&mut routes, Some("a.b"), None);
        assert!(way.leads_to(2, 15) && !way.leads_to(3, 15));
        assert!(way.shared(15).is_some() && way.shared(5).is_none());
        assert!(Way::of(&mut routes, Some("a.b"), Some(3)).leads_to(3, 15));
    }
}
