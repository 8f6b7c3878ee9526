//! Where the writer works.

use super::fresh::FreshRows;
use crate::error::Trouble;
use crate::memory::{Memory, Sort};
use crate::messages::Log;
use crate::names::{NameId, Names};
use crate::{schema, spans};
use longshore_core::queue::Rate;
use longshore_core::store::{Hold, Leased};
use longshore_core::{Clock, KindName, NewTask, QueueName, TenantName, Timestamp};
use rusqlite::{Connection, OptionalExtension, Statement};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A claim that waits: what is accepted while it does may be handed to it at once, without ever
/// entering the line of the ready.
#[derive(Debug)]
pub(crate) struct Taker {
    pub(crate) queue: NameId,
    /// Nothing means all.
    pub(crate) tenant: Option<NameId>,
    pub(crate) kinds: Vec<NameId>,
    /// Those whose handlers run outside of the claimer's process.
    pub(crate) outside: Vec<NameId>,
    pub(crate) left: usize,
    /// With so many tasks of the queue running, none is handed out.
    pub(crate) limit: Option<usize>,
    /// So fast the queue is handed out, over all claims.
    pub(crate) rate: Option<Rate>,
    pub(crate) worker: NameId,
    pub(crate) hold: Hold,
    pub(crate) given: Vec<Leased>,
}

impl Taker {
    /// Whether it may be given tasks of that sort of its queue.
    pub(crate) fn wants(&self, sort: Sort) -> bool {
        self.kinds.contains(&sort.kind) && self.tenant.is_none_or(|tenant| tenant == sort.tenant)
    }

    /// How many more it may be given while so many tasks of its queue run.
    fn room(&self, running: usize) -> usize {
        self.limit.map_or(self.left, |limit| self.left.min(limit.saturating_sub(running)))
    }

    /// How it holds a task of that kind.
    pub(crate) fn hold_of(&self, kind: NameId) -> Hold {
        if self.hold == Hold::Process && self.outside.contains(&kind) {
            Hold::Beside
        } else {
            self.hold
        }
    }
}

fn micros(tick: Duration) -> i64 {
    i64::try_from(tick.as_micros()).unwrap_or(i64::MAX)
}

/// What a transaction brings in.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Incoming {
    pub(crate) count: usize,
    priority: Option<u8>,
    mixed: bool,
}

impl Incoming {
    /// Counts a task that may be accepted.
    pub(crate) fn add(&mut self, task: &NewTask) {
        self.count += 1;
        self.mixed |= *self.priority.get_or_insert(task.priority) != task.priority;
    }

    /// Whether the order of coming is the order of ranks, or does not matter for somebody with
    /// room for that many.
    pub(super) fn is_in_order_for(self, room: usize) -> bool {
        !self.mixed || room >= self.count
    }
}

/// The file, the statements that most tasks go through, and the writer's memory.
pub(crate) struct Desk<'c> {
    pub(crate) db: &'c Connection,
    /// New rows that are not written yet.
    pub(super) fresh: FreshRows<'c>,
    pub(super) open: Statement<'c>,
    pub(super) succeed: Statement<'c>,
    pub(super) succeed_in_lane: Statement<'c>,
    pub(super) body: Statement<'c>,
    pub(crate) memory: Memory,
    /// Messages, and who receives them.
    pub(crate) log: Log,
    pub(crate) names: Arc<Names>,
    /// The names of the newest task, which are mostly those of the next.
    latest: Option<((QueueName, KindName, TenantName), Sort)>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The time of this transaction.
    pub(crate) now: Timestamp,
    /// The same, by the clock that only grows.
    pub(crate) tick: Duration,
    /// The same, by the clock of leases that are held here.
    pub(super) began: Instant,
    /// Claims that wait.
    pub(crate) takers: Vec<Taker>,
    /// What this transaction brings in.
    pub(crate) incoming: Incoming,
    pub(crate) prune: super::PruneCursor,
}

impl<'c> Desk<'c> {
    pub(crate) fn new(
        db: &'c Connection,
        names: Arc<Names>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Trouble> {
        db.set_prepared_statement_cache_capacity(128);
        let now = clock.now();
        let tick = clock.monotonic();
        Ok(Self {
            db,
            fresh: FreshRows::default(),
            open: db.prepare(super::open::OPEN)?,
            succeed: db.prepare(super::record::SUCCEED)?,
            succeed_in_lane: db.prepare(super::record::SUCCEED_IN_LANE)?,
            body: db.prepare("INSERT OR REPLACE INTO bodies(key, body) VALUES (?1, ?2)")?,
            memory: Memory::default(),
            log: Log::default(),
            names,
            latest: None,
            clock,
            now,
            tick,
            began: Instant::now(),
            takers: Vec::new(),
            incoming: Incoming::default(),
            prune: super::PruneCursor::default(),
        })
    }

    /// Looks at the clock, once for a transaction.
    pub(crate) fn begin(&mut self) {
        self.now = self.clock.now();
        self.tick = self.clock.monotonic();
        self.began = Instant::now();
        self.memory.set_aside = 0;
    }

    /// Reads the memory again, after a transaction was rolled back.
    pub(crate) fn reload(&mut self) -> Result<(), Trouble> {
        self.fresh.clear();
        self.latest = None;
        self.names.load(self.db)?;
        self.memory.load(self.db, self.tick)?;
        self.log.load(self.db)?;
        Ok(())
    }

    /// How many more a taker may be given now.
    pub(super) fn room(&self, taker: &Taker) -> usize {
        let room = taker.room(self.memory.running(taker.queue));
        match taker.rate {
            Some(rate) if room > 0 => {
                let bucket = self.memory.buckets.get(&taker.queue).copied().unwrap_or_default();
                room.min(bucket.free(rate, micros(self.tick)))
            }
            _ => room,
        }
    }

    /// Counts a hand-out against the rate of the queue.
    pub(super) fn spend(&mut self, queue: NameId, rate: Option<Rate>) {
        if let Some(rate) = rate {
            let now = micros(self.tick);
            self.memory.buckets.entry(queue).or_default().take(rate, now, 1);
        }
    }

    /// How long until the rate lets a taker have one, if it lets it have none now.
    pub(crate) fn wait_of(&self, taker: &Taker) -> Option<Duration> {
        let wait = self.wait_for(taker.queue, taker.rate?)?;
        self.memory.lines.contains_key(&taker.queue).then_some(wait)
    }

    /// How long until a rate lets one of a queue go, if it lets none go now.
    pub(super) fn wait_for(&self, queue: NameId, rate: Rate) -> Option<Duration> {
        let wait = self.memory.buckets.get(&queue)?.wait(rate, micros(self.tick));
        (!wait.is_zero()).then_some(wait)
    }

    pub(super) fn sort_of(&mut self, task: &NewTask) -> Result<Sort, Trouble> {
        let names = (&task.queue, &task.kind, &task.tenant);
        if let Some(((queue, kind, tenant), sort)) = &self.latest
            && (queue, kind, tenant) == names
        {
            return Ok(*sort);
        }
        let sort = Sort {
            queue: self.names.intern(self.db, task.queue.as_str())?,
            kind: self.names.intern(self.db, task.kind.as_str())?,
            tenant: self.names.intern(self.db, task.tenant.as_str())?,
        };
        let (queue, kind, tenant) = names;
        self.latest = Some(((queue.clone(), kind.clone(), tenant.clone()), sort));
        Ok(sort)
    }

    /// Gives out the next place in the order of accepting. Places are reserved in blocks, so
    /// that none is given twice even if the newest rows were removed before a restart.
    pub(super) fn next_seq(&mut self) -> Result<i64, Trouble> {
        if self.memory.next_seq >= self.memory.seq_limit {
            self.memory.seq_limit = self.memory.next_seq + schema::SEQ_BLOCK;
            self.db
                .prepare_cached("UPDATE meta SET value = ?1 WHERE key = 'seq_limit'")?
                .execute([self.memory.seq_limit])?;
        }
        let before = self.memory.next_seq;
        self.memory.next_seq += 1;
        if spans::is_full(before) {
            self.write_fresh()?;
            spans::keep(self.db, before)?;
        }
        Ok(self.memory.next_seq)
    }

    /// Keeps a body in its own row if it is large; else returns it for the task's row.
    pub(super) fn keep_body<'b>(
        &mut self,
        key: i64,
        body: &'b [u8],
    ) -> Result<Option<&'b [u8]>, Trouble> {
        if body.len() <= schema::INLINE {
            return Ok(Some(body));
        }
        self.body.execute((key, body))?;
        Ok(None)
    }

    /// Reads a body that has its own row, if it is there.
    pub(super) fn big_body(&self, key: i64) -> Result<Option<Vec<u8>>, Trouble> {
        let mut select = self.db.prepare_cached("SELECT body FROM bodies WHERE key = ?1")?;
        Ok(select.query_row([key], |row| row.get(0)).optional()?)
    }
}

/// Milliseconds, as they are stored.
pub(super) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::SystemClock;

    #[test]
    fn places_of_a_transaction_that_was_rolled_back_are_reserved_again() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(schema::CREATE).unwrap();
        db.execute("INSERT INTO meta(key, value) VALUES ('seq_limit', 0)", []).unwrap();
        let mut desk = Desk::new(&db, Arc::default(), Arc::new(SystemClock)).unwrap();
        db.execute_batch("BEGIN").unwrap();
        let lost = desk.next_seq().unwrap();
        db.execute_batch("ROLLBACK").unwrap();
        desk.reload().unwrap();
        let kept = desk.next_seq().unwrap();
        let limit: i64 = db
            .query_row("SELECT value FROM meta WHERE key = 'seq_limit'", [], |row| row.get(0))
            .unwrap();
        assert!(lost < kept && kept <= limit, "{lost}, {kept}, {limit}");
    }
}
