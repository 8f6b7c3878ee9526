//! The writer's memory of messages: groups, ways, and what a round has changed.

use super::group::{COLUMNS, Group, Held, UNCOUNTED};
use super::hand::{Hand, Item, Place};
use super::route::{Routes, Way};
use super::{GroupId, Position};
use crate::error::Trouble;
use crate::schema;
use longshore_core::Timestamp;
use longshore_core::broker::{GroupName, Subscribed};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether a pause is over: the clock may be set.
const LOOK: Duration = Duration::from_millis(50);
/// How soon something is tried again that a full disk has stopped.
const AGAIN: Duration = Duration::from_secs(1);

/// All groups, and what lies between them and the file.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(super) groups: BTreeMap<GroupId, Group>,
    pub(super) routes: Routes,
    /// The place that was given last.
    pub(super) end: Position,
    /// Places up to here are reserved in the file.
    limit: Position,
    pub(super) token: u64,
    /// Settled by all who got them: to be removed.
    pub(super) freed: Vec<Position>,
    /// Who had what before this round.
    undo: Vec<(GroupId, Position, Option<Held>)>,
    /// Handed out in this round: told after its commit.
    pub(super) outgoing: Vec<(Arc<Hand>, Vec<Item>)>,
    /// There is more to hand out, or to remove.
    pub(super) more: bool,
    /// A round was rolled back: what it did for nobody in particular is to be tried again.
    failed: bool,
    /// Damaged messages that were set aside in this round.
    pub(super) set_aside: u64,
}

impl Log {
    /// Reads everything from the file: at the start, and after a transaction was rolled back.
    pub(crate) fn load(&mut self, db: &Connection) -> Result<(), Trouble> {
        while let Some((group, position, held)) = self.undo.pop() {
            if let Some(group) = self.groups.get_mut(&group) {
                group.put(position, held);
            }
        }
        let mut known = std::mem::take(&mut self.groups);
        let mut select = db.prepare_cached(&format!("SELECT {COLUMNS} FROM groups"))?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            match Group::read(row) {
                Ok(mut group) => {
                    match known.remove(&group.id) {
                        Some(before) => group.inherit(before),
                        None => group.gone = group.temporary, // its subscription died with its process
                    }
                    self.groups.insert(group.id, group);
                }
                Err(error) => {
                    tracing::error!(%error, "a group is damaged: it is left alone; check the disk");
                }
            }
        }
        for group in self.groups.values_mut() {
            group.load_retries(db)?;
        }
        let reserved = db
            .prepare_cached("SELECT value FROM meta WHERE key = 'position_limit'")?
            .query_row([], |row| row.get(0));
        // What was reserved by a round that was rolled back is reserved anew.
        self.end = self.end.max(reserved.optional()?.unwrap_or(0));
        self.limit = self.end;
        self.bind();
        self.count_anew(db)?;
        self.freed.clear();
        self.outgoing.clear();
        (self.more, self.failed, self.set_aside) = (false, true, 0);
        Ok(())
    }

    /// Counts what is there for groups of which that is not known any more.
    fn count_anew(&mut self, db: &Connection) -> Result<(), Trouble> {
        let unknown = self.groups.values_mut().filter(|group| group.ready == UNCOUNTED);
        for group in unknown {
            let mut select = db
                .prepare_cached("SELECT position, topic, only FROM messages WHERE position > ?1")?;
            let mut rows = select.query([group.cursor])?;
            group.ready = 0;
            while let Some(row) = rows.next()? {
                let topic: Option<String> = row.get(1)?;
                let way = Way::of(&mut self.routes, topic.as_deref(), row.get(2)?);
                group.ready += i64::from(way.leads_to(group.id, row.get(0)?));
            }
            group.dirty = true;
        }
        Ok(())
    }

    /// Takes over the bindings of all groups that receive something.
    pub(super) fn bind(&mut self) {
        let groups = self.groups.values().filter(|group| !group.gone);
        let each = |group: &Group| {
            let id = group.id;
            group.bindings.clone().into_iter().map(move |binding| (id, binding))
        };
        self.routes.set(groups.flat_map(each));
    }

    /// Gives out the next place.
    pub(super) fn next(&mut self, db: &Connection) -> Result<Position, Trouble> {
        if self.end >= self.limit {
            self.limit = self.end + schema::SEQ_BLOCK;
            db.prepare_cached(
                "INSERT OR REPLACE INTO meta(key, value) VALUES ('position_limit', ?1)",
            )?
            .execute([self.limit])?;
        }
        self.end += 1;
        Ok(self.end)
    }

    pub(super) fn find(&self, name: &GroupName) -> Option<GroupId> {
        let group = self.groups.values().find(|group| group.name == *name && !group.gone);
        group.map(|group| group.id)
    }

    /// Changes who has a position; a round that is rolled back changes it back.
    pub(super) fn put(&mut self, group: &mut Group, position: Position, held: Option<Held>) {
        let before = group.put(position, held);
        self.undo.push((group.id, position, before));
    }

    /// Takes back what was dropped unsettled. Nothing of it is in the file.
    pub(crate) fn take_back(&mut self, places: &[Place], counts: bool) {
        for place in places {
            let Some(group) = self.groups.get_mut(&place.group) else { continue };
            if group.held(place.position, place.token).is_some() {
                group.take_back(place.position, counts);
            }
        }
    }

    /// Looks which subscriptions have ended, and lets them go.
    pub(crate) fn let_go(&mut self) {
        let mut gone = false;
        for group in self.groups.values_mut() {
            let before = group.gone;
            group.let_go();
            gone |= group.gone != before;
        }
        if gone {
            self.bind();
        }
    }

    /// Writes what has changed, at the end of a round.
    pub(crate) fn flush(&mut self, db: &Connection) -> Result<(), Trouble> {
        self.remove_freed(db)?;
        let mut update = None;
        for group in self.groups.values_mut().filter(|group| group.dirty) {
            if update.is_none() {
                let sql = "UPDATE groups SET cursor = ?2, ready = ?3, held = ?4 WHERE id = ?1";
                update = Some(db.prepare_cached(sql)?);
            }
            if let Some(update) = &mut update {
                update.execute((group.id, group.cursor, group.ready, group.packed()))?;
            }
            group.dirty = false;
        }
        Ok(())
    }

    fn remove_freed(&mut self, db: &Connection) -> Result<(), Trouble> {
        if self.freed.is_empty() {
            return Ok(());
        }
        self.freed.sort_unstable();
        let mut delete =
            db.prepare_cached("DELETE FROM messages WHERE position BETWEEN ?1 AND ?2")?;
        for run in self.freed.chunk_by(|before, next| *next <= before + 1) {
            delete.execute((run[0], run[run.len() - 1]))?;
        }
        self.freed.clear();
        Ok(())
    }

    /// The round is committed: now those are told who were handed something.
    pub(crate) fn committed(&mut self) -> u64 {
        self.undo.clear();
        self.failed = false;
        for (hand, items) in std::mem::take(&mut self.outgoing) {
            if let Err(untaken) = hand.give(items) {
                let places: Vec<Place> = untaken.into_iter().map(|item| item.place).collect();
                self.take_back(&places, false);
                self.more = true;
            }
        }
        std::mem::take(&mut self.set_aside)
    }

    /// Returns when there is something to do, if nothing happens before.
    pub(crate) fn patience(&self, now: Timestamp) -> Option<Duration> {
        if self.more {
            return Some(Duration::ZERO);
        }
        let waiting = self.groups.values().filter(|group| group.room() > 0);
        let next = waiting.map(|group| group.next_due).min().filter(|due| *due < i64::MAX);
        let due = next.map(|due| Timestamp(due).since(now).min(LOOK));
        let again = self.failed.then_some(AGAIN);
        due.into_iter().chain(again).min()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let hands = self.groups.values().flat_map(|group| &group.hands);
        hands.for_each(|hand| drop(hand.turn(Subscribed::Ended)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Parcel;
    use longshore_core::broker::{Envelope, Group as Spec, Outgoing, Settled, Topology, What};

    const NOW: Timestamp = Timestamp(1_000);

    /// A log over a file in memory, with a group and somebody who receives from it.
    fn bench() -> (Connection, Log, Arc<Hand>, GroupName) {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(schema::CREATE).unwrap();
        let (mut log, name) = (Log::default(), GroupName::new("g").unwrap());
        log.load(&db).unwrap();
        log.declare(&db, &Topology::of(Spec::new(name.clone())), true).unwrap();
        let hand = Arc::new(Hand::new(1, Some(name.clone()), 2));
        log.join(&db, &What::Group(name.clone()), &hand).unwrap();
        round(&mut log, &db);
        (db, log, hand, name)
    }

    fn publish(log: &mut Log, db: &Connection, group: &GroupName, count: usize) {
        let one = || Parcel::from(Outgoing::to_group(group.clone(), Envelope::new("x")));
        let parcels: Vec<Parcel> = (0..count).map(|_| one()).collect();
        assert!(log.publish(db, NOW, &parcels).unwrap().iter().all(Result::is_ok));
    }

    fn round(log: &mut Log, db: &Connection) {
        log.serve(db, NOW).unwrap();
        log.flush(db).unwrap();
        log.committed();
    }

    async fn take(hand: &Hand) -> Vec<Place> {
        hand.take(usize::MAX).await.into_iter().map(|item| item.place).collect()
    }

    #[tokio::test]
    async fn a_round_that_is_rolled_back_has_handed_out_and_settled_nothing() {
        let (db, mut log, hand, name) = bench();
        publish(&mut log, &db, &name, 3);
        round(&mut log, &db);
        let places = take(&hand).await;
        let before = log.inspect(&db, NOW, &name).unwrap();
        db.execute_batch("BEGIN").unwrap();
        log.ack(&db, places[0]).unwrap();
        log.postpone(&db, NOW, places[1], Duration::ZERO, None).unwrap();
        publish(&mut log, &db, &name, 1);
        log.serve(&db, NOW).unwrap();
        log.flush(&db).unwrap();
        db.execute_batch("ROLLBACK").unwrap();
        log.load(&db).unwrap();
        assert_eq!(log.inspect(&db, NOW, &name).unwrap(), before);
        assert_eq!(hand.unsettled(), 2);
        for place in places {
            assert_eq!(log.ack(&db, place).unwrap(), Settled::Done);
        }
        round(&mut log, &db);
        let last = take(&hand).await;
        assert_eq!(last.len(), 1);
        log.ack(&db, last[0]).unwrap();
        round(&mut log, &db);
        let left: i64 =
            db.query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0);
    }

    #[tokio::test]
    async fn what_is_handed_to_somebody_who_has_paused_goes_to_another() {
        let (db, mut log, hand, name) = bench();
        publish(&mut log, &db, &name, 2);
        log.serve(&db, NOW).unwrap();
        hand.turn(Subscribed::Paused);
        log.flush(&db).unwrap();
        log.committed();
        assert_eq!(log.patience(NOW), Some(Duration::ZERO));
        let other = Arc::new(Hand::new(2, Some(name.clone()), 9));
        log.join(&db, &What::Group(name), &other).unwrap();
        round(&mut log, &db);
        assert_eq!((take(&other).await.len(), hand.unsettled()), (2, 0));
    }

    #[tokio::test]
    async fn a_place_is_never_given_twice() {
        let (db, mut log, _hand, name) = bench();
        publish(&mut log, &db, &name, 1);
        let last = log.end;
        let mut again = Log::default();
        again.load(&db).unwrap();
        assert!(again.next(&db).unwrap() > last);
    }
}
