//! Who did what from outside. Each line's hash covers the line before it, so that none can be
//! changed or taken out unseen.

use crate::error::Trouble;
use crate::links::Link;
use crate::tasks::{Desk, Done, Locked, text};
use longshore_core::store::{Act, AuditLine};
use longshore_core::{Payload, TenantName, Timestamp};
use sha2::{Digest, Sha256};
use tokio_postgres::Row;

/// Adds a line. From here to the commit nobody else adds one.
pub(crate) async fn note(desk: &mut Desk<'_>, act: &Act, done: &Done) -> Result<(), Trouble> {
    desk.lock(&[Locked::Audit]).await?;
    let last = desk.row("SELECT number, seal FROM audit ORDER BY number DESC LIMIT 1", &[]).await?;
    let (number, seal) = match last {
        Some(last) => (last.try_get::<_, i64>(0)? + 1, Some(hash(&last, 1)?)),
        None => (1, None),
    };
    let clean = |json: &Option<String>| json.as_deref().map(text);
    let (before, after) = (clean(&done.before), clean(&done.after));
    let payload = |json: &Option<String>| json.clone().map(Payload::from_json);
    let mut line = AuditLine {
        number: number.unsigned_abs(),
        at: desk.now,
        by: text(&act.by),
        tenant: act.tenant.clone(),
        act: text(act.what.word()),
        target: act.what.target().as_deref().map(text),
        before: payload(&before),
        after: payload(&after),
        count: done.acted.count,
        hash: [0; 32],
    };
    line.hash = Sha256::digest(line.sealed(seal.as_ref())).into();
    desk.execute(
        "INSERT INTO audit(number, at, who, tenant, act, target, before, after, count, seal)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            &number,
            &line.at.0,
            &line.by,
            &line.tenant.as_str(),
            &line.act,
            &line.target,
            &before,
            &after,
            &i64::try_from(line.count).unwrap_or(i64::MAX),
            &&line.hash[..],
        ],
    )
    .await?;
    Ok(())
}

/// Reads lines, newest first.
pub(crate) async fn read(
    link: &Link,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<AuditLine>, Trouble> {
    let before = before.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = link
        .query(
            "SELECT number, at, who, tenant, act, target, before, after, count, seal FROM audit
             WHERE number < $1 ORDER BY number DESC LIMIT $2",
            &[&before, &limit],
        )
        .await?;
    rows.iter().map(line).collect()
}

fn hash(row: &Row, place: usize) -> Result<[u8; 32], Trouble> {
    let bytes: &[u8] = row.try_get(place)?;
    bytes.try_into().map_err(|_| Trouble::Failed("a seal of the audit log is no hash".to_owned()))
}

fn line(row: &Row) -> Result<AuditLine, Trouble> {
    let payload = |place| -> Result<Option<Payload>, Trouble> {
        Ok(row.try_get::<_, Option<String>>(place)?.map(Payload::from_json))
    };
    Ok(AuditLine {
        number: row.try_get::<_, i64>(0)?.unsigned_abs(),
        at: Timestamp(row.try_get(1)?),
        by: row.try_get(2)?,
        tenant: TenantName::new(row.try_get(3)?)
            .map_err(|_| Trouble::Failed("a tenant of the audit log is no name".to_owned()))?,
        act: row.try_get(4)?,
        target: row.try_get(5)?,
        before: payload(6)?,
        after: payload(7)?,
        count: row.try_get::<_, i64>(8)?.unsigned_abs(),
        hash: hash(row, 9)?,
    })
}
