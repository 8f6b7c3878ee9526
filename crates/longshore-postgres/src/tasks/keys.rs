//! Idempotency keys: a repeated request gets its first answer again.

use super::desk::{Desk, millis};
use crate::error::Trouble;
use longshore_core::store::Refused;
use longshore_core::task::{Accepted, AcceptedHow, Durability, Idempotency};
use longshore_core::{KindName, NewTask, QueueName, State, TaskId, TenantName, Timestamp};
use tokio_postgres::Row;

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
        found.map(|found| read(&found, 0, key)).transpose()
    }

    /// The same for many tasks at once, place by place.
    pub(super) async fn replay_all(
        &self,
        tasks: &[&NewTask],
    ) -> Result<Vec<Option<Result<Accepted, Refused>>>, Trouble> {
        let mut answers = vec![None; tasks.len()];
        let keyed: Vec<(i32, &NewTask, &Idempotency)> = (0..)
            .zip(tasks)
            .filter_map(|(place, task)| Some((place, *task, task.idempotency.as_ref()?)))
            .collect();
        if keyed.is_empty() {
            return Ok(answers);
        }
        let places: Vec<i32> = keyed.iter().map(|(place, ..)| *place).collect();
        let tenants: Vec<&str> = keyed.iter().map(|(_, task, _)| task.tenant.as_str()).collect();
        let routes: Vec<&str> = keyed.iter().map(|(.., key)| key.route).collect();
        let keys: Vec<&[u8]> = keyed.iter().map(|(.., key)| key.key.as_bytes()).collect();
        let rows = self
            .rows(
                "SELECT asked.place, known.fingerprint, known.answer
                 FROM unnest($1::int4[], $2::text[], $3::text[], $4::bytea[]) AS asked(place, tenant, route, key)
                 JOIN keys known ON known.tenant = asked.tenant AND known.route = asked.route
                     AND known.key = asked.key
                 WHERE known.expires_at >= $5",
                &[&places, &tenants, &routes, &keys, &self.now.0],
            )
            .await?;
        for row in &rows {
            let place = usize::try_from(row.try_get::<_, i32>(0)?).unwrap_or(0);
            if let Some(key) = tasks.get(place).and_then(|task| task.idempotency.as_ref()) {
                answers[place] = Some(read(row, 1, key)?);
            }
        }
        Ok(answers)
    }

    /// Binds the keys of tasks that were accepted.
    pub(super) async fn bind_keys(
        &self,
        tasks: &[&NewTask],
        answers: &[Result<Accepted, Refused>],
    ) -> Result<(), Trouble> {
        let (mut tenants, mut routes, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        let (mut fingerprints, mut texts) = (Vec::new(), Vec::new());
        for (task, accepted) in tasks.iter().zip(answers) {
            if let (Some(key), Ok(accepted)) = (&task.idempotency, accepted) {
                tenants.push(task.tenant.as_str());
                routes.push(key.route);
                keys.push(key.key.as_bytes());
                fingerprints.push(&key.fingerprint[..]);
                texts.push(written(accepted)?);
            }
        }
        if tenants.is_empty() {
            return Ok(());
        }
        let until = self.now.0.saturating_add(millis(Idempotency::KEPT));
        self.execute(
            "INSERT INTO keys(tenant, route, key, fingerprint, answer, expires_at)
             SELECT *, $6::int8 FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::text[])
             ON CONFLICT (tenant, route, key) DO UPDATE
             SET fingerprint = excluded.fingerprint, answer = excluded.answer, expires_at = excluded.expires_at",
            &[&tenants, &routes, &keys, &fingerprints, &texts, &until],
        )
        .await?;
        Ok(())
    }

    /// Binds the task's key, if it has one, to this answer.
    pub(super) async fn bind_key(
        &self,
        task: &NewTask,
        accepted: &Accepted,
    ) -> Result<(), Trouble> {
        self.bind_keys(&[task], &[Ok(accepted.clone())]).await
    }
}

fn written(accepted: &Accepted) -> Result<String, Trouble> {
    Ok(serde_json::to_string(&Answer {
        id: accepted.id,
        kind: accepted.kind.clone(),
        queue: accepted.queue.clone(),
        state: accepted.state,
        run_at: accepted.run_at.0,
        created_at: accepted.created_at.0,
        durability: accepted.durability,
        existing: accepted.how == AcceptedHow::Existing,
    })?)
}

/// Reads the answer of a known key from two columns.
fn read(row: &Row, first: usize, key: &Idempotency) -> Result<Result<Accepted, Refused>, Trouble> {
    if row.try_get::<_, &[u8]>(first)? != key.fingerprint {
        return Ok(Err(Refused::KeyReused));
    }
    let answer: Answer = serde_json::from_str(row.try_get(first + 1)?)?;
    let how = if answer.existing { AcceptedHow::Existing } else { AcceptedHow::New };
    Ok(Ok(Accepted {
        id: answer.id,
        kind: answer.kind,
        queue: answer.queue,
        state: answer.state,
        run_at: Timestamp(answer.run_at),
        created_at: Timestamp(answer.created_at),
        durability: answer.durability,
        how: how.again(),
        others: Vec::new(),
    }))
}
