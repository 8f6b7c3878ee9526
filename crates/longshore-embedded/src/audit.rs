//! Who did what from outside. Each line's hash covers the line before it, so that none can be
//! changed or taken out unseen.

use crate::error::Trouble;
use crate::tasks::{Desk, Done};
use longshore_core::store::{Act, AuditLine};
use longshore_core::{Payload, TenantName, Timestamp};
use rusqlite::types::Type;
use rusqlite::{Connection, Row};
use sha2::{Digest, Sha256};

/// Adds a line.
pub(crate) fn note(desk: &mut Desk<'_>, act: &Act, done: &Done) -> Result<(), Trouble> {
    let payload = |text: &Option<String>| text.clone().map(Payload::from_json);
    let mut line = AuditLine {
        number: 0, // given by the file, and not part of the hash
        at: desk.now,
        by: act.by.clone(),
        tenant: act.tenant.clone(),
        act: act.what.word().to_owned(),
        target: act.what.target(),
        before: payload(&done.before),
        after: payload(&done.after),
        count: done.acted.count,
        hash: [0; 32],
    };
    line.hash = Sha256::digest(line.sealed(desk.memory.seal.as_ref())).into();
    let mut insert = desk.db.prepare_cached(
        "INSERT INTO audit(at, who, tenant, what, target, before, after, count, seal)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    insert.execute((
        line.at.0,
        &line.by,
        line.tenant.as_str(),
        &line.act,
        &line.target,
        &done.before,
        &done.after,
        i64::try_from(line.count).unwrap_or(i64::MAX),
        line.hash,
    ))?;
    desk.memory.seal = Some(line.hash);
    Ok(())
}

/// Reads lines, newest first.
pub(crate) fn read(
    db: &Connection,
    before: Option<u64>,
    limit: usize,
) -> rusqlite::Result<Vec<AuditLine>> {
    let before = before.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut select = db.prepare_cached(
        "SELECT number, at, who, tenant, what, target, before, after, count, seal FROM audit
         WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
    )?;
    select.query_map((before, limit), line)?.collect()
}

fn line(row: &Row<'_>) -> rusqlite::Result<AuditLine> {
    let tenant = row.get_ref(3)?.as_str()?;
    let payload = |place| -> rusqlite::Result<Option<Payload>> {
        Ok(row.get::<_, Option<String>>(place)?.map(Payload::from_json))
    };
    Ok(AuditLine {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        at: Timestamp(row.get(1)?),
        by: row.get(2)?,
        tenant: TenantName::new(tenant).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(3, Type::Text, Box::new(error))
        })?,
        act: row.get(4)?,
        target: row.get(5)?,
        before: payload(6)?,
        after: payload(7)?,
        count: row.get::<_, i64>(8)?.unsigned_abs(),
        hash: row.get(9)?,
    })
}
