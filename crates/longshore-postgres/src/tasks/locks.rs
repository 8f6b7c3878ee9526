//! Locks by name: for what has no row that could be locked, and what must not be looked at by two at once.
//!
//! Always taken in this order, so that transactions seldom meet head on: names, smallest number first;
//! then rows, smallest place first. Where that is not possible PostgreSQL finds the deadlock, and one of the two
//! is done again.

use super::desk::Desk;
use super::sort::Sort;
use crate::error::Trouble;
use longshore_core::{NewTask, QueueName, TenantName};
use sha2::{Digest, Sha256};

/// What is locked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Locked<'a> {
    /// A lane.
    Lane(&'a Sort, &'a [u8]),
    /// A `unique` key.
    Unique(&'a Sort, &'a [u8]),
    /// An idempotency key.
    Key(&'a TenantName, &'a str, &'a [u8]),
    /// The number of those that wait in a queue.
    Backlog(&'a QueueName),
    /// The number of those of a queue that run.
    Limit(&'a QueueName),
    /// The end of the audit log.
    Audit,
    /// The folding of counters.
    Counts,
}

impl Locked<'_> {
    /// The number of the lock: the same in every program that works with the schema.
    pub(crate) fn number(self, schema: &str) -> i64 {
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        };
        add(schema.as_bytes());
        match self {
            Self::Lane(sort, key) => {
                [b"lane", sort.tenant.as_str().as_bytes(), sort.queue.as_str().as_bytes(), key]
                    .into_iter()
                    .for_each(&mut add);
            }
            Self::Unique(sort, key) => {
                [b"unique", sort.tenant.as_str().as_bytes(), sort.kind.as_str().as_bytes(), key]
                    .into_iter()
                    .for_each(&mut add);
            }
            Self::Key(tenant, route, key) => {
                [b"key", tenant.as_str().as_bytes(), route.as_bytes(), key]
                    .into_iter()
                    .for_each(&mut add);
            }
            Self::Backlog(queue) => {
                [b"backlog", queue.as_str().as_bytes()].into_iter().for_each(&mut add)
            }
            Self::Limit(queue) => {
                [&b"limit"[..], queue.as_str().as_bytes()].into_iter().for_each(&mut add)
            }
            Self::Audit => add(b"audit"),
            Self::Counts => add(b"counts"),
        }
        let digest: [u8; 32] = hash.finalize().into();
        i64::from_le_bytes(digest[..8].try_into().unwrap_or_default())
    }
}

impl Desk<'_> {
    /// Waits for these locks; they are held until the end of the transaction.
    pub(crate) async fn lock(&mut self, locked: &[Locked<'_>]) -> Result<(), Trouble> {
        let schema = &self.base.schema;
        let mut numbers: Vec<i64> = locked.iter().map(|locked| locked.number(schema)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        self.lock_numbers(numbers).await
    }

    async fn lock_numbers(&mut self, mut numbers: Vec<i64>) -> Result<(), Trouble> {
        numbers.retain(|number| !self.locked.contains(number));
        if !numbers.is_empty() {
            self.execute(
                "SELECT pg_advisory_xact_lock(number) FROM unnest($1::int8[]) AS number",
                &[&numbers],
            )
            .await?;
            self.locked.extend(numbers);
        }
        Ok(())
    }

    /// Locks whatever the accepts of these tasks will look at.
    pub(crate) async fn lock_accepts<'t>(
        &mut self,
        tasks: impl Iterator<Item = &'t NewTask>,
    ) -> Result<(), Trouble> {
        let schema = self.base.schema.clone();
        let mut numbers = Vec::new();
        for task in tasks {
            let sort = Sort::of(task);
            let mut add = |locked: Locked<'_>| numbers.push(locked.number(&schema));
            if let Some(key) = &task.order_key {
                add(Locked::Lane(&sort, key.as_bytes()));
            }
            if let Some(unique) = &task.unique {
                add(Locked::Unique(&sort, unique.key.as_bytes()));
            }
            if let Some(key) = &task.idempotency {
                add(Locked::Key(&sort.tenant, key.route, key.key.as_bytes()));
            }
            if task.backlog.is_some() {
                add(Locked::Backlog(&sort.queue));
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        self.lock_numbers(numbers).await
    }

    /// Locks rows, and before them the lanes they are in. Rows that are gone are passed over.
    pub(crate) async fn lock_rows(&mut self, seqs: &[i64]) -> Result<(), Trouble> {
        if seqs.is_empty() {
            return Ok(());
        }
        let lanes = self
            .rows(
                "SELECT tenant, queue, kind, order_key FROM tasks
                 WHERE seq = ANY($1) AND order_key IS NOT NULL",
                &[&seqs],
            )
            .await?;
        let schema = self.base.schema.clone();
        let mut numbers = Vec::new();
        for row in &lanes {
            numbers.push(Locked::Lane(&Sort::read(row, 0)?, row.try_get(3)?).number(&schema));
        }
        numbers.sort_unstable();
        numbers.dedup();
        self.lock_numbers(numbers).await?;
        self.execute("SELECT 1 FROM tasks WHERE seq = ANY($1) ORDER BY seq FOR UPDATE", &[&seqs])
            .await?;
        Ok(())
    }
}
