//! Removing what groups have left that are gone.

use super::group::Group;
use super::log::Log;
use super::route::Way;
use super::{GroupId, Position};
use crate::error::Trouble;
use rusqlite::Connection;

/// Messages that a round looks at for a group that is gone.
const BATCH: usize = 4_096;

impl Log {
    /// Removes what nobody else wants; true once the group itself is removed.
    pub(super) fn collect(&mut self, db: &Connection, group: &mut Group) -> Result<bool, Trouble> {
        let mut select = db.prepare_cached("SELECT position FROM retries WHERE grp = ?1")?;
        let waiting = select.query_map([group.id], |row| row.get(0))?;
        let mut left: Vec<Position> = waiting.collect::<Result<_, _>>()?;
        left.extend(group.all_held().map(|(position, _)| position));
        for position in &left {
            self.put(group, *position, None);
            self.free_if_unwanted(db, group.id, *position)?;
        }
        db.prepare_cached("DELETE FROM retries WHERE grp = ?1")?.execute([group.id])?;
        (group.retries, group.next_due) = (0, i64::MAX);
        if group.ready > 0 && !self.pass(db, group)? {
            return Ok(false);
        }
        db.prepare_cached("DELETE FROM groups WHERE id = ?1")?.execute([group.id])?;
        Ok(true)
    }

    /// Passes over one batch behind the cursor; true at the end of all.
    fn pass(&mut self, db: &Connection, group: &mut Group) -> Result<bool, Trouble> {
        let mut select = db.prepare_cached(
            "SELECT position FROM messages WHERE position > ?1 ORDER BY position",
        )?;
        let next = select.query_map([group.cursor], |row| row.get(0))?.take(BATCH);
        let next: Vec<Position> = next.collect::<Result<_, _>>()?;
        for position in &next {
            self.free_if_unwanted(db, group.id, *position)?;
        }
        group.cursor = next.last().copied().unwrap_or(self.end);
        group.dirty = true;
        Ok(next.len() < BATCH)
    }

    fn free_if_unwanted(
        &mut self,
        db: &Connection,
        but: GroupId,
        position: Position,
    ) -> Result<(), Trouble> {
        let is_wanted = match self.way_of(db, position)? {
            Some(Way::Only(only)) => only != but && self.groups.contains_key(&only),
            Some(Way::Topic(route)) => self.is_wanted(db, &route, position, but)?,
            None => true,
        };
        if !is_wanted {
            self.freed.push(position);
        }
        Ok(())
    }
}
