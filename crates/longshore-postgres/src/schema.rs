//! The schema: made, or brought up to this version, one server at a time.
//!
//! Each file in `migrations` leads from one version to the next. A version says which programs can still
//! work with it, so that servers of two versions can run side by side while they are replaced.

use crate::error::OpenError;
use crate::options::Address;
use tokio_postgres::Client;

/// The version that this program makes.
pub(crate) const VERSION: i32 = 3;

/// The steps, the first from nothing to 1. With each one: the oldest program that can work with it.
const STEPS: &[(&str, i32)] = &[
    (include_str!("../migrations/0001.sql"), 1),
    (include_str!("../migrations/0002.sql"), 1),
    (include_str!("../migrations/0003.sql"), 1),
];

/// PostgreSQL's oldest version that is known to work.
const OLDEST_SERVER: i32 = 150_000;

/// Keeps two servers from making the same schema, or signing in, at once ("LSHR").
pub(crate) const LOCK: i64 = 0x4C53_4852;

/// Makes what is missing, in one transaction.
pub(crate) async fn prepare(client: &mut Client, address: &Address) -> Result<(), OpenError> {
    let (place, schema) = (&address.shown, &address.schema);
    let failed = |error: tokio_postgres::Error| OpenError::of(place, &error);
    let unfit = |why: String| OpenError::Unfit { place: place.clone(), why };
    let server = client
        .query_one(
            "SELECT current_setting('server_version_num')::int4,
        pg_is_in_recovery(), current_setting('fsync')",
            &[],
        )
        .await
        .map_err(failed)?;
    if server.get::<_, i32>(0) < OLDEST_SERVER {
        return Err(unfit("PostgreSQL 15 or newer is needed".to_owned()));
    }
    if server.get(1) {
        return Err(unfit(
            "it is a standby that cannot be written to: name the primary".to_owned(),
        ));
    }
    if server.get::<_, &str>(2) == "off" {
        tracing::error!(%place, "fsync is off: what is accepted will be lost in a power cut");
    }
    let step = client.transaction().await.map_err(failed)?;
    step.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(failed)?;
    let there = step
        .query_opt("SELECT 1 FROM pg_namespace WHERE nspname = $1", &[schema])
        .await
        .map_err(failed)?;
    if there.is_none() {
        step.batch_execute(&format!("CREATE SCHEMA \"{schema}\"")).await.map_err(failed)?;
    }
    step.batch_execute(&format!("SET LOCAL search_path = \"{schema}\"")).await.map_err(failed)?;
    let ours =
        step.query_one("SELECT to_regclass('format') IS NOT NULL", &[]).await.map_err(failed)?;
    let (mut version, mut oldest) = (0, 0);
    if ours.get(0) {
        let format =
            step.query_one("SELECT version, oldest FROM format", &[]).await.map_err(failed)?;
        (version, oldest) = (format.get(0), format.get(1));
    } else {
        let taken = step.query_one("SELECT to_regclass('tasks') IS NOT NULL", &[]).await;
        if taken.map_err(failed)?.get(0) {
            return Err(unfit(
                "the schema has a table `tasks` that is not ours: name another with ?schema="
                    .to_owned(),
            ));
        }
        step.batch_execute(
            "CREATE TABLE format(version integer NOT NULL, oldest integer NOT NULL)",
        )
        .await
        .map_err(failed)?;
        step.execute("INSERT INTO format(version, oldest) VALUES (0, 0)", &[])
            .await
            .map_err(failed)?;
    }
    if oldest > VERSION {
        return Err(OpenError::TooNew { place: place.clone(), found: version, known: VERSION });
    }
    if version < VERSION {
        for (sql, needs) in &STEPS[usize::try_from(version).unwrap_or(0)..] {
            step.batch_execute(sql).await.map_err(failed)?;
            oldest = *needs;
        }
        step.execute("UPDATE format SET version = $1, oldest = $2", &[&VERSION, &oldest])
            .await
            .map_err(failed)?;
    }
    step.commit().await.map_err(failed)
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
