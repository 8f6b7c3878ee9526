//! Schedules: kept, and each slot fired once.

use super::desk::{Desk, text};
use crate::error::Trouble;
use crate::links::Link;
use longshore_core::store::{Fired, Firing, Missed, Origin, Refused, Schedule};
use longshore_core::{Payload, TaskId, TenantName, Timestamp};
use tokio_postgres::Row;

const COLUMNS: &str = "id, tenant, name, origin, cron, timezone, missed, paused, task, last_slot, next_slot, \
    created_at, version, configured";

fn word<T: serde::Serialize>(value: T) -> Result<String, Trouble> {
    Ok(serde_json::to_string(&value)?.trim_matches('"').to_owned())
}

fn read_word<T: serde::de::DeserializeOwned>(word: &str) -> Result<T, Trouble> {
    Ok(serde_json::from_str(&format!("\"{word}\""))?)
}

fn read(row: &Row) -> Result<Schedule, Trouble> {
    let bad = |what: &str| Trouble::Failed(format!("a schedule's {what} cannot be read"));
    Ok(Schedule {
        id: row.try_get(0)?,
        tenant: TenantName::new(row.try_get(1)?).map_err(|_| bad("tenant"))?,
        name: row.try_get(2)?,
        origin: read_word::<Origin>(row.try_get(3)?)?,
        cron: row.try_get(4)?,
        timezone: row.try_get(5)?,
        missed: read_word::<Missed>(row.try_get(6)?)?,
        paused: row.try_get(7)?,
        task: Payload::from_bytes(row.try_get::<_, Vec<u8>>(8)?).map_err(|_| bad("task"))?,
        last_slot: row.try_get::<_, Option<i64>>(9)?.map(Timestamp),
        next_slot: row.try_get::<_, Option<i64>>(10)?.map(Timestamp),
        created_at: Timestamp(row.try_get(11)?),
        version: row.try_get::<_, i64>(12)?.max(0).unsigned_abs(),
        configured: row
            .try_get::<_, Option<Vec<u8>>>(13)?
            .map(|bytes| Payload::from_bytes(bytes).map_err(|_| bad("configuration")))
            .transpose()?,
    })
}

/// Reads all schedules (of a tenant), by id.
pub(crate) async fn read_schedules(
    link: &Link,
    tenant: Option<&TenantName>,
) -> Result<Vec<Schedule>, Trouble> {
    let sql = format!(
        "SELECT {COLUMNS} FROM schedules WHERE $1::text IS NULL OR tenant = $1 ORDER BY id"
    );
    let rows = link.query(&sql, &[&tenant.map(TenantName::as_str)]).await?;
    rows.iter().map(read).collect()
}

impl Desk<'_> {
    pub(crate) async fn put_schedule(
        &mut self,
        schedule: &Schedule,
        before: Option<u64>,
    ) -> Result<Result<Schedule, Refused>, Trouble> {
        let (origin, missed) = (word(schedule.origin)?, word(schedule.missed)?);
        let name = schedule.name.as_deref().map(text);
        let next = schedule.next_slot.map(|at| at.0);
        let configured = schedule.configured.as_ref().map(Payload::as_bytes);
        let (cron, timezone) = (text(&schedule.cron), text(&schedule.timezone));
        let row = match before {
            None => {
                let sql = format!(
                    "INSERT INTO schedules({COLUMNS})
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13)
                     ON CONFLICT (id) DO NOTHING RETURNING {COLUMNS}"
                );
                self.row(
                    &sql,
                    &[
                        &schedule.id,
                        &schedule.tenant.as_str(),
                        &name,
                        &origin,
                        &cron,
                        &timezone,
                        &missed,
                        &schedule.paused,
                        &schedule.task.as_bytes(),
                        &schedule.last_slot.map(|at| at.0),
                        &next,
                        &self.now.0,
                        &configured,
                    ],
                )
                .await?
            }
            Some(version) => {
                let sql = format!(
                    "UPDATE schedules SET name = $3, origin = $4, cron = $5, timezone = $6, missed = $7,
                         paused = $8, task = $9, next_slot = $10, configured = $12, version = version + 1
                     WHERE id = $1 AND tenant = $2 AND version = $11 RETURNING {COLUMNS}"
                );
                self.row(
                    &sql,
                    &[
                        &schedule.id,
                        &schedule.tenant.as_str(),
                        &name,
                        &origin,
                        &cron,
                        &timezone,
                        &missed,
                        &schedule.paused,
                        &schedule.task.as_bytes(),
                        &next,
                        &i64::try_from(version).unwrap_or(i64::MAX),
                        &configured,
                    ],
                )
                .await?
            }
        };
        if let Some(row) = row {
            return Ok(Ok(read(&row)?));
        }
        if before.is_none() {
            return Ok(Err(Refused::IdTaken { existing: TaskId(schedule.id) }));
        }
        let there = self
            .exists(
                "SELECT 1 FROM schedules WHERE id = $1 AND tenant = $2",
                &[&schedule.id, &schedule.tenant.as_str()],
            )
            .await?;
        Ok(Err(if there { Refused::Changed } else { Refused::NotFound }))
    }

    pub(crate) async fn remove_schedule(
        &mut self,
        tenant: &TenantName,
        id: uuid::Uuid,
    ) -> Result<bool, Trouble> {
        let removed = self
            .execute(
                "DELETE FROM schedules WHERE id = $1 AND tenant = $2",
                &[&id, &tenant.as_str()],
            )
            .await?;
        Ok(removed > 0)
    }

    /// Returns what is due, and when the earliest of all others comes.
    pub(crate) async fn due_schedules(
        &self,
        limit: usize,
    ) -> Result<(Vec<Schedule>, Option<Timestamp>), Trouble> {
        let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let sql = format!(
            "SELECT {COLUMNS} FROM schedules WHERE next_slot IS NOT NULL AND NOT paused
             ORDER BY next_slot, id LIMIT $1"
        );
        let rows = self.rows(&sql, &[&most]).await?;
        let (mut due, mut next) = (Vec::new(), None);
        for row in &rows {
            let schedule = read(row)?;
            let is_due = schedule.next_slot.is_some_and(|at| at <= self.now);
            if !is_due || due.len() == limit {
                next = schedule.next_slot;
                break;
            }
            due.push(schedule);
        }
        Ok((due, next))
    }

    /// Lets schedules fire, one after the other.
    pub(crate) async fn fire(&mut self, firings: &[Firing]) -> Result<Vec<Fired>, Trouble> {
        self.lock_accepts(firings.iter().filter_map(|firing| firing.task.as_deref())).await?;
        let mut fired = Vec::with_capacity(firings.len());
        for firing in firings {
            let moved = self
                .execute(
                    "UPDATE schedules SET last_slot = $3, next_slot = $4
                     WHERE id = $1 AND version = $2 AND next_slot = $3 AND NOT paused",
                    &[
                        &firing.id,
                        &i64::try_from(firing.version).unwrap_or(i64::MAX),
                        &firing.slot.0,
                        &firing.next.map(|at| at.0),
                    ],
                )
                .await?;
            if moved == 0 {
                fired.push(Fired::Stale);
                continue;
            }
            let answer = match &firing.task {
                Some(task) => Some(self.accept(task).await?),
                None => None,
            };
            fired.push(Fired::Done(answer));
        }
        Ok(fired)
    }
}
