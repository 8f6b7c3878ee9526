//! What has to be there.

use super::group::{self, COLUMNS, Group};
use super::hand::Hand;
use super::log::Log;
use super::route::Binding;
use super::{GroupId, Position};
use crate::error::Trouble;
use longshore_core::broker::{
    Difference, Group as Spec, GroupName, Pattern, Topology, TopologyDiff, What,
};
use rusqlite::Connection;
use std::sync::Arc;

/// A group for dead letters, which has none of its own.
pub(super) fn dead(name: &GroupName) -> Spec {
    Spec { dead: None, ..Spec::new(name.clone()) }
}

impl Log {
    /// Tells what is missing, and makes it if it is to be made.
    pub(crate) fn declare(
        &mut self,
        db: &Connection,
        topology: &Topology,
        create: bool,
    ) -> Result<TopologyDiff, Trouble> {
        let mut diff = TopologyDiff::default();
        for spec in &topology.groups {
            match self.find(&spec.name) {
                Some(id) => self.compare(db, id, spec, create, &mut diff)?,
                None => self.miss(db, spec, create, &mut diff)?,
            }
        }
        // Later, for one that is declared itself is more than a place for letters.
        for letters in topology.groups.iter().filter_map(letters_of) {
            let is_told = diff.missing.contains(&object(letters));
            if self.find(letters).is_none() && !is_told {
                self.miss(db, &dead(letters), create, &mut diff)?;
            }
        }
        Ok(diff)
    }

    fn miss(
        &mut self,
        db: &Connection,
        spec: &Spec,
        create: bool,
        diff: &mut TopologyDiff,
    ) -> Result<(), Trouble> {
        diff.missing.push(object(&spec.name));
        if create {
            self.create(db, spec, false)?;
        }
        Ok(())
    }

    /// Patterns are brought up to what is declared; so is what does not concern how a group receives.
    fn compare(
        &mut self,
        db: &Connection,
        id: GroupId,
        spec: &Spec,
        create: bool,
        diff: &mut TopologyDiff,
    ) -> Result<(), Trouble> {
        let end = self.end;
        let Some(group) = self.groups.get_mut(&id) else { return Ok(()) };
        if group.single_active != spec.single_active {
            diff.different.push(Difference {
                object: object(&spec.name),
                property: "single_active".to_owned(),
                wanted: spec.single_active.to_string(),
                found: Some(group.single_active.to_string()),
            });
        }
        let is_bound = |pattern: &Pattern, bindings: &[Binding]| {
            bindings.iter().any(|one| one.pattern == *pattern && one.until == Position::MAX)
        };
        let mut bindings = group.bindings.clone();
        for pattern in &spec.patterns {
            if !is_bound(pattern, &bindings) {
                diff.missing.push(format!("{pattern} of {}", object(&spec.name)));
                bindings.push(Binding {
                    pattern: pattern.clone(),
                    since: end,
                    until: Position::MAX,
                });
            }
        }
        for binding in bindings.iter_mut().filter(|one| !spec.patterns.contains(&one.pattern)) {
            binding.until = binding.until.min(end);
        }
        let cursor = group.cursor;
        bindings.retain(|one| one.until > cursor || !group.is_idle());
        let same = bindings == group.bindings
            && letters_of(spec) == group.dead.as_ref()
            && spec.breaker == group.breaker;
        if !create || same {
            return Ok(());
        }
        db.prepare_cached(
            "UPDATE groups SET patterns = ?2, dead = ?3, breaker = ?4 WHERE id = ?1",
        )?
        .execute((
            id,
            group::pack(&bindings)?,
            letters_of(spec).map(GroupName::as_str),
            spec.breaker,
        ))?;
        group.bindings = bindings;
        group.dead = letters_of(spec).cloned();
        group.breaker = spec.breaker;
        self.bind();
        Ok(())
    }

    /// Makes a group: it gets what is published from now on.
    pub(super) fn create(
        &mut self,
        db: &Connection,
        spec: &Spec,
        temporary: bool,
    ) -> Result<GroupId, Trouble> {
        let binding = |pattern: &Pattern| Binding {
            pattern: pattern.clone(),
            since: self.end,
            until: Position::MAX,
        };
        let bindings: Vec<Binding> = spec.patterns.iter().map(binding).collect();
        let dead = letters_of(spec).map(GroupName::as_str);
        let mut insert = db.prepare_cached(&format!(
            "INSERT INTO groups(name, patterns, single_active, dead, breaker, temporary, cursor, ready, held)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, x'') RETURNING {COLUMNS}"
        ))?;
        let (name, patterns) = (spec.name.as_str(), group::pack(&bindings)?);
        let row = (name, patterns, spec.single_active, dead, spec.breaker, temporary, self.end);
        let group = insert.query_row(row, Group::read)?;
        let id = group.id;
        self.groups.insert(id, group);
        if !bindings.is_empty() {
            self.bind();
        }
        Ok(id)
    }

    /// Begins to hand out to somebody; false if there is no such group.
    pub(crate) fn join(
        &mut self,
        db: &Connection,
        what: &What,
        hand: &Arc<Hand>,
    ) -> Result<bool, Trouble> {
        if hand.has_ended() {
            return Ok(true); // nobody waits for it any more
        }
        let id = match what {
            What::Group(name) => self.find(name),
            What::All(patterns) => Some(self.create(db, &broadcast(patterns, hand)?, true)?),
        };
        let Some(group) = id.and_then(|id| self.groups.get_mut(&id)) else { return Ok(false) };
        group.hands.retain(|known| known.number != hand.number); // of a round that was rolled back
        group.hands.push(hand.clone());
        Ok(true)
    }
}

/// Returns where dead letters go: never to the group itself, which would hand them out for ever.
fn letters_of(spec: &Spec) -> Option<&GroupName> {
    spec.dead.as_ref().filter(|dead| **dead != spec.name)
}

fn object(group: &GroupName) -> String {
    format!("group {group}")
}

/// A group for one subscription.
fn broadcast(patterns: &[Pattern], hand: &Hand) -> Result<Spec, Trouble> {
    let name = GroupName::new(&format!("broadcast.{:x}", hand.number));
    let name = name.map_err(|bad| Trouble::Failed(bad.to_string()))?;
    Ok(Spec { patterns: patterns.to_vec(), dead: None, ..Spec::new(name) })
}
