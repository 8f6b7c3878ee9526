//! What bounds a claim beside its slots: how many of the queue run, and how fast it is handed out. Both are looked at,
//! and kept, under a lock of the queue, by all servers together.

use crate::base::Base;
use crate::error::Trouble;
use crate::links::Link;
use crate::tasks::Locked;
use futures_util::future::try_join3;
use longshore_core::Timestamp;
use longshore_core::bucket::Bucket;
use longshore_core::queue::Rate;
use longshore_core::store::Want;
use std::time::Duration;
use tokio_postgres::Row;

/// Begins a transaction.
pub(crate) async fn begin(link: &Link) -> Result<(), Trouble> {
    Ok(link.client().batch_execute("BEGIN").await?)
}

/// What a claim may take of a queue at most, seen under its lock.
#[derive(Debug)]
pub(crate) struct Bound {
    /// As many as the limit leaves.
    left: i64,
    rate: Option<(Rate, Bucket)>,
    now: i64,
}

impl Bound {
    /// Begins a transaction, takes the lock, and looks.
    pub(crate) async fn look(
        link: &Link,
        want: &Want,
        base: &Base,
        now: Timestamp,
    ) -> Result<Self, Trouble> {
        let number = Locked::Limit(&want.queue).number(&base.schema);
        let lock = link.prepared("SELECT pg_advisory_xact_lock($1)").await?;
        let read = link.prepared(LOOK).await?;
        let (queue, limit) = (want.queue.as_str(), want.limit.map(i64::from));
        let number: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&number];
        let asked: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&queue, &limit];
        // Sent together, done one after the other.
        let lock = async { Ok(link.client().query(&lock, &number).await?) };
        let read = async { Ok(link.client().query_one(&read, &asked).await?) };
        let (_, _, row) = try_join3(begin(link), lock, read).await?;
        Self::read(&row, limit, want.rate, now)
    }

    /// Reads what a [look](LOOK) has found.
    pub(crate) fn read(
        row: &Row,
        limit: Option<i64>,
        rate: Option<Rate>,
        now: Timestamp,
    ) -> Result<Self, Trouble> {
        let running: i64 = row.try_get(0)?;
        let spent: Option<i64> = row.try_get(1)?;
        let bucket = spent.map_or_else(Bucket::default, Bucket::spent_until);
        Ok(Self {
            left: limit.map_or(i64::MAX, |limit| limit - running),
            rate: rate.map(|rate| (rate, bucket)),
            now: now.0.saturating_mul(1_000),
        })
    }

    /// How many of so many slots may be filled.
    pub(crate) fn room(&self, slots: i64) -> i64 {
        let free = |(rate, bucket): (Rate, Bucket)| bucket.free(rate, self.now);
        let free = self.rate.map_or(i64::MAX, |of| i64::try_from(free(of)).unwrap_or(i64::MAX));
        slots.min(self.left).min(free)
    }

    /// The rate, if it lets none go now, and how long until it lets one.
    pub(crate) fn wait(&self) -> Option<(Rate, Duration)> {
        let (rate, bucket) = self.rate?;
        Some((rate, bucket.wait(rate, self.now))).filter(|(_, wait)| !wait.is_zero())
    }

    /// Counts what is handed out.
    pub(crate) fn take(&mut self, count: usize) {
        self.left = self.left.saturating_sub(i64::try_from(count).unwrap_or(i64::MAX));
        if let Some((rate, bucket)) = &mut self.rate {
            bucket.take(*rate, self.now, count);
        }
    }

    /// What has to be written down with it: up to which moment the time of the rate is spent.
    pub(crate) fn spent(&self) -> Option<i64> {
        self.rate.map(|(_, bucket)| bucket.spent())
    }
}

/// Writes that down.
pub(crate) const SPEND: &str = "
INSERT INTO rates(queue, spent) VALUES ($1, $2)
ON CONFLICT (queue) DO UPDATE SET spent = excluded.spent";

/// How many run, if there is a limit ($2), and what is spent of the rate.
pub(crate) const LOOK: &str = "
SELECT (SELECT coalesce(sum(n), 0)::int8 FROM counts WHERE $2::int8 IS NOT NULL AND queue = $1 AND state = 2) AS running,
       (SELECT spent FROM rates WHERE queue = $1)";
