//! Idempotency keys: a repeated request gets its first answer again.

use super::desk::{Desk, millis};
use crate::error::Trouble;
use longshore_core::store::Refused;
use longshore_core::task::{Accepted, AcceptedHow, Durability, Idempotency};
use longshore_core::{KindName, NewTask, QueueName, State, TaskId, TenantName, Timestamp};

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
    /// Looks up what a key was answered with.
    pub(crate) async fn replay(
        &self,
        tenant: &TenantName,
        key: &Idempotency,
    ) -> Result<Option<Result<Accepted, Refused>>, Trouble> {
        let found = self
            .row(
                "SELECT fingerprint, answer FROM keys
                 WHERE tenant = $1 AND route = $2 AND key = $3 AND expires_at >= $4",
                &[&tenant.as_str(), &key.route, &key.key.as_bytes(), &self.now.0],
            )
            .await?;
        let Some(found) = found else { return Ok(None) };
        if found.try_get::<_, &[u8]>(0)? != key.fingerprint {
            return Ok(Some(Err(Refused::KeyReused)));
        }
        let answer: Answer = serde_json::from_str(found.try_get(1)?)?;
        let how = if answer.existing { AcceptedHow::Existing } else { AcceptedHow::New };
        Ok(Some(Ok(Accepted {
            id: answer.id,
            kind: answer.kind,
            queue: answer.queue,
            state: answer.state,
            run_at: Timestamp(answer.run_at),
            created_at: Timestamp(answer.created_at),
            durability: answer.durability,
            how: how.again(),
            others: Vec::new(),
        })))
    }

    /// Binds the task's key, if it has one, to this answer.
    pub(super) async fn bind_key(
        &self,
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
        let until = self.now.0.saturating_add(millis(Idempotency::KEPT));
        self.execute(
            "INSERT INTO keys(tenant, route, key, fingerprint, answer, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (tenant, route, key) DO UPDATE
             SET fingerprint = excluded.fingerprint, answer = excluded.answer, expires_at = excluded.expires_at",
            &[
                &task.tenant.as_str(),
                &key.route,
                &key.key.as_bytes(),
                &&key.fingerprint[..],
                &answer,
                &until,
            ],
        )
        .await?;
        Ok(())
    }
}
