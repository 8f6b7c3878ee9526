//! The sign of life of an opened store: a counter that grows every five seconds, over a connection of its own.
//!
//! Others take what it holds once the counter has stood for a whole lease. If that happens to a store that
//! lives after all (it was cut off), it begins anew under another number: what it held is lost to it, and
//! every late end is refused by its token.

use crate::engine::Engine;
use crate::error::told;
use crate::schema;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// Between two beats.
const EVERY: Duration = Duration::from_secs(5);
/// A beat that is not answered by then has failed.
const PATIENCE: Duration = Duration::from_secs(4);
/// Without a beat for so long, this process or the database was away.
const ABSENCE: Duration = Duration::from_secs(12);

/// When the last beat was answered.
#[derive(Debug)]
pub(crate) struct Pulse(Mutex<Last>);

#[derive(Debug)]
struct Last {
    beat: Instant,
    was_absent: bool,
}

impl Default for Pulse {
    fn default() -> Self {
        Self(Mutex::new(Last { beat: Instant::now(), was_absent: false }))
    }
}

impl Pulse {
    fn beat(&self) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.was_absent |= last.beat.elapsed() > ABSENCE;
        last.beat = Instant::now();
    }

    /// Whether this process or the database was away since this was last asked. Whoever judges others has
    /// to give them time then.
    pub(crate) fn take_absence(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_absent = last.beat.elapsed() > ABSENCE;
        std::mem::take(&mut last.was_absent) || is_absent
    }
}

/// Takes the number of a new opening, and signs it in. Tokens begin anew above all that were given.
pub(crate) async fn sign_in(
    client: &Client,
    name: Option<&str>,
    now: i64,
) -> Result<i32, tokio_postgres::Error> {
    // One after the other: the tokens of the later one are larger.
    client.batch_execute("BEGIN").await?;
    client.execute("SELECT pg_advisory_xact_lock($1)", &[&schema::LOCK]).await?;
    let row = client
        .query_one(
            "WITH epoch AS MATERIALIZED (SELECT nextval('epochs')::int4 AS number),
             tokens AS MATERIALIZED (SELECT setval('tokens', number::int8 << 40) FROM epoch),
             signed AS (INSERT INTO instances(epoch, name, opened_at) SELECT number, $1, $2 FROM epoch)
             SELECT number FROM epoch, tokens",
            &[&name, &now],
        )
        .await?;
    let epoch = row.try_get(0)?;
    client.batch_execute("COMMIT").await?;
    Ok(epoch)
}

/// Beats until the store is dropped.
pub(crate) async fn run(engine: Arc<Engine>) {
    let mut client: Option<Client> = None;
    loop {
        tokio::time::sleep(EVERY).await;
        if engine.is_closed() {
            return;
        }
        let beat = tokio::time::timeout(PATIENCE, beat(&engine, &mut client)).await;
        match beat {
            Ok(Ok(())) => engine.pulse.beat(),
            Ok(Err(error)) => {
                client = None;
                tracing::warn!(error = told(&error), "no sign of life could be given to the database");
            }
            Err(_) => {
                client = None;
                tracing::warn!("the database did not take a sign of life in time");
            }
        }
    }
}

async fn beat(engine: &Engine, kept: &mut Option<Client>) -> Result<(), tokio_postgres::Error> {
    if kept.as_ref().is_none_or(Client::is_closed) {
        let (client, connection) = engine.links.own().await?;
        tokio::spawn(connection);
        client.batch_execute(&engine.links.setup()).await?;
        *kept = Some(client);
    }
    let Some(client) = kept else { return Ok(()) };
    let epoch = engine.base.epoch();
    let alive = client
        .execute("UPDATE instances SET beats = beats + 1 WHERE epoch = $1 AND fate = 0", &[&epoch])
        .await?;
    if alive == 0 {
        let name = engine.name.as_deref();
        let next = sign_in(client, name, engine.base.clock.now().0).await?;
        engine.base.begin_epoch(next);
        tracing::error!(
            was = epoch, now = next,
            "this server was taken for dead: what it held was taken back, and runs elsewhere"
        );
    }
    Ok(())
}
