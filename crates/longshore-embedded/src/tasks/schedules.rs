//! Schedules: kept, looked through for what is due, and fired.

use super::desk::Desk;
use crate::error::Trouble;
use crate::names::{NameId, Names};
use longshore_core::store::{Fired, Firing, Missed, Origin, Refused, Schedule};
use longshore_core::task::TaskId;
use longshore_core::{Payload, TenantName, Timestamp};
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str = "id, tenant, name, origin, cron, timezone, missed, paused, task, configured,
    last_slot, next_slot, created_at, version";

impl Desk<'_> {
    /// Writes a schedule, over the one of version `before` or as a new one.
    pub(crate) fn put_schedule(
        &mut self,
        schedule: &Schedule,
        before: Option<u64>,
    ) -> Result<Result<Schedule, Refused>, Trouble> {
        let mut stored = schedule.clone();
        match (self.schedule(schedule)?, before) {
            (None, None) => (stored.version, stored.created_at) = (1, self.now),
            (Some(_), None) => {
                return Ok(Err(Refused::IdTaken { existing: TaskId(schedule.id) }));
            }
            (Some(there), _) if there.tenant != schedule.tenant => {
                return Ok(Err(Refused::NotFound));
            }
            (None, Some(_)) => return Ok(Err(Refused::NotFound)),
            (Some(there), Some(before)) if there.version != before => {
                return Ok(Err(Refused::Changed));
            }
            (Some(there), Some(before)) => {
                (stored.version, stored.created_at) = (before + 1, there.created_at);
                stored.last_slot = there.last_slot;
            }
        }
        let tenant = self.names.intern(self.db, stored.tenant.as_str())?;
        let sql = format!(
            "INSERT OR REPLACE INTO schedules({COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
        );
        self.db.prepare_cached(&sql)?.execute(params![
            stored.id.as_bytes(),
            tenant,
            stored.name,
            stored.origin.as_str(),
            stored.cron,
            stored.timezone,
            stored.missed.as_str(),
            stored.paused,
            stored.task.as_str(),
            stored.configured.as_ref().map(Payload::as_str),
            stored.last_slot.map(|slot| slot.0),
            stored.next_slot.map(|slot| slot.0),
            stored.created_at.0,
            stored.version.cast_signed(),
        ])?;
        Ok(Ok(stored))
    }

    fn schedule(&self, like: &Schedule) -> Result<Option<Schedule>, Trouble> {
        let sql = format!("SELECT {COLUMNS} FROM schedules WHERE id = ?1");
        let mut select = self.db.prepare_cached(&sql)?;
        let found = select.query_row([like.id.as_bytes()], |row| read(row, &self.names));
        Ok(found.optional()?)
    }

    /// Removes a schedule; false if there is none.
    pub(crate) fn remove_schedule(
        &mut self,
        tenant: &TenantName,
        id: uuid::Uuid,
    ) -> Result<bool, Trouble> {
        let Some(tenant) = self.names.find(tenant.as_str()) else { return Ok(false) };
        let mut delete =
            self.db.prepare_cached("DELETE FROM schedules WHERE id = ?1 AND tenant = ?2")?;
        Ok(delete.execute((id.as_bytes(), tenant))? > 0)
    }

    /// Reads what is due, and when the earliest of all others comes.
    pub(crate) fn due_schedules(
        &self,
        limit: usize,
    ) -> Result<(Vec<Schedule>, Option<Timestamp>), Trouble> {
        let sql = format!(
            "SELECT {COLUMNS} FROM schedules INDEXED BY schedules_next
             WHERE paused = 0 AND next_slot IS NOT NULL ORDER BY next_slot, id LIMIT ?1"
        );
        let mut select = self.db.prepare_cached(&sql)?;
        let mut rows =
            select.query([i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)])?;
        let mut due = Vec::new();
        while let Some(row) = rows.next()? {
            let next = Timestamp(row.get(11)?);
            if next > self.now || due.len() == limit {
                return Ok((due, Some(next)));
            }
            due.push(read(row, &self.names)?);
        }
        Ok((due, None))
    }

    /// Lets one schedule fire, if nobody was first.
    pub(crate) fn fire(&mut self, firing: &Firing) -> Result<Fired, Trouble> {
        let mut update = self.db.prepare_cached(
            "UPDATE schedules SET last_slot = ?1, next_slot = ?2
             WHERE id = ?3 AND version = ?4 AND next_slot = ?1 AND paused = 0",
        )?;
        let next = firing.next.map(|next| next.0);
        let version = firing.version.cast_signed();
        if update.execute((firing.slot.0, next, firing.id.as_bytes(), version))? == 0 {
            return Ok(Fired::Stale);
        }
        drop(update);
        let task = firing.task.as_ref().map(|task| self.accept(task)).transpose()?;
        Ok(Fired::Done(task))
    }
}

/// Reads all schedules (of a tenant), by id.
pub(crate) fn read_schedules(
    db: &Connection,
    names: &Names,
    tenant: Option<&TenantName>,
) -> rusqlite::Result<Vec<Schedule>> {
    let mut of: Option<NameId> = None;
    if let Some(tenant) = tenant {
        of = names.find(tenant.as_str());
        if of.is_none() {
            return Ok(Vec::new());
        }
    }
    let sql =
        format!("SELECT {COLUMNS} FROM schedules WHERE ?1 IS NULL OR tenant = ?1 ORDER BY id");
    db.prepare_cached(&sql)?.query_map([of], |row| read(row, names))?.collect()
}

fn read(row: &Row<'_>, names: &Names) -> rusqlite::Result<Schedule> {
    let word = |place: usize| {
        rusqlite::Error::FromSqlConversionFailure(
            place,
            Type::Text,
            Box::new(FromSqlError::InvalidType),
        )
    };
    let time =
        |place: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(place)?.map(Timestamp));
    Ok(Schedule {
        id: uuid::Uuid::from_bytes(row.get(0)?),
        tenant: names.tenant(row.get(1)?)?,
        name: row.get(2)?,
        origin: Origin::parse(row.get_ref(3)?.as_str()?).ok_or_else(|| word(3))?,
        cron: row.get(4)?,
        timezone: row.get(5)?,
        missed: Missed::parse(row.get_ref(6)?.as_str()?).ok_or_else(|| word(6))?,
        paused: row.get(7)?,
        task: Payload::from_json(row.get::<_, String>(8)?),
        configured: row.get::<_, Option<String>>(9)?.map(Payload::from_json),
        last_slot: time(10)?,
        next_slot: time(11)?,
        created_at: Timestamp(row.get(12)?),
        version: row.get::<_, i64>(13)?.unsigned_abs(),
    })
}
