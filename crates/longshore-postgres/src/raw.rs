//! What somebody would write by hand: a queue in one table, and loops over it. Only to measure against.

use crate::error::OpenError;
use crate::options::Address;
use std::sync::Arc;
use tokio_postgres::{Client, Statement};

/// The table: what a task cannot do without, and an index of what is ready.
const CREATE: &str = "
CREATE TABLE raw(
    id uuid PRIMARY KEY, queue text NOT NULL, kind text NOT NULL, state smallint NOT NULL DEFAULT 0,
    priority smallint NOT NULL DEFAULT 5, attempts integer NOT NULL DEFAULT 0, created_at bigint NOT NULL,
    run_at bigint NOT NULL, finished_at bigint, payload bytea NOT NULL);
CREATE INDEX raw_ready ON raw(queue, priority, run_at, id) WHERE state = 0";

const INSERT: &str = "
INSERT INTO raw(id, queue, kind, created_at, run_at, payload)
SELECT id, 'bench', 'bench', $2, $2, payload FROM unnest($1::uuid[], $3::bytea[]) AS new(id, payload)";

const CLAIM: &str = "
UPDATE raw SET state = 1, attempts = attempts + 1 FROM (
    SELECT id FROM raw WHERE queue = 'bench' AND state = 0 ORDER BY priority, run_at, id LIMIT $1
    FOR UPDATE SKIP LOCKED) AS next
WHERE raw.id = next.id RETURNING raw.id, kind, payload";

const END: &str = "UPDATE raw SET state = 2, finished_at = $2 WHERE id = ANY($1) AND state = 1";

/// A connection, with its statements.
#[derive(Debug)]
pub struct Raw {
    client: Client,
    insert: Statement,
    claim: Statement,
    end: Statement,
    payload: Arc<[u8]>,
}

impl Raw {
    /// Makes the table in the schema of that address.
    pub async fn make(url: &str) -> Result<(), OpenError> {
        let address = Address::read(url)?;
        let client = connect(&address).await?;
        let made = client.batch_execute(CREATE).await;
        made.map_err(|error| OpenError::of(&address.shown, &error))
    }

    /// Connects; what it inserts has payloads of so many bytes.
    pub async fn connect(url: &str, size: usize) -> Result<Self, OpenError> {
        let address = Address::read(url)?;
        let client = connect(&address).await?;
        let failed = |error: tokio_postgres::Error| OpenError::of(&address.shown, &error);
        Ok(Self {
            insert: client.prepare(INSERT).await.map_err(failed)?,
            claim: client.prepare(CLAIM).await.map_err(failed)?,
            end: client.prepare(END).await.map_err(failed)?,
            client,
            payload: vec![b'x'; size].into(),
        })
    }

    /// Inserts so many at once.
    pub async fn insert(&self, count: usize) -> Result<(), tokio_postgres::Error> {
        let ids: Vec<uuid::Uuid> = (0..count).map(|_| uuid::Uuid::now_v7()).collect();
        let payloads: Vec<&[u8]> = vec![&self.payload; count];
        self.client.execute(&self.insert, &[&ids, &now(), &payloads]).await?;
        Ok(())
    }

    /// Claims at most so many, then ends them. Returns how many there were.
    pub async fn claim_and_end(&self, most: i64) -> Result<usize, tokio_postgres::Error> {
        let rows = self.client.query(&self.claim, &[&most]).await?;
        let ids: Vec<uuid::Uuid> = rows.iter().map(|row| row.get(0)).collect();
        if !ids.is_empty() {
            self.client.execute(&self.end, &[&ids, &now()]).await?;
        }
        Ok(ids.len())
    }
}

async fn connect(address: &Address) -> Result<Client, OpenError> {
    let failed = |error: tokio_postgres::Error| OpenError::of(&address.shown, &error);
    let (client, connection) = address.config.connect(address.tls.clone()).await.map_err(failed)?;
    tokio::spawn(connection);
    let path = format!("SET search_path = \"{}\"", address.schema);
    client.batch_execute(&path).await.map_err(failed)?;
    Ok(client)
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
