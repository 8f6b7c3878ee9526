//! The schema: made, or brought up to this version, one server at a time.
//!
//! Each file in `migrations` leads from one version to the next. A version says which programs can still
//! work with it, so that servers of two versions can run side by side while they are replaced. What such a version keeps only for
//! the programs before it is done away with once none of them is open.

use crate::error::OpenError;
use crate::options::Address;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Transaction};

/// The version that this program makes.
pub(crate) const VERSION: i32 = 5;

/// A way from one version to the next.
struct Step {
    sql: &'static str,
    /// The oldest program that can work with it.
    oldest: i32,
    /// What older programs alone needed: done away with once none is open. None may be opened afterwards.
    settle: Option<&'static str>,
}

/// The steps, the first from nothing to 1.
const STEPS: &[Step] = &[
    Step { sql: include_str!("../migrations/0001.sql"), oldest: 1, settle: None },
    Step { sql: include_str!("../migrations/0002.sql"), oldest: 1, settle: None },
    Step { sql: include_str!("../migrations/0003.sql"), oldest: 1, settle: None },
    Step {
        sql: include_str!("../migrations/0004.sql"),
        oldest: 1,
        settle: Some(include_str!("../migrations/0004-settled.sql")),
    },
    Step {
        sql: include_str!("../migrations/0005.sql"),
        oldest: 1,
        settle: Some(include_str!("../migrations/0005-settled.sql")),
    },
];

/// PostgreSQL's oldest version that is known to work.
const OLDEST_SERVER: i32 = 150_000;

/// Keeps two servers from making the same schema, or signing in, at once ("LSHR").
pub(crate) const LOCK: i64 = 0x4C53_4852;

/// Makes what is missing, in one transaction. `migrates` tells that it takes its time.
pub(crate) async fn prepare(
    client: &mut Client,
    address: &Address,
    migrates: &AtomicBool,
) -> Result<(), OpenError> {
    let place = &address.shown;
    let failed = |error: tokio_postgres::Error| OpenError::of(place, &error);
    judge_server(client, place).await?;
    let step = client.transaction().await.map_err(failed)?;
    step.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(failed)?;
    let before = find(&step, address).await?;
    if before.oldest > VERSION {
        let (found, known) = (before.version, VERSION);
        return Err(OpenError::TooNew { place: place.clone(), found, known });
    }
    let made = async {
        let mut format = before;
        if format.version < VERSION {
            migrates.store(true, Ordering::Relaxed);
            bring_up(&step, &mut format).await?;
        }
        // Whoever has brought a schema up can still go back: what older programs need goes when it is opened the next time.
        if before.version == 0 || before.version == VERSION {
            settle(&step, &mut format).await?;
        }
        if format != before {
            let sql = "UPDATE format SET version = $1, oldest = $2";
            step.execute(sql, &[&format.version, &format.oldest]).await?;
        }
        step.commit().await
    };
    made.await.map_err(failed)
}

/// Whether the server is one that we can work with.
async fn judge_server(client: &Client, place: &str) -> Result<(), OpenError> {
    let unfit = |why: &str| Err(OpenError::Unfit { place: place.to_owned(), why: why.to_owned() });
    let server = client
        .query_one(
            "SELECT current_setting('server_version_num')::int4, pg_is_in_recovery(), current_setting('fsync')",
            &[],
        )
        .await
        .map_err(|error| OpenError::of(place, &error))?;
    if server.get::<_, i32>(0) < OLDEST_SERVER {
        return unfit("PostgreSQL 15 or newer is needed");
    }
    if server.get(1) {
        return unfit("it is a standby that cannot be written to: name the primary");
    }
    if server.get::<_, &str>(2) == "off" {
        tracing::error!(%place, "fsync is off: what is accepted will be lost in a power cut");
    }
    Ok(())
}

/// What a schema says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Format {
    version: i32,
    /// The oldest program that can work with it.
    oldest: i32,
}

/// Finds our schema, or makes an empty one, and goes into it.
async fn find(step: &Transaction<'_>, address: &Address) -> Result<Format, OpenError> {
    let (place, schema) = (&address.shown, &address.schema);
    let failed = |error: tokio_postgres::Error| OpenError::of(place, &error);
    let there = step
        .query_opt("SELECT 1 FROM pg_namespace WHERE nspname = $1", &[schema])
        .await
        .map_err(failed)?;
    if there.is_none() {
        step.batch_execute(&format!("CREATE SCHEMA \"{schema}\"")).await.map_err(failed)?;
    }
    step.batch_execute(&format!("SET LOCAL search_path = \"{schema}\"")).await.map_err(failed)?;
    let tables = step
        .query_one(
            "SELECT to_regclass('format') IS NOT NULL, to_regclass('tasks') IS NOT NULL",
            &[],
        )
        .await
        .map_err(failed)?;
    if tables.get(0) {
        let format = step.query_one("SELECT version, oldest FROM format", &[]).await;
        let format = format.map_err(failed)?;
        return Ok(Format { version: format.get(0), oldest: format.get(1) });
    }
    if tables.get(1) {
        let why = "the schema has a table `tasks` that is not ours: name another with ?schema=";
        return Err(OpenError::Unfit { place: place.clone(), why: why.to_owned() });
    }
    step.batch_execute(
        "CREATE TABLE format(version integer NOT NULL, oldest integer NOT NULL);
         INSERT INTO format(version, oldest) VALUES (0, 0)",
    )
    .await
    .map_err(failed)?;
    Ok(Format { version: 0, oldest: 0 })
}

/// Goes all steps from the version that was found.
async fn bring_up(
    step: &Transaction<'_>,
    format: &mut Format,
) -> Result<(), tokio_postgres::Error> {
    if format.version > 0 {
        tracing::info!(from = format.version, to = VERSION, "the schema is brought up");
    }
    // Whoever waits for a lock keeps others waiting.
    step.batch_execute("SET LOCAL lock_timeout = '10s'").await?;
    for next in &STEPS[usize::try_from(format.version).unwrap_or(0)..] {
        step.batch_execute(next.sql).await?;
        format.oldest = format.oldest.max(next.oldest);
    }
    format.version = VERSION;
    Ok(())
}

/// Does away with what only older programs need, if none of them is open, and nobody has to be waited for: a reader that takes
/// long (a backup) would make all others wait, too.
async fn settle(step: &Transaction<'_>, format: &mut Format) -> Result<(), tokio_postgres::Error> {
    for (version, of) in (1..).zip(STEPS) {
        let Some(sql) = of.settle.filter(|_| format.oldest < version) else { continue };
        let open = "SELECT EXISTS (SELECT 1 FROM instances WHERE coalesce(version, 0) < $1)";
        if step.query_one(open, &[&version]).await?.get(0) {
            break;
        }
        let settled = step
            .batch_execute(&format!("SAVEPOINT unsettled; SET LOCAL lock_timeout = '1s'; {sql}"))
            .await;
        let is_in_use = |error: &tokio_postgres::Error| {
            let waits = [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED];
            error.code().is_some_and(|code| waits.contains(code))
        };
        if settled.as_ref().is_err_and(is_in_use) {
            step.batch_execute("ROLLBACK TO unsettled").await?;
            tracing::info!(
                version,
                "what older versions needed goes at a later start: it is in use"
            );
            break;
        }
        settled?;
        format.oldest = version;
        tracing::debug!(version, "what older versions needed is gone from the schema");
    }
    Ok(())
}

/// Removes the schema of that address, with all that is in it.
pub async fn erase(url: &str) -> Result<(), OpenError> {
    let address = Address::read(url)?;
    let failed = |error: tokio_postgres::Error| OpenError::of(&address.shown, &error);
    let (client, connection) = address.config.connect(address.tls.clone()).await.map_err(failed)?;
    let driver = tokio::spawn(connection);
    let dropped = format!("DROP SCHEMA IF EXISTS \"{}\" CASCADE", address.schema);
    client.batch_execute(&dropped).await.map_err(failed)?;
    drop(client);
    let _ = driver.await; // it has nothing more to say
    Ok(())
}
