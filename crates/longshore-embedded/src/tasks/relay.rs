//! Choosing what is given to a broker: the heads of the lines of ready tasks that it does not have, merged.

use super::desk::Desk;
use super::spec::Spec;
use crate::error::Trouble;
use crate::memory::{READY, READY_ISOLATED, Sort};
use crate::names::NameId;
use longshore_core::store::{Carried, MarkRef, Marked, Outbox, Relay};
use longshore_core::task::Seq;
use longshore_core::{QueueName, TaskId};
use rustc_hash::FxHashMap as HashMap;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// So many tasks of a line are read at a time: most lines give few of what is wanted.
const CHUNK: usize = 32;

/// One line of ready tasks, read piece by piece.
struct Line {
    sort: Sort,
    ready: u8,
    read: VecDeque<((i64, i64), Marked)>,
    /// Up to where it was read.
    last: (i64, i64),
    is_read: bool,
}

impl Desk<'_> {
    pub(crate) fn outbox(&self, want: &Relay) -> Result<Outbox, Trouble> {
        let mut outbox = Outbox::default();
        let Some(queue) = self.names.find(want.queue.as_str()) else { return Ok(outbox) };
        if !self.memory.carriers.contains(&queue) {
            return Ok(outbox);
        }
        for ((_, kind), line) in self.memory.carried.range((queue, i64::MIN)..=(queue, i64::MAX)) {
            if !line.is_empty() {
                outbox.carried.insert(self.names.kind(*kind)?, line.len());
            }
        }
        let mut lines = self.free_lines(queue);
        let mut room: HashMap<NameId, usize> = HashMap::default();
        let mut heads = BinaryHeap::new();
        for (at, line) in lines.iter_mut().enumerate() {
            let carried = self.memory.carried_of(queue, line.sort.kind);
            let left = want.window.saturating_sub(carried);
            room.insert(line.sort.kind, left);
            if left > 0 {
                heads.extend(self.head(line)?.map(|place| Reverse((place, at))));
            }
        }
        while outbox.marks.len() < want.limit
            && let Some(Reverse((_, at))) = heads.pop()
        {
            let line = &mut lines[at];
            let room = room.entry(line.sort.kind).or_default();
            if *room == 0 {
                continue; // the others of the kind have filled its window
            }
            if let Some((_, mark)) = line.read.pop_front() {
                *room -= 1;
                outbox.marks.push(mark);
            }
            heads.extend(self.head(line)?.map(|place| Reverse((place, at))));
        }
        Ok(outbox)
    }

    /// The lines of a queue of which something may be handed out now.
    fn free_lines(&self, queue: NameId) -> Vec<Line> {
        let lines = self.memory.lines.get(&queue).into_iter().flatten();
        let is_free = |(sort, state): &(Sort, u8)| {
            let must_wait = *state == READY_ISOLATED && self.memory.isolated_runs();
            !must_wait && !self.memory.is_paused(*sort)
        };
        let line = |(sort, state): (Sort, u8)| Line {
            sort,
            ready: state + 1 - READY,
            read: VecDeque::new(),
            last: (i64::MIN, i64::MIN),
            is_read: false,
        };
        lines.map(|(name, _)| *name).filter(is_free).map(line).collect()
    }

    /// The place of the first that the broker does not have and that was not taken from the line.
    fn head(&self, line: &mut Line) -> Result<Option<(i64, i64)>, Trouble> {
        if line.read.is_empty() && !line.is_read {
            self.read_on(line)?;
        }
        Ok(line.read.front().map(|(place, _)| *place))
    }

    fn read_on(&self, line: &mut Line) -> Result<(), Trouble> {
        let mut select = self.db.prepare_cached(
            "SELECT rank, seq, id, openings, spec FROM tasks INDEXED BY tasks_ready
             WHERE queue = ?1 AND kind = ?2 AND tenant = ?3 AND ready = ?4 AND ready > 0
               AND (rank, seq) > (?5, ?6)
               AND EXISTS (SELECT 1 FROM outbox WHERE outbox.seq = tasks.seq AND relayed = 0)
             ORDER BY rank, seq LIMIT ?7",
        )?;
        let (Sort { queue, kind, tenant }, (rank, seq)) = (line.sort, line.last);
        let mut rows = select.query((queue, kind, tenant, line.ready, rank, seq, CHUNK as i64))?;
        while let Some(row) = rows.next()? {
            let place = (row.get(0)?, row.get(1)?);
            let spec: Option<String> = row.get(4)?;
            let mark = Marked {
                mark: MarkRef { seq: Seq(place.1), openings: row.get(3)? },
                id: TaskId(uuid::Uuid::from_bytes(row.get(2)?)),
                tenant: self.names.tenant(tenant)?,
                queue: self.names.queue(queue)?,
                kind: self.names.kind(kind)?,
                traceparent: spec.and_then(|spec| Spec::read(Some(&spec)).traceparent),
            };
            line.last = place;
            line.read.push_back((place, mark));
        }
        line.is_read = line.read.len() < CHUNK;
        Ok(())
    }

    pub(crate) fn carried(&self, queue: &QueueName) -> Result<Vec<Carried>, Trouble> {
        let Some(queue) = self.names.find(queue.as_str()) else { return Ok(Vec::new()) };
        let mut openings = self.db.prepare_cached("SELECT openings FROM tasks WHERE seq = ?1")?;
        let mut all = Vec::new();
        for ((_, kind), line) in self.memory.carried.range((queue, i64::MIN)..=(queue, i64::MAX)) {
            for seq in line {
                let openings = openings.query_row([seq], |row| row.get(0))?;
                let mark = MarkRef { seq: Seq(*seq), openings };
                all.push(Carried { mark, kind: self.names.kind(*kind)? });
            }
        }
        all.sort_unstable();
        Ok(all)
    }
}
