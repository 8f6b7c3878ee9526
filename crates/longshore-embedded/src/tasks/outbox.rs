//! Marks of ready tasks that a broker carries.

use super::desk::Desk;
use super::row::TaskRow;
use crate::error::Trouble;
use crate::names::NameId;
use longshore_core::store::Marked;
use longshore_core::task::Seq;

impl Desk<'_> {
    /// Keeps the mark of a carried task in step with its readiness.
    pub(super) fn mark(&self, ready_before: u8, row: &TaskRow) -> Result<(), Trouble> {
        if row.ready > 0 && ready_before == 0 {
            let mut insert = self.db.prepare_cached(
                "INSERT OR REPLACE INTO outbox(seq, queue, relayed) VALUES (?1, ?2, 0)",
            )?;
            insert.execute((row.seq, row.sort.queue))?;
        } else if row.ready == 0 && ready_before > 0 {
            self.unmark(row.seq)?;
        }
        Ok(())
    }

    pub(super) fn unmark(&self, seq: i64) -> Result<(), Trouble> {
        self.db.prepare_cached("DELETE FROM outbox WHERE seq = ?1")?.execute([seq])?;
        Ok(())
    }

    /// From now on a broker carries the queue's tasks, or nobody.
    pub(super) fn carry(&mut self, queue: NameId, carrier: Option<&str>) -> Result<(), Trouble> {
        let carried = self.memory.carriers.contains(&queue);
        match carrier {
            Some(carrier) => {
                let mut insert = self.db.prepare_cached(
                    "INSERT OR REPLACE INTO carriers(queue, carrier) VALUES (?1, ?2)",
                )?;
                insert.execute((queue, carrier))?;
                if !carried {
                    let mut marks = self.db.prepare_cached(
                        "INSERT INTO outbox(seq, queue, relayed)
                         SELECT seq, queue, 0 FROM tasks INDEXED BY tasks_ready WHERE queue = ?1 AND ready > 0",
                    )?;
                    marks.execute([queue])?;
                }
                self.memory.carriers.insert(queue);
            }
            None => {
                self.db
                    .prepare_cached("DELETE FROM carriers WHERE queue = ?1")?
                    .execute([queue])?;
                self.db.prepare_cached("DELETE FROM outbox WHERE queue = ?1")?.execute([queue])?;
                self.memory.carriers.remove(&queue);
            }
        }
        Ok(())
    }

    pub(crate) fn outbox(&self, limit: usize) -> Result<Vec<Marked>, Trouble> {
        let mut select = self.db.prepare_cached(
            "SELECT tasks.seq, tasks.id, tasks.tenant, tasks.queue, tasks.kind
             FROM outbox INDEXED BY outbox_waiting JOIN tasks USING (seq)
             WHERE relayed = 0 ORDER BY outbox.seq LIMIT ?1",
        )?;
        let mut rows = select.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let mut marked = Vec::new();
        while let Some(row) = rows.next()? {
            marked.push(Marked {
                seq: Seq(row.get(0)?),
                id: longshore_core::TaskId(uuid::Uuid::from_bytes(row.get(1)?)),
                tenant: self.names.tenant(row.get(2)?)?,
                queue: self.names.queue(row.get(3)?)?,
                kind: self.names.kind(row.get(4)?)?,
            });
        }
        Ok(marked)
    }

    pub(crate) fn relayed(&self, carried: &[Seq]) -> Result<(), Trouble> {
        let mut update = self.db.prepare_cached("UPDATE outbox SET relayed = 1 WHERE seq = ?1")?;
        for seq in carried {
            update.execute([seq.0])?;
        }
        Ok(())
    }
}
