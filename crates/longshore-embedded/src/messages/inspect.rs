//! How a group stands.

use super::Position;
use super::group::Group;
use super::log::Log;
use super::route::Way;
use crate::error::Trouble;
use longshore_core::Timestamp;
use longshore_core::broker::{GroupName, GroupStats};
use rusqlite::{Connection, OptionalExtension};

/// Messages of others that are passed over in search of the oldest one.
const STEPS: usize = 1_000;

impl Log {
    /// Returns how a group stands; nothing if there is none of that name.
    pub(crate) fn inspect(
        &mut self,
        db: &Connection,
        now: Timestamp,
        name: &GroupName,
    ) -> Result<Option<GroupStats>, Trouble> {
        let Some(id) = self.find(name) else { return Ok(None) };
        let Some(group) = self.groups.get(&id) else { return Ok(None) };
        let due: u64 = db
            .prepare_cached("SELECT count(*) FROM retries WHERE grp = ?1 AND due <= ?2")?
            .query_row((id, now.0), |row| row.get::<_, i64>(0))?
            .unsigned_abs();
        let returned = group.returned();
        let waiting = returned.first().copied().or(first(db, &mut self.routes, group)?);
        let oldest = match waiting {
            Some(position) => db
                .prepare_cached("SELECT at FROM messages WHERE position = ?1")?
                .query_row([position], |row| row.get(0))
                .optional()?,
            None => None,
        };
        Ok(Some(GroupStats {
            ready: group.ready.max(0).unsigned_abs() + returned.len() as u64 + due,
            in_flight: Some(group.in_flight() as u64),
            consumers: Some(group.hands.len() as u64),
            oldest: oldest.map(|at| now.since(Timestamp(at))),
        }))
    }
}

/// Returns the first behind the cursor that is the group's, if it is not too far away.
fn first(
    db: &Connection,
    routes: &mut super::route::Routes,
    group: &Group,
) -> Result<Option<Position>, Trouble> {
    if group.ready <= 0 {
        return Ok(None);
    }
    let mut select = db.prepare_cached(
        "SELECT position, topic, only FROM messages WHERE position > ?1 ORDER BY position",
    )?;
    let mut rows = select.query([group.cursor])?;
    for _ in 0..STEPS {
        let Some(row) = rows.next()? else { break };
        let topic = row.get_ref(1)?.as_str_or_null().unwrap_or_default();
        let position = row.get(0)?;
        if Way::of(routes, topic, row.get(2)?).leads_to(group.id, position) {
            return Ok(Some(position));
        }
    }
    Ok(None)
}
