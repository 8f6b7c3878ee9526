//! Where a transaction works.

use super::marks::{Columns, Marks};
use crate::base::Base;
use crate::ctid::Ctid;
use crate::error::Trouble;
use crate::links::Link;
use longshore_core::{QueueName, Timestamp};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

/// The connection that a desk works on: one of ours, or one that a caller brought along.
#[derive(Clone, Copy)]
pub(crate) enum Line<'c> {
    /// One of the pool, which knows its statements.
    Ours(&'c Link),
    /// A caller's, in whose transaction we work.
    Theirs(&'c Client),
}

impl Line<'_> {
    fn client(&self) -> &Client {
        match self {
            Self::Ours(link) => link.client(),
            Self::Theirs(client) => client,
        }
    }

    /// Asks, by a statement that commits itself if there is no transaction around it.
    pub(super) async fn query(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
        commits: bool,
    ) -> Result<Vec<Row>, Trouble> {
        let statement = self.prepared(sql).await?;
        self.client().query(&statement, values).await.map_err(|error| match commits {
            true => Trouble::of_commit(&error),
            false => Trouble::from(error),
        })
    }

    async fn prepared(&self, sql: &str) -> Result<Statement, Trouble> {
        match self {
            Self::Ours(link) => link.prepared(sql).await,
            Self::Theirs(client) => Ok(client.prepare(sql).await?),
        }
    }
}

/// What is to be remembered once a transaction is committed.
#[derive(Debug, Clone)]
pub(crate) enum Note {
    /// A timed lease lasts from now on.
    Leased { held: (i64, i64), renewals: i64 },
    /// The row of what this process may hold lies somewhere else now.
    Moved { token: i64, lies: Ctid },
    /// A holder was told to cancel.
    Cancel { held: (i64, i64), version: i64, grace: Duration },
    /// A term lasts from now on.
    Term { name: String, holder: String, lasts: Duration, count: i64 },
    /// A worker was heard of.
    Worker { id: String, said: i64 },
}

/// What a committed transaction has to tell this process.
#[derive(Debug, Default)]
pub(crate) struct After {
    /// Queues in which something may be handed out that could not before.
    pub(crate) woken: BTreeSet<QueueName>,
    /// Queues in which fewer tasks run than before: who claims under a limit may have room again.
    pub(crate) room: BTreeSet<QueueName>,
    /// All of them.
    pub(crate) wake_all: bool,
    pub(crate) notes: Vec<Note>,
    pub(crate) set_aside: u64,
    /// Some ready task must run isolated.
    pub(crate) suspects: bool,
    /// What is in force has changed: all servers look at once.
    pub(crate) stirs: bool,
    /// This was a sign of life of the opened store.
    pub(crate) beats: Option<Instant>,
    /// It has certainly written something.
    pub(crate) is_written: bool,
}

/// One transaction, the time it takes place at, and what it has changed.
pub(crate) struct Desk<'c> {
    pub(super) line: Line<'c>,
    pub(crate) base: Arc<Base>,
    /// The time of this transaction.
    pub(crate) now: Timestamp,
    /// The same, by the clock that only grows.
    pub(crate) tick: Duration,
    /// The same, by the clock of leases that are held here.
    pub(super) began: Instant,
    pub(crate) marks: Marks,
    pub(crate) after: After,
    /// Names that are locked already.
    pub(super) locked: HashSet<i64>,
    /// How many waited in a queue when that was first asked, what this transaction changed left out.
    pub(super) waiting: HashMap<QueueName, i64>,
    /// Queues that a broker carries, once that was asked.
    pub(super) carried: Option<HashSet<String>>,
}

impl<'c> Desk<'c> {
    pub(crate) fn new(line: Line<'c>, base: Arc<Base>) -> Self {
        let (now, tick) = (base.clock.now(), base.clock.monotonic());
        Self {
            line,
            base,
            now,
            tick,
            began: Instant::now(),
            marks: Marks::default(),
            after: After::default(),
            locked: HashSet::new(),
            waiting: HashMap::new(),
            carried: None,
        }
    }

    pub(crate) async fn rows(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Trouble> {
        let statement = self.line.prepared(sql).await?;
        Ok(self.line.client().query(&statement, values).await?)
    }

    pub(crate) async fn row(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Trouble> {
        let statement = self.line.prepared(sql).await?;
        Ok(self.line.client().query_opt(&statement, values).await?)
    }

    pub(crate) async fn execute(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Trouble> {
        let statement = self.line.prepared(sql).await?;
        Ok(self.line.client().execute(&statement, values).await?)
    }

    /// Whether there is a row.
    pub(crate) async fn exists(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<bool, Trouble> {
        Ok(!self.rows(sql, values).await?.is_empty())
    }

    /// Writes what was counted. The last thing before a commit.
    pub(crate) async fn write_marks(&mut self) -> Result<(), Trouble> {
        let columns = self.marks.take();
        if !columns.is_empty() {
            self.execute(Columns::INSERT, &columns.values()).await?;
        }
        Ok(())
    }
}

/// Milliseconds, as they are stored.
pub(crate) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// PostgreSQL keeps no NUL in a text: shown as the replacement character.
pub(crate) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
