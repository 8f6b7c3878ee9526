//! Idempotency keys: a repeated request gets its first answer again.

use super::desk::{Desk, millis};
use crate::error::Trouble;
use crate::names::NameId;
use longshore_core::store::Refused;
use longshore_core::task::{Accepted, AcceptedHow, Durability, Idempotency};
use longshore_core::{KindName, NewTask, QueueName, State, TaskId, TenantName, Timestamp};
use rusqlite::OptionalExtension;

/// What a known key says.
#[derive(Debug)]
pub(super) enum Known {
    Answer(Accepted),
    OtherBody,
}

/// An answer as it is stored.
#[derive(serde::Serialize, serde::Deserialize)]
struct Answer {
    id: TaskId,
    kind: KindName,
    queue: QueueName,
    state: State,
    run_at: i64,
    created_at: i64,
    durability: Durability,
    /// Whether it was found by its `unique` key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    existing: bool,
}

impl Desk<'_> {
    pub(super) fn known_key(
        &self,
        tenant: NameId,
        key: &Idempotency,
    ) -> Result<Option<Known>, Trouble> {
        let mut select = self.db.prepare_cached(
            "SELECT fingerprint, answer FROM keys
             WHERE tenant = ?1 AND route = ?2 AND key = ?3 AND expires_at >= ?4",
        )?;
        let found: Option<([u8; 32], String)> = select
            .query_row((tenant, key.route, &key.key, self.now.0), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let Some((fingerprint, answer)) = found else { return Ok(None) };
        if fingerprint != key.fingerprint {
            return Ok(Some(Known::OtherBody));
        }
        let answer: Answer = serde_json::from_str(&answer)?;
        Ok(Some(Known::Answer(Accepted {
            id: answer.id,
            kind: answer.kind,
            queue: answer.queue,
            state: answer.state,
            run_at: Timestamp(answer.run_at),
            created_at: Timestamp(answer.created_at),
            durability: answer.durability,
            how: if answer.existing { AcceptedHow::Existing } else { AcceptedHow::New }.again(),
            others: Vec::new(),
        })))
    }

    /// Looks a key up for a request that is not worth accepting.
    pub(crate) fn replay(
        &self,
        tenant: &TenantName,
        key: &Idempotency,
    ) -> Result<Option<Result<Accepted, Refused>>, Trouble> {
        let Some(tenant) = self.names.find(tenant.as_str()) else { return Ok(None) };
        Ok(self.known_key(tenant, key)?.map(|known| match known {
            Known::Answer(answer) => Ok(answer),
            Known::OtherBody => Err(Refused::KeyReused),
        }))
    }

    /// Binds the task's key, if it has one, to this answer.
    pub(super) fn bind_key(
        &self,
        tenant: NameId,
        task: &NewTask,
        accepted: &Accepted,
    ) -> Result<(), Trouble> {
        let Some(key) = &task.idempotency else { return Ok(()) };
        let answer = serde_json::to_string(&Answer {
            id: accepted.id,
            kind: accepted.kind.clone(),
            queue: accepted.queue.clone(),
            state: accepted.state,
            run_at: accepted.run_at.0,
            created_at: accepted.created_at.0,
            durability: accepted.durability,
            existing: accepted.how == AcceptedHow::Existing,
        })?;
        let mut insert = self.db.prepare_cached(
            "INSERT OR REPLACE INTO keys(tenant, route, key, fingerprint, answer, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let until = self.now.0.saturating_add(millis(Idempotency::KEPT));
        insert.execute((tenant, key.route, &key.key, key.fingerprint, answer, until))?;
        Ok(())
    }
}
