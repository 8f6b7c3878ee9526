//! Handing a task to somebody: the one way from ready to running.

use super::desk::{Desk, millis};
use super::row::{PLAIN_COLUMNS, TaskRow, span};
use super::spec::Spec;
use crate::error::Trouble;
use crate::memory::Held;
use crate::names::NameId;
use longshore_core::readiness::ready_at;
use longshore_core::rescue::Runs;
use longshore_core::store::{Hold, LeaseRef, Leased, Open, Opened};
use longshore_core::task::Seq;
use longshore_core::{KindName, Payload, QueueName, TaskId, TenantName, Timestamp, Token};
use rusqlite::OptionalExtension;
use std::time::Duration;

pub(super) const OPEN: &str =
    "UPDATE tasks SET state = 2, ready = 0, token = ?2, worker = ?3, lease = ?4,
    started_at = ?5, began_at = COALESCE(began_at, ?5), openings = openings + 1, expires_at = NULL,
    progress = NULL, isolated = ?6 WHERE seq = ?1";

/// Without a length of its own, a lease lasts this much longer than the task's timeout.
const BEYOND_TIMEOUT: Duration = Duration::from_secs(10);

/// A new opening of a task.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    pub(super) token: Token,
    pub(super) lasts: Option<Duration>,
    pub(super) runs: Runs,
}

impl Desk<'_> {
    /// Makes an opening of a row that still stands as before it, and holds it.
    pub(super) fn opening(&mut self, hold: Hold, row: &TaskRow) -> Opening {
        let lasts = match hold {
            Hold::Process | Hold::Beside => None,
            Hold::Lease { lasts } => {
                Some(lasts.unwrap_or_else(|| span(row.timeout).0 + BEYOND_TIMEOUT))
            }
        };
        let token = self.memory.token();
        let runs = Runs::of(hold, row.ready == 2);
        let held = Held {
            id: row.id,
            token,
            sort: row.sort,
            lease: lasts.map(|lasts| (self.tick.saturating_add(lasts), lasts)),
            runs,
            cancel_until: None,
            plain: row.openings == 0,
            lane: row.order_key.as_deref().map(Into::into),
        };
        self.memory.held.insert(row.seq, held);
        Opening { token, lasts, runs }
    }

    /// Whether a task has to wait because another suspect runs inside of the process.
    pub(super) fn must_wait(&self, ready: u8, hold: Hold) -> bool {
        Runs::of(hold, ready == 2) == Runs::Isolated && self.memory.isolated_runs()
    }

    /// Opens a ready task.
    pub(super) fn hand_out(
        &mut self,
        row: &TaskRow,
        payload: Payload,
        hold: Hold,
        worker: NameId,
    ) -> Result<Leased, Trouble> {
        let opening = self.opening(hold, row);
        self.open.execute((
            row.seq,
            opening.token.number(),
            worker,
            opening.lasts.map(millis),
            self.now.0,
            opening.runs.number(),
        ))?;
        self.memory.leave(row.sort, row.ready, row.seq);
        self.memory.count(row.sort, row.state as u8, -1);
        self.memory.count(row.sort, longshore_core::State::Running as u8, 1);
        if self.memory.carriers.contains(&row.sort.queue) {
            self.unmark(row.sort, row.seq)?;
        }
        let names = (
            self.names.kind(row.sort.kind)?,
            self.names.queue(row.sort.queue)?,
            self.names.tenant(row.sort.tenant)?,
        );
        let spec = match &row.spec {
            Some(text) => Spec::read(Some(text)),
            None => Spec::default(),
        };
        let opened = TaskRow {
            openings: row.openings + 1,
            began_at: row.began_at.or(Some(self.now.0)),
            ..row.clone()
        };
        Ok(self.leased(&opened, opening, names, payload, (spec.headers, spec.traceparent)))
    }

    /// Puts together what a holder is given. `row` stands as after the opening.
    pub(super) fn leased(
        &self,
        row: &TaskRow,
        opening: Opening,
        (kind, queue, tenant): (KindName, QueueName, TenantName),
        payload: Payload,
        (headers, traceparent): (Vec<(String, String)>, Option<String>),
    ) -> Leased {
        let spent = self.now.since(Timestamp(row.began_at.unwrap_or(self.now.0)));
        Leased {
            lease: LeaseRef { id: row.id, seq: Seq(row.seq), token: opening.token },
            kind,
            queue,
            tenant,
            payload,
            headers,
            traceparent,
            run: row.run,
            attempt: row.attempt,
            openings: row.openings,
            max_attempts: row.max_attempts,
            timeout: span(row.timeout),
            total_left: row.total_timeout.map(|total| span(total).0.saturating_sub(spent)),
            created_at: Timestamp(row.created_at),
            ready_at: row.rank.map_or(self.now, |rank| ready_at(rank, row.priority)),
            started_at: self.now,
            expires_at: opening.lasts.map(|lasts| self.now.after(lasts)),
            handed_out: self.began,
            isolated: opening.runs == Runs::Isolated,
            in_lane: row.order_key.is_some(),
        }
    }

    /// Reads a row with its payload; without it, if that is missing or no text.
    pub(super) fn with_payload(
        &self,
        row: &rusqlite::Row<'_>,
    ) -> Result<(TaskRow, Option<Payload>), Trouble> {
        let task = TaskRow::read(row)?;
        let bytes = if task.big & 1 == 0 {
            row.get_ref(41)?.as_bytes_or_null().ok().flatten().map(<[u8]>::to_vec)
        } else {
            self.big_body(2 * task.seq)?
        };
        Ok((task, bytes.and_then(|bytes| Payload::from_bytes(bytes).ok())))
    }

    /// Opens a task that a broker carried.
    pub(crate) fn open_carried(&mut self, id: TaskId, want: &Open) -> Result<Opened, Trouble> {
        let hold = want.hold;
        let found = {
            let mut select = self.db.prepare_cached(&format!(
                "SELECT {PLAIN_COLUMNS}, payload FROM tasks WHERE id = ?1"
            ))?;
            select.query_row([id.0.as_bytes()], |row| Ok(self.with_payload(row))).optional()?
        };
        let Some((row, payload)) = found.transpose()? else { return Ok(Opened::Over) };
        if row.state.is_end() {
            return Ok(Opened::Over);
        }
        if row.state == longshore_core::State::Running {
            return Ok(Opened::Held);
        }
        let alone = self.must_wait(row.ready, hold);
        if row.ready == 0 || alone || self.memory.is_paused(row.sort) {
            // Its envelope is dropped, so the broker is given another one.
            self.mark_anew(row.sort, row.seq)?;
            return Ok(Opened::NotReady);
        }
        let is_bounded = self.names.find(want.queue.as_str()) == Some(row.sort.queue);
        if let Some(no_room) = is_bounded.then(|| self.no_room(row.sort.queue, want)).flatten() {
            return Ok(no_room);
        }
        let Some(payload) = payload else {
            self.set_aside(row)?;
            return Ok(Opened::Over);
        };
        let worker = self.names.intern(self.db, &want.worker)?;
        let leased = self.hand_out(&row, payload, hold, worker)?;
        self.spend(row.sort.queue, want.rate.filter(|_| is_bounded));
        Ok(Opened::Leased(Box::new(leased)))
    }

    /// What is answered if the queue's limit or rate lets nothing go now.
    fn no_room(&self, queue: NameId, want: &Open) -> Option<Opened> {
        if want.limit.is_some_and(|limit| self.memory.running(queue) >= limit as usize) {
            return Some(Opened::NoRoom { after: None });
        }
        let after = self.wait_for(queue, want.rate?)?;
        Some(Opened::NoRoom { after: Some(after) })
    }
}
