//! Marks of ready tasks that a broker carries.

use super::desk::Desk;
use super::row::TaskRow;
use crate::error::Trouble;
use crate::memory::Sort;
use crate::names::NameId;
use longshore_core::store::MarkRef;

impl Desk<'_> {
    /// Keeps the mark of a carried task in step with its readiness.
    pub(super) fn mark(&mut self, ready_before: u8, row: &TaskRow) -> Result<(), Trouble> {
        if row.ready > 0 && ready_before == 0 {
            let mut insert = self.db.prepare_cached(
                "INSERT OR REPLACE INTO outbox(seq, queue, relayed) VALUES (?1, ?2, 0)",
            )?;
            insert.execute((row.seq, row.sort.queue))?;
            self.memory.marked.insert(row.sort.queue);
        } else if row.ready == 0 && ready_before > 0 {
            self.unmark(row.sort, row.seq)?;
        }
        Ok(())
    }

    pub(super) fn unmark(&mut self, sort: Sort, seq: i64) -> Result<(), Trouble> {
        self.db.prepare_cached("DELETE FROM outbox WHERE seq = ?1")?.execute([seq])?;
        self.memory.forget_carried(sort, seq);
        Ok(())
    }

    /// The broker is to be given it once more.
    pub(super) fn mark_anew(&mut self, sort: Sort, seq: i64) -> Result<(), Trouble> {
        let mut update = self.db.prepare_cached("UPDATE outbox SET relayed = 0 WHERE seq = ?1")?;
        update.execute([seq])?;
        self.memory.forget_carried(sort, seq);
        Ok(())
    }

    /// From now on a broker carries the queue's tasks, or nobody. It has none of what the one before was given.
    pub(super) fn carry(
        &mut self,
        queue: NameId,
        before: Option<&str>,
        carrier: Option<&str>,
    ) -> Result<(), Trouble> {
        if before == carrier {
            return Ok(());
        }
        self.db.prepare_cached("DELETE FROM outbox WHERE queue = ?1")?.execute([queue])?;
        self.memory.carried.retain(|(of, _), _| *of != queue);
        let Some(carrier) = carrier else {
            self.db.prepare_cached("DELETE FROM carriers WHERE queue = ?1")?.execute([queue])?;
            self.memory.carriers.remove(&queue);
            return Ok(());
        };
        self.db
            .prepare_cached("INSERT OR REPLACE INTO carriers(queue, carrier) VALUES (?1, ?2)")?
            .execute((queue, carrier))?;
        let mut marks = self.db.prepare_cached(
            "INSERT INTO outbox(seq, queue, relayed)
             SELECT seq, queue, 0 FROM tasks INDEXED BY tasks_ready WHERE queue = ?1 AND ready > 0",
        )?;
        marks.execute([queue])?;
        self.memory.carriers.insert(queue);
        self.memory.marked.insert(queue);
        Ok(())
    }

    /// The sort of a marked task, if the mark is its current one and stands so.
    fn marked(&self, mark: MarkRef, relayed: bool) -> Result<Option<Sort>, Trouble> {
        let mut select = self.db.prepare_cached(
            "SELECT tasks.queue, tasks.kind, tasks.tenant FROM outbox JOIN tasks USING (seq)
             WHERE seq = ?1 AND openings = ?2 AND relayed = ?3",
        )?;
        let mut rows = select.query((mark.seq.0, mark.openings, relayed))?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(Sort { queue: row.get(0)?, kind: row.get(1)?, tenant: row.get(2)? }))
    }

    pub(crate) fn relayed(&mut self, marks: &[MarkRef]) -> Result<(), Trouble> {
        let mut update = self.db.prepare_cached("UPDATE outbox SET relayed = 1 WHERE seq = ?1")?;
        for mark in marks {
            if let Some(sort) = self.marked(*mark, false)? {
                update.execute([mark.seq.0])?;
                self.memory.note_carried(sort, mark.seq.0);
            }
        }
        Ok(())
    }

    pub(crate) fn lost(&mut self, marks: &[MarkRef]) -> Result<usize, Trouble> {
        let mut count = 0;
        for mark in marks {
            if let Some(sort) = self.marked(*mark, true)? {
                self.mark_anew(sort, mark.seq.0)?;
                count += 1;
            }
        }
        Ok(count)
    }
}
