//! What operators and clients do to tasks from outside.

use super::desk::{Desk, Note, millis};
use super::row::TaskRow;
use super::spec::{HoldSpec, Spec};
use crate::audit;
use crate::error::Trouble;
use crate::index::{find_by_ids, own_places};
use longshore_core::queue::{QueueSettings, Scope};
use longshore_core::rescue::Crashes;
use longshore_core::state::Cause;
use longshore_core::store::{Act, ActKind, Acted, Refused};
use longshore_core::task::UniqueWhile;
use longshore_core::{Event, Payload, State, TaskId, Timestamp};
use std::time::Duration;

/// What an act did, and what the audit log says of it.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) acted: Acted,
    /// How its target stood before, as JSON.
    pub(crate) before: Option<String>,
    /// How it stood afterwards.
    pub(crate) after: Option<String>,
    /// Below which place there is more to do.
    pub(crate) rest: Option<i64>,
}

type Events = Result<Result<Vec<Event>, Refused>, Trouble>;

impl Desk<'_> {
    /// Does one act, and leaves a line in the audit log if it was possible.
    pub(crate) async fn act(&mut self, act: &Act) -> Result<Result<Done, Refused>, Trouble> {
        let done = match &act.what {
            ActKind::Cancel { id, .. }
            | ActKind::Reopen { id }
            | ActKind::Discard { id }
            | ActKind::Reprioritise { id, .. } => match self.on_task(act, *id).await? {
                Ok(done) => done,
                Err(refused) => return Ok(Err(refused)),
            },
            ActKind::Pause(scope) => self.set_pause(scope, true).await?,
            ActKind::Resume(scope) => self.set_pause(scope, false).await?,
            ActKind::Purge(queue) => self.purge(&act.tenant, queue, i64::MAX).await?,
            ActKind::Carry { queue, carrier } => {
                self.set_carrier(queue.as_str(), carrier.as_deref()).await?
            }
            ActKind::Configure { queue, settings } => {
                self.configure(queue.as_str(), settings.as_ref()).await?
            }
            ActKind::Note { before, after, .. } => {
                let text = |payload: &Payload| payload.as_str().to_owned();
                let (before, after) = (before.as_ref().map(text), after.as_ref().map(text));
                Done { before, after, ..Done::default() }
            }
        };
        audit::note(self, act, &done).await?;
        Ok(Ok(done))
    }

    /// Loads the task, does something to it, and answers with how it stands then.
    async fn on_task(&mut self, act: &Act, id: TaskId) -> Result<Result<Done, Refused>, Trouble> {
        let found = self.load_by_id(id).await?;
        let Some(mut row) = found.filter(|row| row.sort.tenant == act.tenant) else {
            return Ok(Err(Refused::NotFound));
        };
        let shown = |row: &TaskRow| match act.what {
            ActKind::Reprioritise { .. } => format!("{{\"priority\":{}}}", row.priority),
            _ => format!("{{\"state\":\"{}\"}}", row.state),
        };
        let before = Some(shown(&row));
        let changed = match &act.what {
            ActKind::Cancel { grace, .. } => self.cancel(&mut row, *grace).await?,
            ActKind::Reopen { .. } => self.reopen(&mut row).await?,
            ActKind::Reprioritise { priority, .. } => {
                self.reprioritise(&mut row, *priority).await?
            }
            _ => self.discard(&mut row).await?,
        };
        match changed {
            Ok(events) => {
                let task = self.whole(id).await?;
                let acted = Acted { task, count: 1, events };
                Ok(Ok(Done { acted, before, after: Some(shown(&row)), rest: None }))
            }
            Err(refused) => Ok(Err(refused)),
        }
    }

    async fn cancel(&mut self, row: &mut TaskRow, grace: Duration) -> Events {
        if row.state.is_end() {
            return Ok(Err(Refused::WrongState { state: row.state }));
        }
        if row.state != State::Running {
            return self.end_waiting(row, Cause::Cancel, "cancelled").await.map(Ok);
        }
        let held = (row.seq, row.token.unwrap_or(0));
        let until = self.tick.saturating_add(grace);
        // A second cancel may shorten the grace, never lengthen it.
        let shorter = row.cancel_grace.is_none_or(|length| {
            let length = Duration::from_millis(length.max(0).unsigned_abs());
            let version = i64::from(row.cancels);
            until < self.base.watches.lock().cancel_until(held, version, length, self.tick)
        });
        if shorter {
            let before = row.before();
            row.cancel_grace = Some(millis(grace));
            row.cancels = row.cancels.wrapping_add(1);
            self.save(before, row).await?;
            let version = i64::from(row.cancels);
            self.after.notes.push(Note::Cancel { held, version, grace });
        }
        Ok(Ok(Vec::new()))
    }

    async fn discard(&mut self, row: &mut TaskRow) -> Events {
        match row.state {
            State::Scheduled | State::Pending | State::Retrying => {
                self.end_waiting(row, Cause::Discard, "discarded").await.map(Ok)
            }
            State::Failed => {
                let before = row.before();
                row.go(Cause::Discard)?;
                row.reason = Some("discarded".into());
                row.finished_at = Some(self.now.0);
                self.save(before, row).await?;
                Ok(Ok(vec![self.event(row)]))
            }
            state => Ok(Err(Refused::WrongState { state })),
        }
    }

    /// Ends a waiting task; returns everything that happened, the task itself first.
    pub(super) async fn end_waiting(
        &mut self,
        row: &mut TaskRow,
        cause: Cause,
        reason: &str,
    ) -> Result<Vec<Event>, Trouble> {
        let before = row.before();
        row.reason = Some(reason.to_owned());
        if row.open_parents > 0 {
            self.cut_loose(&[row.seq]).await?;
        }
        let mut others = Vec::new();
        self.finish(row, before, cause, &mut others).await?;
        others.insert(0, self.event(row));
        Ok(others)
    }

    async fn reopen(&mut self, row: &mut TaskRow) -> Events {
        if !matches!(row.state, State::Failed | State::Cancelled | State::Expired) {
            return Ok(Err(Refused::WrongState { state: row.state }));
        }
        if let Some(refused) = self.take_unique_back(row).await? {
            return Ok(Err(refused));
        }
        let before = row.before();
        row.go(Cause::Reopen)?;
        row.run += 1;
        row.attempt = 1;
        row.run_at = self.now.0;
        row.due = None;
        row.open_parents = self.wait_for_parents(row).await?;
        row.crashes = Crashes { seen: row.crashes.seen, ..Crashes::default() };
        row.expires_at = row.expires_in.map(|span| self.now.0.saturating_add(span));
        row.reason = None;
        row.began_at = None;
        row.started_at = None;
        row.finished_at = None;
        if row.order_key.is_some() {
            let next = self.row("SELECT nextval('task_seq')", &[]).await?;
            row.lane_place = next.map(|next| next.try_get(0)).transpose()?;
        }
        self.clear_result(row).await?;
        self.place(row, self.now).await?;
        self.save(before, row).await?;
        Ok(Ok(vec![self.event(row)]))
    }

    /// A reopened task waits again for those of its parents that have not ended.
    async fn wait_for_parents(&mut self, row: &TaskRow) -> Result<u32, Trouble> {
        let parents = Spec::read(row.spec.as_deref()).parents;
        if parents.is_empty() {
            return Ok(0);
        }
        let (ids, places) = own_places(&parents);
        let rows = self
            .rows(
                concat!(
                    "SELECT seq, state FROM tasks WHERE seq IN (",
                    find_by_ids!(),
                    ") ORDER BY seq FOR UPDATE"
                ),
                &[&ids, &places],
            )
            .await?;
        let mut open = Vec::new();
        for parent in &rows {
            if parent.try_get::<_, i16>(1)? < State::Success as i16 {
                open.push(parent.try_get(0)?);
            }
        }
        if open.is_empty() { Ok(0) } else { self.tie(&open, row.seq).await }
    }

    async fn take_unique_back(&mut self, row: &TaskRow) -> Result<Option<Refused>, Trouble> {
        let Some(unique) = Spec::read(row.spec.as_deref()).unique else { return Ok(None) };
        self.lock(&[super::locks::Locked::Unique(&row.sort, unique.key.as_bytes())]).await?;
        if let Some(holder) = self.unique_holder(&row.sort, &unique.key).await?
            && holder.seq != row.seq
        {
            return Ok(Some(Refused::UniqueTaken { existing: holder.id }));
        }
        let hold = match unique.hold {
            HoldSpec::Queued => UniqueWhile::Queued,
            HoldSpec::Active => UniqueWhile::Active,
            HoldSpec::Window(window) => UniqueWhile::Window(window),
        };
        self.hold_unique(&row.sort, &unique.key, hold, row.seq, Timestamp(row.created_at)).await?;
        Ok(None)
    }

    async fn clear_result(&mut self, row: &TaskRow) -> Result<(), Trouble> {
        let cleared = self
            .row(
                "WITH old AS (SELECT seq, octet_length(result) AS bytes FROM tasks WHERE seq = $1)
                 UPDATE tasks SET result = NULL FROM old
                 WHERE tasks.seq = old.seq AND result IS NOT NULL RETURNING old.bytes",
                &[&row.seq],
            )
            .await?;
        if let Some(cleared) = cleared {
            let bytes = i64::from(cleared.try_get::<_, i32>(0)?);
            self.marks.weigh(&row.sort, row.state as u8, -bytes);
        }
        Ok(())
    }

    async fn reprioritise(&mut self, row: &mut TaskRow, priority: u8) -> Events {
        if row.state.is_end() || row.state == State::Running {
            return Ok(Err(Refused::WrongState { state: row.state }));
        }
        let before = row.before();
        row.rerank(priority);
        self.save(before, row).await?;
        Ok(Ok(Vec::new()))
    }

    async fn set_pause(&mut self, scope: &Scope, paused: bool) -> Result<Done, Trouble> {
        let (number, name) = match scope {
            Scope::Queue(name) => (0_i16, name.as_str()),
            Scope::Kind(name) => (1, name.as_str()),
            Scope::Tenant(name) => (2, name.as_str()),
        };
        let sql = if paused {
            "INSERT INTO pauses(scope, name) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM pauses WHERE scope = $1 AND name = $2"
        };
        let changed = self.execute(sql, &[&number, &name]).await? > 0;
        self.after.wake_all |= !paused;
        self.after.stirs = true;
        let shown = |paused| Some(format!("{{\"paused\":{paused}}}"));
        Ok(Done { before: shown(paused != changed), after: shown(paused), ..Done::default() })
    }

    async fn set_carrier(&mut self, queue: &str, carrier: Option<&str>) -> Result<Done, Trouble> {
        let carrier = carrier.map(super::desk::text);
        let found = self.row("SELECT carrier FROM carriers WHERE queue = $1", &[&queue]).await?;
        let old: Option<String> = found.map(|row| row.try_get(0)).transpose()?;
        let shown = |carrier: Option<&str>| -> Result<_, Trouble> {
            Ok(Some(format!("{{\"carrier\":{}}}", serde_json::to_string(&carrier)?)))
        };
        let (before, after) = (shown(old.as_deref())?, shown(carrier.as_deref())?);
        self.carry(queue, old.as_deref(), carrier.as_deref()).await?;
        self.after.wake_all = true;
        self.after.stirs = true;
        Ok(Done { before, after, ..Done::default() })
    }

    async fn configure(
        &mut self,
        queue: &str,
        settings: Option<&QueueSettings>,
    ) -> Result<Done, Trouble> {
        let found = self.row("SELECT settings FROM settings WHERE queue = $1", &[&queue]).await?;
        let before: Option<String> = found.map(|row| row.try_get(0)).transpose()?;
        let after = settings.map(serde_json::to_string).transpose()?;
        match &after {
            Some(settings) => {
                self.execute(
                    "INSERT INTO settings(queue, settings) VALUES ($1, $2)
                     ON CONFLICT (queue) DO UPDATE SET settings = excluded.settings",
                    &[&queue, settings],
                )
                .await?;
            }
            None => {
                self.execute("DELETE FROM settings WHERE queue = $1", &[&queue]).await?;
            }
        }
        self.after.stirs = true;
        Ok(Done { before, after, ..Done::default() })
    }
}
