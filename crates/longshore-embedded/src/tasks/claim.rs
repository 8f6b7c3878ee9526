//! Choosing what is handed out: the heads of all lines that the claimer may have, merged.

use super::desk::{Desk, Taker};
use super::row::{PLAIN_COLUMNS, TaskRow};
use crate::error::Trouble;
use crate::memory::{READY, READY_ISOLATED, Sort};
use longshore_core::Payload;
use longshore_core::store::{Hold, Leased};
use rusqlite::OptionalExtension;

/// A line with its first task.
#[derive(Debug, Clone, Copy)]
struct Line {
    sort: Sort,
    state: u8,
    head: (i64, i64),
}

impl Desk<'_> {
    /// Hands ready tasks to `taker` until it is full or nothing is left for it.
    pub(crate) fn serve(&mut self, taker: &mut Taker) -> Result<(), Trouble> {
        loop {
            let room = self.room(taker);
            if room == 0 {
                return Ok(());
            }
            let lines = self.lines_for(taker)?;
            let Some((best, until)) = lines else { return Ok(()) };
            // A suspect goes alone: after it, the others are looked at again.
            let hold = taker.hold_of(best.sort.kind);
            let alone = best.state == READY_ISOLATED && hold == Hold::Process;
            let limit = if alone { 1 } else { room };
            let rows = self.heads(best, until, limit)?;
            if rows.is_empty() {
                return Err(Trouble::Failed("a line is shorter than its counter says".into()));
            }
            for (row, payload) in rows {
                let Some(payload) = payload else {
                    self.set_aside(row)?;
                    break; // its end may have let a better one go
                };
                let leased: Leased = self.hand_out(&row, payload, hold, taker.worker)?;
                self.spend(taker.queue, taker.rate);
                taker.given.push(leased);
                taker.left -= 1;
            }
        }
    }

    /// Returns the line with the best head, and the second best head: up to there the first line
    /// can be served without looking at the others.
    #[expect(clippy::type_complexity, reason = "a line and a place, used once")]
    fn lines_for(&mut self, taker: &Taker) -> Result<Option<(Line, Option<(i64, i64)>)>, Trouble> {
        if self.memory.carriers.contains(&taker.queue) {
            return Ok(None);
        }
        let Some(lines) = self.memory.lines.get(&taker.queue) else { return Ok(None) };
        let wanted: Vec<_> = lines
            .iter()
            .filter(|((sort, _), _)| taker.wants(*sort))
            .map(|((sort, state), line)| (*sort, *state, line.head))
            .collect();
        let mut best: Option<Line> = None;
        let mut second: Option<(i64, i64)> = None;
        for (sort, state, head) in wanted {
            if self.must_wait(state + 1 - READY, taker.hold_of(sort.kind))
                || self.memory.is_paused(sort)
            {
                continue;
            }
            let Some(head) = (match head {
                Some(head) => Some(head),
                None => self.find_head(sort, state)?,
            }) else {
                continue;
            };
            match best {
                Some(line) if line.head <= head => {
                    second = Some(second.map_or(head, |place| place.min(head)));
                }
                _ => {
                    second = best.map(|line| line.head).or(second);
                    best = Some(Line { sort, state, head });
                }
            }
        }
        Ok(best.map(|line| (line, second)))
    }

    fn find_head(&mut self, sort: Sort, state: u8) -> Result<Option<(i64, i64)>, Trouble> {
        let head = self
            .db
            .prepare_cached(
                "SELECT rank, seq FROM tasks INDEXED BY tasks_ready
                 WHERE queue = ?1 AND kind = ?2 AND tenant = ?3 AND ready = ?4 AND ready > 0
                 ORDER BY rank, seq LIMIT 1",
            )?
            .query_row((sort.queue, sort.kind, sort.tenant, state + 1 - READY), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        if let Some(line) =
            self.memory.lines.get_mut(&sort.queue).and_then(|lines| lines.get_mut(&(sort, state)))
        {
            line.head = head;
        }
        Ok(head)
    }

    /// Reads the first tasks of a line, none beyond `until`.
    fn heads(
        &self,
        line: Line,
        until: Option<(i64, i64)>,
        limit: usize,
    ) -> Result<Vec<(TaskRow, Option<Payload>)>, Trouble> {
        let (rank, seq) = until.unwrap_or((i64::MAX, i64::MAX));
        let mut select = self.db.prepare_cached(&format!(
            "SELECT {PLAIN_COLUMNS}, payload FROM tasks INDEXED BY tasks_ready
             WHERE queue = ?1 AND kind = ?2 AND tenant = ?3 AND ready = ?4 AND ready > 0
               AND (rank, seq) <= (?5, ?6)
             ORDER BY rank, seq LIMIT ?7",
        ))?;
        let sort = line.sort;
        let ready = line.state + 1 - READY;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows =
            select.query((sort.queue, sort.kind, sort.tenant, ready, rank, seq, limit))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(self.with_payload(row)?);
        }
        Ok(found)
    }
}
