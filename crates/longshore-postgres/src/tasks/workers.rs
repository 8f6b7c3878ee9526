//! The register of workers, and the kinds that are known because of them.

use super::desk::{Desk, Note, millis};
use crate::error::Trouble;
use longshore_core::Timestamp;
use longshore_core::store::{KIND_KEPT, KnownKind, LOST_SHOWN, SeenWorker, Told, Worker};
use std::time::Duration;

/// That a kind is still run is written down so often; what it is, when that changes.
const RENEWED: Duration = Duration::from_secs(3_600);

/// One statement that is a transaction: the worker, the kinds that are new or not what they were, and, as whoever
/// can say so lives, a sign of life of the opened store.
const ANNOUNCE: &str = "
WITH said AS (
    INSERT INTO workers(id, worker, lasts, seen_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO UPDATE SET worker = excluded.worker, lasts = excluded.lasts,
        seen_at = excluded.seen_at, said = workers.said + 1
    RETURNING said, drain
), learnt AS (
    INSERT INTO kinds(name, kind, seen_at)
    SELECT name, kind, $4 FROM unnest($5::text[], $6::text[]) AS k(name, kind) ORDER BY name
    ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, seen_at = excluded.seen_at
        WHERE kinds.kind <> excluded.kind OR kinds.seen_at <= excluded.seen_at - $7::int8
    RETURNING name
), beat AS (
    UPDATE instances SET beats = beats + 1 WHERE epoch = $8 AND fate = 0 RETURNING epoch
)
SELECT said, drain, EXISTS (SELECT 1 FROM learnt), EXISTS (SELECT 1 FROM beat) FROM said";

impl Desk<'_> {
    pub(crate) async fn announce(
        &mut self,
        worker: &Worker,
        kinds: &[KnownKind],
        lasts: Duration,
    ) -> Result<Told, Trouble> {
        let said = serde_json::to_string(worker)?;
        let (mut names, mut texts) = (Vec::new(), Vec::new());
        for kind in kinds {
            if !names.contains(&kind.name.as_str()) {
                names.push(kind.name.as_str());
                texts.push(serde_json::to_string(kind)?);
            }
        }
        let row = self
            .row(
                ANNOUNCE,
                &[
                    &super::desk::text(&worker.id),
                    &said,
                    &millis(lasts),
                    &self.now.0,
                    &names,
                    &texts,
                    &millis(RENEWED),
                    &self.base.epoch(),
                ],
            )
            .await?;
        let Some(row) = row else { return Ok(Told::default()) };
        let id = worker.id.to_string();
        self.after.notes.push(Note::Worker { id, said: row.try_get(0)? });
        self.after.stirs = row.try_get(2)?;
        self.after.beats = row.try_get::<_, bool>(3)?.then_some(self.began);
        self.after.is_written = true;
        Ok(Told { drain: row.try_get(1)? })
    }

    pub(crate) async fn leave(&mut self, id: &str) -> Result<(), Trouble> {
        self.execute("DELETE FROM workers WHERE id = $1", &[&super::desk::text(id)]).await?;
        self.base.watches.lock().workers.forget(&id.to_owned());
        Ok(())
    }

    pub(crate) async fn drain(&mut self, id: &str) -> Result<bool, Trouble> {
        let id = super::desk::text(id);
        Ok(self.execute("UPDATE workers SET drain = true WHERE id = $1", &[&id]).await? > 0)
    }

    /// Reads the register. One that has been lost for long is left out, and removed by
    /// [`forget_lost_workers`](Desk::forget_lost_workers).
    pub(crate) async fn workers(&self) -> Result<Vec<SeenWorker>, Trouble> {
        let mut seen = Vec::new();
        for (worker, lasts, seen_at, silent) in self.register().await? {
            if silent <= lasts.saturating_add(LOST_SHOWN) {
                seen.push(SeenWorker { worker, seen_at, silent, lost: silent > lasts });
            }
        }
        Ok(seen)
    }

    pub(crate) async fn forget_lost_workers(&mut self) -> Result<(), Trouble> {
        for (worker, lasts, _, silent) in self.register().await? {
            if silent > lasts.saturating_add(LOST_SHOWN) {
                self.leave(&worker.id).await?;
            }
        }
        Ok(())
    }

    async fn register(&self) -> Result<Vec<(Worker, Duration, Timestamp, Duration)>, Trouble> {
        let rows = self
            .rows("SELECT id, worker, said, lasts, seen_at FROM workers ORDER BY id", &[])
            .await?;
        let mut watch = self.base.watches.lock();
        let mut register = Vec::with_capacity(rows.len());
        for row in &rows {
            let since = watch.workers.look(row.try_get(0)?, row.try_get(2)?, self.tick);
            let worker: Worker = serde_json::from_str(row.try_get(1)?)?;
            let lasts = Duration::from_millis(row.try_get::<_, i64>(3)?.max(0).unsigned_abs());
            let silent = self.tick.saturating_sub(since);
            register.push((worker, lasts, Timestamp(row.try_get(4)?), silent));
        }
        Ok(register)
    }

    pub(crate) async fn known_kinds(&self) -> Result<Vec<KnownKind>, Trouble> {
        let rows = self
            .rows(
                "SELECT kind FROM kinds WHERE seen_at >= $1 ORDER BY name",
                &[&known_since(self.now)],
            )
            .await?;
        rows.iter().map(|row| Ok(serde_json::from_str(row.try_get(0)?)?)).collect()
    }
}

/// Kinds that were announced since then are known.
pub(crate) fn known_since(now: Timestamp) -> i64 {
    now.0.saturating_sub(millis(KIND_KEPT))
}
