//! What the writer keeps in memory: everything here can be read again from the file.
//!
//! Counters are the truth of the claim: which (queue, kind, tenant) has something ready is known
//! without asking the file, so a million tasks of a kind that nobody wants cost nothing.

use crate::lanes::Lanes;
use crate::names::NameId;
use longshore_core::bucket::Bucket;
use longshore_core::rescue::Runs;
use longshore_core::{State, TaskId, Token};
use rusqlite::{Connection, OptionalExtension};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Pseudo-states of the counters.
pub(crate) const READY: u8 = 8;
/// Ready, but only for a process in which no other suspect runs.
pub(crate) const READY_ISOLATED: u8 = 9;

/// States in which a task waits.
pub(crate) const WAITING: [u8; 3] =
    [State::Scheduled as u8, State::Pending as u8, State::Retrying as u8];

/// A sort of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Sort {
    pub(crate) queue: NameId,
    pub(crate) kind: NameId,
    pub(crate) tenant: NameId,
}

/// How many ready tasks a sort has, and which of them is the first, if that is known.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Line {
    pub(crate) count: i64,
    pub(crate) head: Option<(i64, i64)>,
}

/// An opening that is held.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) id: TaskId,
    pub(crate) token: Token,
    pub(crate) sort: Sort,
    /// End of a timed lease, by the monotonic clock, and its length.
    pub(crate) lease: Option<(Duration, Duration)>,
    pub(crate) runs: Runs,
    /// A cancel was asked; the grace ends then, by the clock that only grows.
    pub(crate) cancel_until: Option<Duration>,
    /// Its success means no more than its own row, and its lane: nothing else has to be looked at.
    pub(crate) plain: bool,
    pub(crate) lane: Option<Box<str>>,
}

/// The writer's memory.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    counts: HashMap<(Sort, u8), i64>,
    dirty: HashSet<(Sort, u8)>,
    /// Tasks that wait, by queue: scheduled, pending and retrying ones of all tenants.
    waiting: HashMap<NameId, i64>,
    /// Tasks that run, by queue.
    running: HashMap<NameId, i64>,
    /// Ready tasks by queue, then by sort and whether they are isolated.
    pub(crate) lines: HashMap<NameId, BTreeMap<(Sort, u8), Line>>,
    pub(crate) held: HashMap<i64, Held>,
    pub(crate) paused: HashSet<(u8, NameId)>,
    pub(crate) carriers: HashSet<NameId>,
    /// What brokers have and nobody has opened, by (queue, kind): places.
    pub(crate) carried: BTreeMap<(NameId, NameId), BTreeSet<i64>>,
    /// Queues in which something may be relayed that could not be before this transaction.
    pub(crate) marked: HashSet<NameId>,
    pub(crate) lanes: Lanes,
    /// Parents that are waited for, over all children.
    pub(crate) edges: i64,
    /// Nothing is due before this; nothing at all if it is the maximum.
    pub(crate) next_due: i64,
    /// Whether the task that was due next waits no more.
    pub(crate) due_is_stale: bool,
    pub(crate) next_expiry: i64,
    pub(crate) next_seq: i64,
    /// Sequence numbers up to here are reserved in the file.
    pub(crate) seq_limit: i64,
    /// Damaged tasks that this transaction set aside.
    pub(crate) set_aside: u64,
    pub(crate) epoch: u32,
    pub(crate) next_token: u64,
    /// The hash of the last line of the audit log.
    pub(crate) seal: Option<[u8; 32]>,
    /// Offices that are held: the term's number and its end, by the clock that only grows.
    pub(crate) terms: HashMap<String, (u64, Duration)>,
    /// How fast queues with a rate were handed out, by the clock that only grows.
    pub(crate) buckets: HashMap<NameId, Bucket>,
}

impl Memory {
    /// Reads everything from the file. Leases that were known keep their time.
    pub(crate) fn load(&mut self, db: &Connection, now: Duration) -> rusqlite::Result<()> {
        // A reservation that was rolled back is not in the file: the next accept reserves anew.
        self.seq_limit = self.next_seq;
        self.counts.clear();
        self.dirty.clear();
        self.waiting.clear();
        self.running.clear();
        self.lanes.forget();
        self.lines.clear();
        let mut select = db.prepare("SELECT queue, kind, tenant, state, count FROM counts")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let sort = Sort { queue: row.get(0)?, kind: row.get(1)?, tenant: row.get(2)? };
            let (state, count) = (row.get(3)?, row.get(4)?);
            self.counts.insert((sort, state), count);
            self.count_queue(sort.queue, state, count);
            if state >= READY && count > 0 {
                let line = Line { count, head: None };
                self.lines.entry(sort.queue).or_default().insert((sort, state), line);
            }
        }
        let set = |sql| -> rusqlite::Result<HashSet<(u8, NameId)>> {
            db.prepare(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        self.paused = set("SELECT scope, name FROM pauses")?;
        self.carriers =
            set("SELECT 0, queue FROM carriers")?.into_iter().map(|(_, queue)| queue).collect();
        self.load_carried(db)?;
        let one = |sql| db.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
        self.edges = one("SELECT count(*) FROM edges")?.unwrap_or(0);
        self.next_due =
            one("SELECT min(due) FROM tasks WHERE due IS NOT NULL")?.unwrap_or(i64::MAX);
        self.due_is_stale = false;
        self.next_expiry = one("SELECT min(expires_at) FROM tasks WHERE expires_at IS NOT NULL")?
            .unwrap_or(i64::MAX);
        self.seal = db
            .query_row("SELECT seal FROM audit ORDER BY number DESC LIMIT 1", [], |row| row.get(0))
            .optional()?;
        self.load_held(db, now)
    }

    fn load_carried(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.marked.clear();
        self.carried.clear();
        let mut select = db.prepare(
            "SELECT tasks.queue, tasks.kind, seq FROM outbox JOIN tasks USING (seq) WHERE relayed = 1",
        )?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let line = self.carried.entry((row.get(0)?, row.get(1)?)).or_default();
            line.insert(row.get(2)?);
        }
        Ok(())
    }

    /// A broker has it.
    pub(crate) fn note_carried(&mut self, sort: Sort, seq: i64) {
        self.carried.entry((sort.queue, sort.kind)).or_default().insert(seq);
    }

    /// No broker has it any more, as far as is known.
    pub(crate) fn forget_carried(&mut self, sort: Sort, seq: i64) {
        if let Some(line) = self.carried.get_mut(&(sort.queue, sort.kind))
            && line.remove(&seq)
        {
            self.marked.insert(sort.queue); // the window has room for another one
        }
    }

    /// How many of a queue's kind a broker has.
    pub(crate) fn carried_of(&self, queue: NameId, kind: NameId) -> usize {
        self.carried.get(&(queue, kind)).map_or(0, BTreeSet::len)
    }

    fn load_held(&mut self, db: &Connection, now: Duration) -> rusqlite::Result<()> {
        let known = std::mem::take(&mut self.held);
        let mut select = db.prepare(
            "SELECT seq, id, token, queue, kind, tenant, lease, isolated, cancel_grace FROM tasks INDEXED BY tasks_standing
             WHERE state = 2 AND state <> 1 AND state <> 4",
        )?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let seq: i64 = row.get(0)?;
            let token = Token::from_number(row.get(2)?);
            let lasts = row
                .get::<_, Option<i64>>(6)?
                .map(|lasts| Duration::from_millis(lasts.unsigned_abs()));
            let before = known.get(&seq).filter(|held| held.token == token);
            let held = Held {
                id: TaskId(uuid::Uuid::from_bytes(row.get(1)?)),
                token,
                sort: Sort { queue: row.get(3)?, kind: row.get(4)?, tenant: row.get(5)? },
                lease: lasts.map(|lasts| {
                    // One that is not known gets a full length of grace.
                    before.and_then(|held| held.lease).unwrap_or((now + lasts, lasts))
                }),
                runs: Runs::from_number(row.get(7)?).unwrap_or_default(),
                cancel_until: row.get::<_, Option<i64>>(8)?.map(|grace| {
                    let anew = now + Duration::from_millis(grace.unsigned_abs());
                    before.and_then(|held| held.cancel_until).unwrap_or(anew)
                }),
                plain: false,
                lane: None,
            };
            self.held.insert(seq, held);
        }
        Ok(())
    }

    /// Counts `by` more tasks of a sort in a state.
    pub(crate) fn count(&mut self, sort: Sort, state: u8, by: i64) {
        *self.counts.entry((sort, state)).or_insert(0) += by;
        self.dirty.insert((sort, state));
        self.count_queue(sort.queue, state, by);
    }

    /// Returns how many tasks of a tenant wait in a queue.
    pub(crate) fn waiting_of(&self, queue: NameId, tenant: NameId) -> i64 {
        let fits = |sort: Sort| sort.queue == queue && sort.tenant == tenant;
        let waits = |state| WAITING.contains(&state);
        let counts = self.counts.iter().filter(|((sort, state), _)| fits(*sort) && waits(*state));
        counts.map(|(_, count)| count).sum()
    }

    fn count_queue(&mut self, queue: NameId, state: u8, by: i64) {
        if WAITING.contains(&state) {
            *self.waiting.entry(queue).or_insert(0) += by;
        } else if state == State::Running as u8 {
            *self.running.entry(queue).or_insert(0) += by;
        }
    }

    /// Returns how many tasks of a queue run.
    pub(crate) fn running(&self, queue: NameId) -> usize {
        let running = self.running.get(&queue).copied().unwrap_or(0);
        usize::try_from(running).unwrap_or(0)
    }

    /// Returns how many tasks wait in a queue.
    pub(crate) fn waiting(&self, queue: NameId) -> u64 {
        self.waiting.get(&queue).map_or(0, |count| (*count).max(0).unsigned_abs())
    }

    /// A task has become ready.
    pub(crate) fn enter(&mut self, sort: Sort, ready: u8, rank: i64, seq: i64) {
        let state = READY - 1 + ready;
        self.count(sort, state, 1);
        let line = self.lines.entry(sort.queue).or_default().entry((sort, state)).or_default();
        line.count += 1;
        let place = (rank, seq);
        if line.count == 1 || line.head.is_some_and(|head| place < head) {
            line.head = Some(place);
        }
    }

    /// A task is not ready any more.
    pub(crate) fn leave(&mut self, sort: Sort, ready: u8, seq: i64) {
        let state = READY - 1 + ready;
        self.count(sort, state, -1);
        if let Some(lines) = self.lines.get_mut(&sort.queue)
            && let Some(line) = lines.get_mut(&(sort, state))
        {
            line.count -= 1;
            if line.head.is_some_and(|(_, first)| first == seq) {
                line.head = None;
            }
            if line.count == 0 {
                lines.remove(&(sort, state));
            }
        }
    }

    /// Whether tasks of that sort are held back.
    pub(crate) fn is_paused(&self, sort: Sort) -> bool {
        !self.paused.is_empty()
            && [(0, sort.queue), (1, sort.kind), (2, sort.tenant)]
                .iter()
                .any(|scope| self.paused.contains(scope))
    }

    /// Whether a suspect runs inside this process.
    pub(crate) fn isolated_runs(&self) -> bool {
        self.held.values().any(|held| held.runs == Runs::Isolated)
    }

    /// Makes the token of the next opening.
    pub(crate) fn token(&mut self) -> Token {
        self.next_token += 1;
        Token::new(self.epoch, self.next_token)
    }

    /// Writes the counters that have changed.
    pub(crate) fn flush(&mut self, db: &Connection) -> rusqlite::Result<()> {
        if self.dirty.is_empty() {
            return Ok(());
        }
        let mut upsert = db.prepare_cached(
            "INSERT INTO counts(tenant, queue, kind, state, count) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET count = excluded.count",
        )?;
        for (sort, state) in self.dirty.drain() {
            let count = self.counts.get(&(sort, state)).copied().unwrap_or(0);
            upsert.execute((sort.tenant, sort.queue, sort.kind, state, count))?;
        }
        Ok(())
    }
}
