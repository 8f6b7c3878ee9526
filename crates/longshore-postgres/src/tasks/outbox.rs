//! Marks of ready tasks that a broker carries.

use super::desk::Desk;
use super::row::TaskRow;
use crate::error::Trouble;
use crate::index::sort_number;
use crate::oversight::queue;
use longshore_core::store::MarkRef;
use tokio_postgres::Row;

/// In the order of places, so that two who turn the same do not wait for each other.
const TURN: &str = "
WITH told AS (
    SELECT o.seq FROM unnest($1::int8[], $2::int4[]) AS m(seq, openings)
    JOIN outbox o USING (seq) JOIN tasks t ON t.seq = m.seq AND t.openings = m.openings
    WHERE o.relayed <> $3 ORDER BY o.seq FOR UPDATE OF o
)
UPDATE outbox SET relayed = $3 FROM told WHERE outbox.seq = told.seq RETURNING outbox.queue";

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

    /// From now on a broker carries the queue's tasks, or nobody. It has none of what the one before was given.
    pub(super) async fn carry(
        &mut self,
        queue: &str,
        before: Option<&str>,
        carrier: Option<&str>,
    ) -> Result<(), Trouble> {
        if before == carrier {
            return Ok(());
        }
        // Whoever makes a task ready at this moment is waited for, and sees what is set here afterwards: else
        // its mark would be missing for ever.
        self.execute("LOCK TABLE tasks IN SHARE MODE", &[]).await?;
        self.carried = None;
        self.execute("DELETE FROM outbox WHERE queue = $1", &[&queue]).await?;
        let Some(carrier) = carrier else {
            self.execute("DELETE FROM carriers WHERE queue = $1", &[&queue]).await?;
            return Ok(());
        };
        self.execute(
            "INSERT INTO carriers(queue, carrier) VALUES ($1, $2)
             ON CONFLICT (queue) DO UPDATE SET carrier = excluded.carrier",
            &[&queue, &carrier],
        )
        .await?;
        self.write_marks().await?; // the counters say which kinds there are
        self.execute(
            concat!(
                "INSERT INTO outbox(seq, queue, relayed)
                 SELECT seq, queue, false
                 FROM (SELECT kind FROM counts WHERE queue = $1 AND state IN (8, 9)
                       GROUP BY kind HAVING sum(n) > 0) AS counted
                 JOIN tasks ON ",
                sort_number!("queue", "tasks.kind"),
                " = ",
                sort_number!("$1", "counted.kind"),
                "
                   AND ready > 0 AND queue = $1 AND tasks.kind = counted.kind"
            ),
            &[&queue],
        )
        .await?;
        Ok(())
    }

    /// Notes that a broker has these.
    pub(crate) async fn relayed(&self, marks: &[MarkRef]) -> Result<(), Trouble> {
        self.turn(marks, true).await.map(drop)
    }

    /// Notes that a broker has lost these; returns the queues of those that it had.
    pub(crate) async fn lost(&mut self, marks: &[MarkRef]) -> Result<usize, Trouble> {
        let turned = self.turn(marks, false).await?;
        for row in &turned {
            self.after.woken.insert(queue(row.try_get(0)?)?);
        }
        Ok(turned.len())
    }

    /// Lets current marks stand so that did not.
    async fn turn(&self, marks: &[MarkRef], relayed: bool) -> Result<Vec<Row>, Trouble> {
        let seqs: Vec<i64> = marks.iter().map(|mark| mark.seq.0).collect();
        let openings: Vec<i32> =
            marks.iter().map(|mark| i32::try_from(mark.openings).unwrap_or(i32::MAX)).collect();
        self.rows(TURN, &[&seqs, &openings, &relayed]).await
    }
}
