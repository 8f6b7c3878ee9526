//! Handing out.
//!
//! First what is handed out again, then later attempts that are due, then what nobody had yet; each in order.

use super::found::{FRESH, Found, find};
use super::group::{Group, Held, Holder};
use super::hand::{Hand, Item, Place};
use super::log::Log;
use super::route::Way;
use super::{GroupId, Position};
use crate::error::Trouble;
use longshore_core::Timestamp;
use longshore_core::broker::TopicName;
use rusqlite::Connection;
use std::sync::Arc;

/// Rows of others that a round passes over in search of a group's own.
const STEPS: usize = 4_096;
/// Bytes of payloads that a round reads for a group: so that others have their turn.
const BYTES: usize = 8 << 20;

/// What a group hands out in one round.
#[derive(Default)]
struct Lot {
    bytes: usize,
    items: Vec<(Arc<Hand>, Vec<Item>)>,
}

impl Lot {
    fn is_full(&self) -> bool {
        self.bytes >= BYTES
    }

    fn add(&mut self, hand: Arc<Hand>, item: Item) {
        self.bytes += item.envelope.payload.len();
        match self.items.iter_mut().find(|(known, _)| known.number == hand.number) {
            Some((_, items)) => items.push(item),
            None => self.items.push((hand, vec![item])),
        }
    }
}

impl Log {
    /// Hands out what is there to whoever has room for it, and removes what gone groups have left.
    pub(crate) fn serve(&mut self, db: &Connection, now: Timestamp) -> Result<(), Trouble> {
        self.more = false;
        let busy = self.groups.values().filter(|group| group.gone || group.has_something(now));
        let ids: Vec<GroupId> = busy.map(|group| group.id).collect();
        for id in ids {
            let Some(mut group) = self.groups.remove(&id) else { continue };
            if group.gone {
                if self.collect(db, &mut group)? {
                    continue; // it is not there any more
                }
                self.more = true;
            } else if group.room() > 0 {
                let mut lot = Lot::default();
                let handed = self.hand_out(db, now, &mut group, &mut lot);
                self.groups.insert(id, group);
                handed?;
                self.outgoing.append(&mut lot.items);
                continue;
            }
            self.groups.insert(id, group);
        }
        Ok(())
    }

    fn hand_out(
        &mut self,
        db: &Connection,
        now: Timestamp,
        group: &mut Group,
        lot: &mut Lot,
    ) -> Result<(), Trouble> {
        self.hand_out_again(db, now, group, lot)?;
        if group.next_due <= now.0 {
            self.hand_out_due(db, now, group, lot)?;
        }
        self.hand_out_fresh(db, now, group, lot)?;
        self.more |= lot.is_full();
        Ok(())
    }

    fn hand_out_again(
        &mut self,
        db: &Connection,
        now: Timestamp,
        group: &mut Group,
        lot: &mut Lot,
    ) -> Result<(), Trouble> {
        let again: Vec<Position> = group.returned().iter().copied().take(group.room()).collect();
        for position in again {
            if lot.is_full() {
                break;
            }
            let Some(held) = group.find(position).cloned() else { continue };
            match find(db, group.id, position)? {
                Some(found) => self.give(db, now, group, found, held, true, lot)?,
                None => self.lose(db, group, position)?,
            }
        }
        Ok(())
    }

    fn hand_out_due(
        &mut self,
        db: &Connection,
        now: Timestamp,
        group: &mut Group,
        lot: &mut Lot,
    ) -> Result<(), Trouble> {
        let mut select = db.prepare_cached(
            "SELECT position FROM retries WHERE grp = ?1 AND due <= ?2 ORDER BY due, position",
        )?;
        let due = select.query_map((group.id, now.0), |row| row.get(0))?.take(group.room());
        let due: Vec<Position> = due.collect::<Result<_, _>>()?;
        let mut begin =
            db.prepare_cached("UPDATE retries SET due = NULL WHERE grp = ?1 AND position = ?2")?;
        for position in due {
            if lot.is_full() {
                break;
            }
            begin.execute((group.id, position))?;
            let held = Held { count: 0, is_retry: true, holder: None };
            self.put(group, position, Some(held.clone()));
            match find(db, group.id, position)? {
                Some(found) => self.give(db, now, group, found, held, false, lot)?,
                None => self.lose(db, group, position)?,
            }
        }
        group.next_due = next_due(db, group.id)?;
        Ok(())
    }

    fn hand_out_fresh(
        &mut self,
        db: &Connection,
        now: Timestamp,
        group: &mut Group,
        lot: &mut Lot,
    ) -> Result<(), Trouble> {
        let mut select = db.prepare_cached(FRESH)?;
        let mut rows = select.query([group.cursor])?;
        let mut passed = 0;
        while group.ready > 0 && group.room() > 0 && !lot.is_full() {
            if passed == STEPS {
                self.more = true;
                break;
            }
            let Some(row) = rows.next()? else {
                tracing::error!(group = %group.name, missing = group.ready,
                    "messages of a group are not there; check the disk");
                self.set_aside += group.ready.unsigned_abs();
                group.ready = 0;
                break;
            };
            let position: Position = row.get(0)?;
            let topic = row.get_ref(1)?.as_str_or_null().unwrap_or_default();
            let way = Way::of(&mut self.routes, topic, row.get(2)?);
            (group.cursor, group.dirty) = (position, true);
            if !way.leads_to(group.id, position) {
                passed += 1;
                continue;
            }
            group.ready -= 1;
            let held = Held { count: 0, is_retry: false, holder: None };
            self.give(db, now, group, Found::read(row)?, held, false, lot)?;
        }
        Ok(())
    }

    /// Hands one to whose turn it is, unless it cannot or must not be handed out any more.
    #[expect(clippy::too_many_arguments, reason = "the round, the group and what is found there")]
    fn give(
        &mut self,
        db: &Connection,
        now: Timestamp,
        group: &mut Group,
        found: Found,
        held: Held,
        redelivered: bool,
        lot: &mut Lot,
    ) -> Result<(), Trouble> {
        let position = found.position;
        if found.damaged || (held.count >= group.breaker.max(1) && group.dead.is_some()) {
            self.put(group, position, Some(held));
            return self.put_aside(db, now, group, found);
        }
        let Some(hand) = group.next_hand() else {
            // Whoever had room has paused meanwhile.
            self.put(group, position, Some(held));
            return Ok(());
        };
        let way = Way::of(&mut self.routes, found.topic.as_deref(), found.only);
        self.token += 1;
        let (token, count) = (self.token, held.count + 1);
        let holder = Holder { hand: hand.clone(), token, shared: way.shared(position) };
        let held = Held { count, is_retry: held.is_retry, holder: Some(holder) };
        self.put(group, position, Some(held));
        let place = Place { group: group.id, position, token };
        let topic = found.topic.as_deref().and_then(|topic| TopicName::new(topic).ok());
        lot.add(hand, Item { place, envelope: found.envelope, topic, count, redelivered });
        Ok(())
    }
}

/// Returns when the next later attempt of a group is due.
pub(super) fn next_due(db: &Connection, group: GroupId) -> Result<i64, Trouble> {
    let mut select =
        db.prepare_cached("SELECT min(due) FROM retries WHERE grp = ?1 AND due IS NOT NULL")?;
    Ok(select.query_row([group], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(i64::MAX))
}
