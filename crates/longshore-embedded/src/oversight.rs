//! What operators have set, and how long tasks wait: read beside the writer.

use crate::memory::{READY, READY_ISOLATED};
use crate::names::{NameId, Names};
use longshore_core::queue::{QueueSettings, Scope};
use longshore_core::readiness::ready_at;
use longshore_core::store::{Controls, QueueAge};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;

/// Reads what operators have set.
pub(crate) fn controls(db: &Connection, names: &Names) -> rusqlite::Result<Controls> {
    let _view = db.unchecked_transaction()?; // one view of all tables
    let mut controls = Controls::default();
    let mut pauses = db.prepare_cached("SELECT scope, name FROM pauses")?;
    let mut rows = pauses.query([])?;
    while let Some(row) = rows.next()? {
        let name: NameId = row.get(1)?;
        controls.paused.push(match row.get::<_, u8>(0)? {
            0 => Scope::Queue(names.queue(name)?),
            1 => Scope::Kind(names.kind(name)?),
            _ => Scope::Tenant(names.tenant(name)?),
        });
    }
    controls.paused.sort();
    let mut settings = db.prepare_cached("SELECT queue, settings FROM settings")?;
    let mut rows = settings.query([])?;
    while let Some(row) = rows.next()? {
        let settings = read_settings(row.get_ref(1)?.as_str()?)?;
        controls.queues.insert(names.queue(row.get(0)?)?, settings);
    }
    let mut carriers = db.prepare_cached("SELECT queue, carrier FROM carriers")?;
    let mut rows = carriers.query([])?;
    while let Some(row) = rows.next()? {
        controls.carriers.insert(names.queue(row.get(0)?)?, row.get(1)?);
    }
    Ok(controls)
}

fn read_settings(text: &str) -> rusqlite::Result<QueueSettings> {
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, Box::new(error)))
}

/// Reads since when tasks are ready: one look into the index for each line that is not empty.
pub(crate) fn ages(db: &Connection, names: &Names) -> rusqlite::Result<Vec<QueueAge>> {
    let _view = db.unchecked_transaction()?; // one view of the counters and the lines
    let mut lines = db.prepare_cached(
        "SELECT tenant, queue, kind, state, count FROM counts WHERE state IN (?1, ?2) AND count > 0",
    )?;
    let mut head = db.prepare_cached(
        "SELECT rank, priority FROM tasks INDEXED BY tasks_ready
         WHERE queue = ?1 AND kind = ?2 AND tenant = ?3 AND ready = ?4 AND ready > 0
         ORDER BY rank, seq LIMIT 1",
    )?;
    let mut oldest = BTreeMap::new();
    let mut rows = lines.query((READY, READY_ISOLATED))?;
    while let Some(row) = rows.next()? {
        let (tenant, queue, kind): (NameId, NameId, NameId) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        let ready = row.get::<_, u8>(3)? + 1 - READY;
        let since = head
            .query_row((queue, kind, tenant, ready), |row| Ok(ready_at(row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some(since) = since else { continue };
        let (before, count) =
            oldest.entry((names.tenant(tenant)?, names.queue(queue)?)).or_insert((since, 0_u64));
        *before = since.min(*before);
        *count += row.get::<_, i64>(4)?.cast_unsigned();
    }
    let age =
        |((tenant, queue), (oldest_ready, ready))| QueueAge { tenant, queue, oldest_ready, ready };
    Ok(oldest.into_iter().map(age).collect())
}
