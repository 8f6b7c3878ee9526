//! Workers, in memory, for this process is the only one; and the kinds that they run, in the file.

use crate::store::EmbeddedStore;
use crate::writer::Job;
use async_trait::async_trait;
use longshore_core::register::Register;
use longshore_core::store::{KIND_KEPT, KnownKind, Result, SeenWorker, Told, Worker, Workers};
use longshore_core::{KindName, Timestamp};
use rusqlite::Connection;
use rusqlite::types::Type;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A kind that has not changed is written again after this long.
const REFRESH: Duration = Duration::from_secs(86_400);

/// Who has said that it lives, and what of it is in the file.
#[derive(Debug, Default)]
pub(crate) struct Known {
    register: Mutex<Register>,
    written: Mutex<HashMap<KindName, (KnownKind, Timestamp)>>,
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Known {
    /// Returns those kinds that the file has not, or has had for long.
    fn news(&self, kinds: Vec<KnownKind>, now: Timestamp) -> Vec<KnownKind> {
        let written = locked(&self.written);
        let is_news = |kind: &KnownKind| {
            let before = written.get(&kind.name);
            before.is_none_or(|(before, at)| before != kind || now.since(*at) >= REFRESH)
        };
        kinds.into_iter().filter(is_news).collect()
    }

    fn note(&self, kinds: Vec<KnownKind>, now: Timestamp) {
        locked(&self.written)
            .extend(kinds.into_iter().map(|kind| (kind.name.clone(), (kind, now))));
    }
}

#[async_trait]
impl Workers for EmbeddedStore {
    async fn announce(
        &self,
        worker: Worker,
        kinds: Vec<KnownKind>,
        lasts: Duration,
    ) -> Result<Told> {
        let now = self.clock.now();
        let news = self.known.news(kinds, now);
        if !news.is_empty() {
            let kinds = news.clone();
            self.ask(|reply| Job::Know { kinds, reply }).await?;
            self.known.note(news, now);
        }
        let monotonic = self.clock.monotonic();
        Ok(locked(&self.known.register).announce(worker, lasts, now, monotonic))
    }

    async fn leave(&self, id: &str) -> Result<()> {
        locked(&self.known.register).leave(id);
        Ok(())
    }

    async fn drain(&self, id: &str) -> Result<bool> {
        Ok(locked(&self.known.register).drain(id))
    }

    async fn workers(&self) -> Result<Vec<SeenWorker>> {
        Ok(locked(&self.known.register).all(self.clock.monotonic()))
    }

    async fn known_kinds(&self) -> Result<Vec<KnownKind>> {
        let since = oldest(self.clock.now());
        self.readers.ask(move |db| read(db, since)).await
    }
}

fn oldest(now: Timestamp) -> i64 {
    now.0.saturating_sub(i64::try_from(KIND_KEPT.as_millis()).unwrap_or(i64::MAX))
}

fn read(db: &Connection, since: i64) -> rusqlite::Result<Vec<KnownKind>> {
    let mut select =
        db.prepare_cached("SELECT spec FROM kinds WHERE seen_at >= ?1 ORDER BY name")?;
    let mut rows = select.query([since])?;
    let mut kinds = Vec::new();
    while let Some(row) = rows.next()? {
        let kind = serde_json::from_str(row.get_ref(0)?.as_str()?);
        kinds.push(kind.map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
        })?);
    }
    Ok(kinds)
}

/// Writes kinds down, and forgets those that nobody has run for long.
pub(crate) fn know(
    db: &Connection,
    kinds: &[KnownKind],
    now: Timestamp,
) -> Result<(), crate::error::Trouble> {
    db.prepare_cached("DELETE FROM kinds WHERE seen_at < ?1")?.execute([oldest(now)])?;
    let mut upsert = db.prepare_cached(
        "INSERT INTO kinds(name, spec, seen_at) VALUES (?1, ?2, ?3)
         ON CONFLICT(name) DO UPDATE SET spec = excluded.spec, seen_at = excluded.seen_at",
    )?;
    for kind in kinds {
        upsert.execute((kind.name.as_str(), serde_json::to_string(kind)?, now.0))?;
    }
    Ok(())
}
