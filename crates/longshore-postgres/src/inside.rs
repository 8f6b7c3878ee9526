//! Working inside of a caller's own transaction: a task is accepted, or ended, exactly if the rest of the
//! transaction is kept.

use crate::engine::DEADLINE;
use crate::error::Trouble;
use crate::store::PostgresStore;
use crate::tasks::{Desk, Line, text};
use longshore_core::store::{Ending, LeaseRef, Recorded, Refused, Result};
use longshore_core::task::Accepted;
use longshore_core::{NewTask, Payload, QueueName, TaskId, Valid, Verdict};
use tokio_postgres::Transaction;

impl PostgresStore {
    /// Accepts a task inside of the caller's transaction: it is there if that is committed, and never was if
    /// it is rolled back. The transaction must be one of this database.
    ///
    /// Workers see it within two seconds of the commit, at once if [`nudge`](Self::nudge) is called then. After an
    /// error the transaction can only be rolled back.
    pub async fn submit_in(
        &self,
        transaction: &Transaction<'_>,
        task: Valid<NewTask>,
    ) -> Result<std::result::Result<Accepted, Refused>> {
        let accepted = async {
            let mut desk = self.desk(transaction).await?;
            desk.lock_accepts(std::iter::once(&*task)).await?;
            let accepted = desk.accept(&task).await?;
            desk.write_marks().await?;
            Ok(accepted)
        };
        self.within(transaction, accepted.await).await
    }

    /// Ends a task as succeeded inside of the caller's transaction. False if the lease is not held any more: then
    /// somebody else runs it or has run it, and the transaction should be rolled back.
    pub async fn complete_in(
        &self,
        transaction: &Transaction<'_>,
        lease: LeaseRef,
        result: Option<Payload>,
    ) -> Result<bool> {
        let verdict = Verdict::Complete;
        let end = Ending { lease, verdict, result, error: None, then: Vec::new() };
        let recorded = async {
            let mut desk = self.desk(transaction).await?;
            desk.lock_ends(&[&end]).await?;
            let recorded = desk.record(&end).await?;
            desk.write_marks().await?;
            Ok(recorded != Recorded::Stale)
        };
        self.within(transaction, recorded.await).await
    }

    /// Tells whether a step of a task is done for the first time, inside of the caller's transaction: true
    /// once, and false whenever that transaction was committed before. What is written in the same transaction
    /// happens effectively once, however often the task runs.
    pub async fn once(
        &self,
        transaction: &Transaction<'_>,
        task: TaskId,
        step: &str,
    ) -> Result<bool> {
        let first = async {
            let desk = self.desk(transaction).await?;
            let noted = desk
                .execute(
                    "INSERT INTO inbox(task, step, done_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                    &[&task.0, &text(step), &desk.now.0],
                )
                .await?;
            Ok(noted == 1)
        };
        self.within(transaction, first.await).await
    }

    /// Wakes those who wait for tasks of a queue, here and in other processes.
    pub fn nudge(&self, queue: &QueueName) {
        self.engine().hub.ring(queue.as_str());
    }

    /// Begins to work on a caller's connection. Its search path is ours until [`within`](Self::within).
    async fn desk<'c>(
        &self,
        transaction: &'c Transaction<'_>,
    ) -> std::result::Result<Desk<'c>, Trouble> {
        let base = &self.engine().base;
        let path = format!("\"{}\"", base.schema);
        transaction
            .execute(
                "SELECT set_config('longshore.path', current_setting('search_path'), true),
                        set_config('search_path', $1, true)",
                &[&path],
            )
            .await?;
        transaction.batch_execute("LOCK TABLE tasks IN ROW EXCLUSIVE MODE").await?;
        Ok(Desk::new(Line::Theirs(transaction.client()), base.clone()))
    }

    /// Gives the caller's connection its search path back.
    async fn within<T>(
        &self,
        transaction: &Transaction<'_>,
        done: std::result::Result<T, Trouble>,
    ) -> Result<T> {
        let done = match done {
            Ok(done) => transaction
                .execute(
                    "SELECT set_config('search_path', current_setting('longshore.path'), true)",
                    &[],
                )
                .await
                .map(|_| done)
                .map_err(Trouble::from),
            Err(trouble) => Err(trouble),
        };
        done.map_err(|trouble| trouble.into_error(DEADLINE))
    }
}
