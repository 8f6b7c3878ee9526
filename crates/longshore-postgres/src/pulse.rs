//! The sign of life of an opened store: a counter that grows every few seconds. It goes along with what a server says
//! of its workers; where nothing is said, or not in time, it goes over a connection of its own.
//!
//! Others take what it holds once the counter has stood for a whole lease. If that happens to a store that
//! lives after all (it was cut off), it begins anew under another number: what it held is lost to it, and
//! every late end is refused by its token.

use crate::engine::Engine;
use crate::error::{Trouble, told};
use crate::schema;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// Signs of life that have to be missed before somebody counts as dead.
const MISSED: u32 = 3;

/// How a beat was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// By itself.
    Alone,
    /// Along with something else that was said, and will be said again.
    Along,
}

/// When the last beat was sent, and when it was answered.
#[derive(Debug)]
pub(crate) struct Pulse {
    every: Duration,
    last: Mutex<Last>,
    /// Held by whoever gives a beat. True once there are to be no more.
    ended: tokio::sync::Mutex<bool>,
}

#[derive(Debug)]
struct Last {
    sent: Instant,
    beat: Instant,
    how: Beat,
    was_absent: bool,
}

impl Pulse {
    /// The first sign of life was given at `signed`.
    pub(crate) fn new(every: Duration, signed: Instant) -> Self {
        let last = Last { sent: signed, beat: Instant::now(), how: Beat::Alone, was_absent: false };
        Self { every, last: Mutex::new(last), ended: tokio::sync::Mutex::default() }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets no beat be given any more; returns once none is on its way. One that came behind the signing off would sign in anew.
    pub(crate) async fn end(&self) {
        *self.ended.lock().await = true;
    }

    /// Without a beat for so long, this process or the database was away: a late one is not enough.
    fn absence(&self) -> Duration {
        self.every * 5 / 2
    }

    /// A beat was answered, which had been sent then.
    pub(crate) fn beat(&self, sent: Instant, how: Beat) {
        let mut last = self.last();
        last.sent = sent;
        last.was_absent |= last.beat.elapsed() > self.absence();
        (last.beat, last.how) = (Instant::now(), how);
    }

    /// How long until a beat has to be given by itself; one that goes along is waited for a little longer.
    fn rest(&self) -> Duration {
        let last = self.last();
        let patience = match last.how {
            Beat::Alone => self.every,
            Beat::Along => self.every * 6 / 5,
        };
        patience.saturating_sub(last.beat.elapsed())
    }

    /// Returns a moment before the last sign of life that others can have seen: nobody takes this store for dead
    /// before a whole lease is over from then on.
    pub(crate) fn seen_alive(&self) -> Instant {
        self.last().sent
    }

    /// The database could not be asked: whoever is to be judged could not reach it either.
    pub(crate) fn note_absence(&self) {
        self.last().was_absent = true;
    }

    /// Whether this process or the database was away since this was last asked. Whoever judges others has
    /// to give them time then.
    pub(crate) fn take_absence(&self) -> bool {
        let mut last = self.last();
        let is_absent = last.beat.elapsed() > self.absence();
        std::mem::take(&mut last.was_absent) || is_absent
    }
}

/// Takes the number of a new opening, and signs it in, not before the moment that is returned. Tokens begin anew
/// above all that were given.
pub(crate) async fn sign_in(
    client: &Client,
    name: Option<&str>,
    now: i64,
    every: Duration,
) -> Result<(i32, Instant), tokio_postgres::Error> {
    let lasts = i64::try_from((every * MISSED).as_millis()).unwrap_or(i64::MAX);
    // One after the other: the tokens of the later one are larger.
    client.batch_execute("BEGIN").await?;
    client.execute("SELECT pg_advisory_xact_lock($1)", &[&schema::LOCK]).await?;
    let row = client
        .query_one(
            "WITH epoch AS MATERIALIZED (SELECT nextval('epochs')::int4 AS number),
             tokens AS MATERIALIZED (SELECT setval('tokens', number::int8 << 40) FROM epoch),
             signed AS (INSERT INTO instances(epoch, name, opened_at, lasts, version)
                        SELECT number, $1, $2, $3, $4 FROM epoch)
             SELECT number FROM epoch, tokens",
            &[&name, &now, &lasts, &schema::VERSION],
        )
        .await?;
    let epoch = row.try_get(0)?;
    let signed = Instant::now();
    client.batch_execute("COMMIT").await?;
    Ok((epoch, signed))
}

/// Beats until that is [ended](Pulse::end), or the store is dropped.
pub(crate) async fn run(engine: Arc<Engine>) {
    let mut client: Option<Client> = None;
    let every = engine.pulse.every;
    let mut pause = engine.pulse.rest();
    loop {
        tokio::time::sleep(pause).await;
        let ended = engine.pulse.ended.lock().await;
        if *ended {
            return;
        }
        pause = engine.pulse.rest();
        if !pause.is_zero() {
            continue;
        }
        // Others wait for it: what failed is tried again soon.
        pause = every / 5;
        match tokio::time::timeout(every, beat(&engine, &mut client)).await {
            Ok(Ok(sent)) => {
                engine.pulse.beat(sent, Beat::Alone);
                engine.proof.note_write();
                pause = engine.pulse.rest();
            }
            Ok(Err(error)) => {
                client = None;
                engine.proof.doubt(&Trouble::Away(told(&error)));
                tracing::warn!(
                    error = told(&error),
                    "no sign of life could be given to the database"
                );
            }
            Err(_) => {
                client = None;
                tracing::warn!("the database did not take a sign of life in time");
            }
        }
    }
}

/// Gives one; returns a moment before it could be seen.
async fn beat(
    engine: &Engine,
    kept: &mut Option<Client>,
) -> Result<Instant, tokio_postgres::Error> {
    if kept.as_ref().is_none_or(Client::is_closed) {
        let (client, connection) = engine.links.own().await?;
        tokio::spawn(connection);
        client.batch_execute(&engine.links.setup()).await?;
        *kept = Some(client);
    }
    let mut sent = Instant::now();
    let Some(client) = kept else { return Ok(sent) };
    let epoch = engine.base.epoch();
    let alive = client
        .execute("UPDATE instances SET beats = beats + 1 WHERE epoch = $1 AND fate = 0", &[&epoch])
        .await?;
    if alive == 0 {
        let name = engine.name.as_deref();
        let (next, signed) =
            sign_in(client, name, engine.base.clock.now().0, engine.pulse.every).await?;
        sent = signed;
        engine.base.begin_epoch(next);
        tracing::error!(
            was = epoch,
            now = next,
            "this server was taken for dead: what it held was taken back, and runs elsewhere"
        );
    }
    Ok(sent)
}
