//! Marks of the ready tasks of carried queues.

use super::books::Books;
use super::row::{Held, Mark, Row};
use super::store::ModelStore;
use async_trait::async_trait;
use longshore_core::rescue::Runs;
use longshore_core::store::{Carriage, Carried, MarkRef, Marked, Outbox, Relay, Result};
use longshore_core::{KindName, QueueName};
use std::collections::BTreeMap;
use tokio::time::Instant;

impl Books {
    fn outbox(&self, want: &Relay) -> Outbox {
        let mut carried: BTreeMap<KindName, usize> = BTreeMap::new();
        for one in self.carried_in(&want.queue) {
            *carried.entry(one.kind).or_default() += 1;
        }
        let is_isolated = |held: &Held| held.runs == Runs::Isolated;
        let alone = self.rows.iter().any(|row| row.held.as_ref().is_some_and(is_isolated));
        let is_free = |row: &&Row| {
            row.mark == Some(Mark::Fresh)
                && row.task.queue == want.queue
                && !self.is_paused(row)
                && !(row.crashes.is_suspect() && alone)
        };
        let mut fresh: Vec<&Row> = self.rows.iter().filter(is_free).collect();
        fresh.sort_by_key(|row| row.order());
        let mut with_broker = carried.clone();
        fresh.retain(|row| {
            let count = with_broker.entry(row.task.kind.clone()).or_default();
            *count += 1;
            *count <= want.window
        });
        Outbox { marks: fresh.into_iter().take(want.limit).map(marked).collect(), carried }
    }

    fn carried_in(&self, queue: &QueueName) -> Vec<Carried> {
        let of = |row: &&Row| row.mark == Some(Mark::Relayed) && row.task.queue == *queue;
        let one = |row: &Row| Carried { mark: mark_of(row), kind: row.task.kind.clone() };
        self.rows.iter().filter(of).map(one).collect()
    }

    /// Lets marks that stand at `from` stand at `to`; returns how many did.
    fn turn(&mut self, marks: &[MarkRef], from: Mark, to: Mark) -> usize {
        let concerned = |row: &&mut Row| row.mark == Some(from) && marks.contains(&mark_of(row));
        let turned = self.rows.iter_mut().filter(concerned);
        turned.map(|row| row.mark = Some(to)).count()
    }
}

fn mark_of(row: &Row) -> MarkRef {
    MarkRef { seq: row.task.seq, openings: row.openings }
}

fn marked(row: &Row) -> Marked {
    Marked {
        mark: mark_of(row),
        id: row.task.id,
        tenant: row.task.tenant.clone(),
        queue: row.task.queue.clone(),
        kind: row.task.kind.clone(),
        traceparent: row.task.traceparent.clone(),
    }
}

#[async_trait]
impl Carriage for ModelStore {
    async fn outbox(&self, want: Relay) -> Result<Outbox> {
        let until = Instant::now() + want.wait;
        loop {
            let mut changed = std::pin::pin!(self.changed().notified());
            changed.as_mut().enable();
            let outbox = self.books()?.outbox(&want);
            if !outbox.marks.is_empty() || tokio::time::timeout_at(until, changed).await.is_err() {
                return Ok(outbox);
            }
        }
    }

    async fn relayed(&self, marks: Vec<MarkRef>) -> Result<()> {
        self.change(|books, _| {
            books.turn(&marks, Mark::Fresh, Mark::Relayed);
        })
    }

    async fn carried(&self, queue: &QueueName) -> Result<Vec<Carried>> {
        Ok(self.books()?.carried_in(queue))
    }

    async fn lost(&self, marks: Vec<MarkRef>) -> Result<usize> {
        self.change(|books, _| books.turn(&marks, Mark::Relayed, Mark::Fresh))
    }
}
