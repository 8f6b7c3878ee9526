//! Marks of ready tasks that a broker carries.

use super::desk::Desk;
use super::row::TaskRow;
use super::sort::Sort;
use crate::error::Trouble;
use longshore_core::TaskId;
use longshore_core::store::Marked;
use longshore_core::task::Seq;

impl Desk<'_> {
    /// Whether a broker carries the queue.
    pub(super) async fn is_carried(&mut self, queue: &str) -> Result<bool, Trouble> {
        if self.carried.is_none() {
            let rows = self.rows("SELECT queue FROM carriers", &[]).await?;
            let names = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
            self.carried = Some(names);
        }
        Ok(self.carried.as_ref().is_some_and(|carried| carried.contains(queue)))
    }

    /// Keeps the mark of a carried task in step with its readiness.
    pub(super) async fn mark(&mut self, ready_before: u8, row: &TaskRow) -> Result<(), Trouble> {
        if (row.ready > 0) == (ready_before > 0)
            || !self.is_carried(row.sort.queue.as_str()).await?
        {
            return Ok(());
        }
        if row.ready > 0 {
            self.execute(
                "INSERT INTO outbox(seq, queue, relayed) VALUES ($1, $2, false)
                 ON CONFLICT (seq) DO UPDATE SET relayed = false",
                &[&row.seq, &row.sort.queue.as_str()],
            )
            .await?;
        } else {
            self.unmark(row.seq).await?;
        }
        Ok(())
    }

    pub(super) async fn unmark(&self, seq: i64) -> Result<(), Trouble> {
        self.execute("DELETE FROM outbox WHERE seq = $1", &[&seq]).await?;
        Ok(())
    }

    /// From now on a broker carries the queue's tasks, or nobody.
    pub(super) async fn carry(
        &mut self,
        queue: &str,
        carrier: Option<&str>,
    ) -> Result<(), Trouble> {
        // Whoever makes a task ready at this moment is waited for, and sees what is set here afterwards: else
        // its mark would be missing for ever.
        self.execute("LOCK TABLE tasks IN SHARE MODE", &[]).await?;
        self.carried = None;
        let carried = self.is_carried(queue).await?;
        let Some(carrier) = carrier else {
            self.execute("DELETE FROM carriers WHERE queue = $1", &[&queue]).await?;
            self.execute("DELETE FROM outbox WHERE queue = $1", &[&queue]).await?;
            self.carried = None;
            return Ok(());
        };
        self.execute(
            "INSERT INTO carriers(queue, carrier) VALUES ($1, $2)
             ON CONFLICT (queue) DO UPDATE SET carrier = excluded.carrier",
            &[&queue, &carrier],
        )
        .await?;
        if !carried {
            self.execute(
                "INSERT INTO outbox(seq, queue, relayed)
                 SELECT seq, queue, false FROM tasks WHERE queue = $1 AND ready > 0
                 ON CONFLICT (seq) DO UPDATE SET relayed = false",
                &[&queue],
            )
            .await?;
        }
        self.carried = None;
        Ok(())
    }

    pub(crate) async fn outbox(&self, limit: usize) -> Result<Vec<Marked>, Trouble> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self
            .rows(
                "SELECT t.seq, t.id, t.tenant, t.queue, t.kind FROM outbox o JOIN tasks t USING (seq)
                 WHERE NOT o.relayed ORDER BY o.seq LIMIT $1",
                &[&limit],
            )
            .await?;
        let marked = |row: &tokio_postgres::Row| -> Result<Marked, Trouble> {
            let Sort { tenant, queue, kind } = Sort::read(row, 2)?;
            Ok(Marked {
                seq: Seq(row.try_get(0)?),
                id: TaskId(row.try_get(1)?),
                tenant,
                queue,
                kind,
            })
        };
        rows.iter().map(marked).collect()
    }

    pub(crate) async fn relayed(&self, carried: &[Seq]) -> Result<(), Trouble> {
        let seqs: Vec<i64> = carried.iter().map(|seq| seq.0).collect();
        self.execute("UPDATE outbox SET relayed = true WHERE seq = ANY($1)", &[&seqs]).await?;
        Ok(())
    }
}
