//! How deliveries end.

use super::group::{Group, Held};
use super::hand::Place;
use super::log::Log;
use super::route::{Route, Way};
use super::{GroupId, Position, parcel};
use crate::error::Trouble;
use longshore_core::Timestamp;
use longshore_core::broker::{Envelope, GroupName, Settled};
use rusqlite::{Connection, OptionalExtension};
use std::time::Duration;

impl Log {
    /// It is never handed out again.
    pub(crate) fn ack(&mut self, db: &Connection, place: Place) -> Result<Settled, Trouble> {
        self.settle(place, |log, group| log.forget(db, group, place.position))
    }

    /// It is handed out again, and nothing is counted.
    pub(crate) fn release(&mut self, place: Place) -> Result<Settled, Trouble> {
        self.settle(place, |log, group| {
            let Some(held) = group.find(place.position).cloned() else { return Ok(()) };
            let held = Held { count: held.count.saturating_sub(1), holder: None, ..held };
            log.put(group, place.position, Some(held));
            Ok(())
        })
    }

    /// It is handed out again after a pause, with other headers. The payload stays where it is.
    pub(crate) fn postpone(
        &mut self,
        db: &Connection,
        now: Timestamp,
        place: Place,
        after: Duration,
        headers: Option<&str>,
    ) -> Result<Settled, Trouble> {
        self.settle(place, |log, group| {
            let due = now.after(after).0;
            let is_retry = group.find(place.position).is_some_and(|held| held.is_retry);
            db.prepare_cached("INSERT OR REPLACE INTO retries(grp, position, due, headers) VALUES (?1, ?2, ?3, ?4)")?
                .execute((group.id, place.position, due, headers))?;
            log.put(group, place.position, None);
            group.retries += i64::from(!is_retry);
            group.next_due = group.next_due.min(due);
            Ok(())
        })
    }

    /// It is put among the dead letters. Nothing if there can be none.
    pub(crate) fn bury(
        &mut self,
        db: &Connection,
        now: Timestamp,
        place: Place,
        letter: &Envelope,
    ) -> Result<Option<Settled>, Trouble> {
        let Some(group) = self.groups.get(&place.group) else { return Ok(Some(Settled::Stale)) };
        let Some(name) = group.dead.clone() else { return Ok(None) };
        let settled = self.settle(place, |log, group| {
            let dead = log.dead_group(db, &name)?;
            let topic: Option<String> = db
                .prepare_cached("SELECT topic FROM messages WHERE position = ?1")?
                .query_row([place.position], |row| row.get(0))
                .optional()?
                .flatten();
            let headers = parcel::pack(&letter.headers);
            let from = (topic.as_deref(), dead);
            log.put_before(db, now, from, headers.as_deref(), &letter.payload)?;
            log.forget(db, group, place.position)
        })?;
        Ok(Some(settled))
    }

    /// Does something about a hand-out, if it is still the one that is meant.
    fn settle(
        &mut self,
        place: Place,
        how: impl FnOnce(&mut Self, &mut Group) -> Result<(), Trouble>,
    ) -> Result<Settled, Trouble> {
        let is_held = |group: &Group| group.held(place.position, place.token).is_some();
        let group = self.groups.remove(&place.group);
        let Some(mut group) = group else { return Ok(Settled::Stale) };
        let is_held = is_held(&group);
        let done = if is_held { how(self, &mut group) } else { Ok(()) };
        self.groups.insert(place.group, group);
        done?;
        Ok(if is_held { Settled::Done } else { Settled::Stale })
    }

    /// A group is through with a message; the last one removes it.
    pub(super) fn forget(
        &mut self,
        db: &Connection,
        group: &mut Group,
        position: Position,
    ) -> Result<(), Trouble> {
        let Some(held) = group.find(position).cloned() else { return Ok(()) };
        self.put(group, position, None);
        if held.is_retry {
            db.prepare_cached("DELETE FROM retries WHERE grp = ?1 AND position = ?2")?
                .execute((group.id, position))?;
            group.retries -= 1;
        }
        let shared = match held.holder {
            Some(holder) => holder.shared,
            None => self.way_of(db, position)?.and_then(|way| way.shared(position)),
        };
        let others = match shared {
            Some(route) => self.is_wanted(db, &route, position, group.id)?,
            None => false,
        };
        if !others {
            self.freed.push(position);
        }
        Ok(())
    }

    /// Returns where a message went, if it is still there.
    pub(super) fn way_of(
        &mut self,
        db: &Connection,
        position: Position,
    ) -> Result<Option<Way>, Trouble> {
        let mut select =
            db.prepare_cached("SELECT topic, only FROM messages WHERE position = ?1")?;
        let mut rows = select.query([position])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let topic = row.get_ref(0)?.as_str_or_null().unwrap_or_default();
        Ok(Some(Way::of(&mut self.routes, topic, row.get(1)?)))
    }

    /// Returns whether some other group has not settled a message.
    pub(super) fn is_wanted(
        &self,
        db: &Connection,
        route: &Route,
        position: Position,
        but: GroupId,
    ) -> Result<bool, Trouble> {
        for taker in route.takers(position).filter(|taker| *taker != but) {
            let Some(group) = self.groups.get(&taker) else { continue };
            if position > group.cursor || group.find(position).is_some() {
                return Ok(true);
            }
            let mut waits =
                db.prepare_cached("SELECT 1 FROM retries WHERE grp = ?1 AND position = ?2")?;
            if group.retries > 0 && waits.exists((taker, position))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the group for dead letters of that name; it is made if it is not there.
    pub(super) fn dead_group(
        &mut self,
        db: &Connection,
        name: &GroupName,
    ) -> Result<GroupId, Trouble> {
        match self.find(name) {
            Some(group) => Ok(group),
            None => self.create(db, &super::declare::dead(name), false),
        }
    }
}
