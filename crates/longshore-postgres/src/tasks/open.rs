//! Opening tasks that a broker carried, and setting aside what is damaged.

use super::claim::BEYOND_TIMEOUT;
use super::desk::{Desk, millis, text};
use super::handed::{Handed, count_claimed, read_claimed};
use super::locks::Locked;
use crate::bounds::{self, Bound, SPEND};
use crate::ctid::Ctid;
use crate::error::Trouble;
use longshore_core::attempt::TaskError;
use longshore_core::rescue::Runs;
use longshore_core::retry::BuryReason;
use longshore_core::state::Cause;
use longshore_core::store::{Hold, Leased, Open, Opened};
use longshore_core::{FaultClass, State, TaskId};

const OPEN: &str = "
UPDATE tasks SET state = 2, ready = 0, token = nextval('tokens'), worker = $2,
    lease = CASE WHEN $3 THEN coalesce($4::int8, timeout + $5::int8) END,
    instance = CASE WHEN NOT $3 THEN $6::int4 END, renewals = CASE WHEN $3 THEN 0 ELSE renewals END, runs = $7, started_at = $8,
    began_at = coalesce(began_at, $8), openings = openings + 1, expires_at = NULL, progress = NULL
WHERE seq = $1
RETURNING seq, id, tenant, queue, kind, payload, spec, run, attempt, openings, max_attempts, timeout,
    total_timeout, began_at, created_at, rank, priority, order_key IS NOT NULL, token, runs, lease,
    $9::int2, $10::int2, ctid";

/// What became of a task that was to be opened, and where its row lies if it was.
pub(crate) struct OpenedRow {
    pub(crate) opened: Opened,
    lies: Option<Ctid>,
}

impl OpenedRow {
    /// The task, if it was opened.
    pub(crate) fn handed(&self) -> Option<(&Leased, Ctid)> {
        match &self.opened {
            Opened::Leased(leased) => self.lies.map(|lies| (&**leased, lies)),
            _ => None,
        }
    }

    /// The place of the task, if it is held for as long as this process lives.
    fn held_by_process(&self) -> Option<i64> {
        let (leased, _) = self.handed()?;
        leased.expires_at.is_none().then_some(leased.lease.seq.0)
    }
}

impl From<Opened> for OpenedRow {
    fn from(opened: Opened) -> Self {
        Self { opened, lies: None }
    }
}

impl Desk<'_> {
    /// Opens tasks that a broker carried, within the bounds of their queue. What is held for as long as this process lives is
    /// noted under that number.
    pub(crate) async fn open_all(
        &mut self,
        want: &Open,
        number: i64,
    ) -> Result<Vec<OpenedRow>, Trouble> {
        let mut bound = match (want.limit, want.rate) {
            (None, None) => None,
            _ => Some(self.bound(want).await?),
        };
        let epoch = self.base.epoch();
        let mut opened: Vec<OpenedRow> = Vec::with_capacity(want.ids.len());
        for id in &want.ids {
            let isolated = |of: &OpenedRow| of.handed().is_some_and(|(leased, _)| leased.isolated);
            let alone = opened.iter().any(isolated);
            opened.push(self.open_carried(*id, want, epoch, alone, &mut bound).await?);
        }
        let held: Vec<i64> = opened.iter().filter_map(OpenedRow::held_by_process).collect();
        if !held.is_empty() {
            self.execute(
                "INSERT INTO holds(instance, number, seqs) VALUES ($1, $2, $3)",
                &[&epoch, &number, &held],
            )
            .await?;
        }
        if let Some(until) = bound.as_ref().and_then(Bound::spent) {
            self.execute(SPEND, &[&want.queue.as_str(), &until]).await?;
        }
        Ok(opened)
    }

    /// Looks at the bounds of a queue, under their lock.
    async fn bound(&self, want: &Open) -> Result<Bound, Trouble> {
        let number = Locked::Limit(&want.queue).number(&self.base.schema);
        self.execute("SELECT pg_advisory_xact_lock($1)", &[&number]).await?;
        let limit = want.limit.map(i64::from);
        let row = self.row(bounds::LOOK, &[&want.queue.as_str(), &limit]).await?;
        let row = row.ok_or_else(|| Trouble::Failed("a look has no answer".to_owned()))?;
        Bound::read(&row, limit, want.rate, self.now)
    }

    /// Opens a task that a broker carried; none that has to run isolated if one was opened that is `alone`.
    pub(crate) async fn open_carried(
        &mut self,
        id: TaskId,
        want: &Open,
        epoch: i32,
        alone: bool,
        bound: &mut Option<Bound>,
    ) -> Result<OpenedRow, Trouble> {
        let hold = want.hold;
        let Some(row) = self.load_by_id(id).await? else { return Ok(Opened::Over.into()) };
        if row.state.is_end() {
            return Ok(Opened::Over.into());
        }
        if row.state == State::Running {
            return Ok(Opened::Held.into());
        }
        let runs = Runs::of(hold, row.ready == 2);
        let alone = runs == Runs::Isolated && (alone || self.isolated_runs(epoch).await?);
        if row.ready == 0 || alone || self.is_paused(&row.sort).await? {
            // Its envelope is dropped, so the broker is given another one.
            self.execute("UPDATE outbox SET relayed = false WHERE seq = $1", &[&row.seq]).await?;
            self.after.woken.insert(row.sort.queue);
            return Ok(Opened::NotReady.into());
        }
        let mut bound = bound.as_mut().filter(|_| row.sort.queue == want.queue);
        if bound.as_ref().is_some_and(|bound| bound.room(1) < 1) {
            let after = bound.and_then(|bound| bound.wait()).map(|(_, after)| after);
            return Ok(Opened::NoRoom { after }.into());
        }
        let (timed, lasts) = match hold {
            Hold::Lease { lasts } => (true, lasts.map(millis)),
            Hold::Process | Hold::Beside => (false, None),
        };
        let opened = self
            .rows(
                OPEN,
                &[
                    &row.seq,
                    &text(&want.worker),
                    &timed,
                    &lasts,
                    &BEYOND_TIMEOUT,
                    &epoch,
                    &i16::from(runs.number()),
                    &self.now.0,
                    &(row.state as i16),
                    &i16::from(row.ready),
                ],
            )
            .await?;
        if let Some(bound) = &mut bound {
            bound.take(opened.len());
        }
        self.unmark(row.seq).await?;
        self.after.room.insert(row.sort.queue.clone());
        count_claimed(&opened, &mut self.marks)?;
        let mut claimed = read_claimed(&opened, None, self.now, self.began, &mut self.after)?;
        match claimed.handed.pop() {
            Some(Handed { task, lies }) => {
                Ok(OpenedRow { opened: Opened::Leased(Box::new(task)), lies: Some(lies) })
            }
            None if claimed.damaged.is_empty() => Ok(Opened::Over.into()),
            None => {
                // It runs by now: what was opened is put back before it is buried.
                self.execute(
                    "UPDATE tasks SET state = $2, ready = $3, openings = openings - 1, instance = NULL,
                         lease = NULL, began_at = $4, started_at = $5 WHERE seq = $1",
                    &[
                        &row.seq,
                        &(row.state as i16),
                        &i16::from(row.ready),
                        &row.began_at,
                        &row.started_at,
                    ],
                )
                .await?;
                self.marks.count(&row.sort, row.state as u8, 1);
                self.marks.count(&row.sort, State::Running as u8, -1);
                self.marks.count_ready(&row.sort, row.ready, 1);
                self.set_aside(row.seq).await?;
                Ok(Opened::Over.into())
            }
        }
    }

    async fn isolated_runs(&self, epoch: i32) -> Result<bool, Trouble> {
        self.exists("SELECT 1 FROM held WHERE instance = $1 AND runs = 1 LIMIT 1", &[&epoch]).await
    }

    async fn is_paused(&self, sort: &super::Sort) -> Result<bool, Trouble> {
        self.exists(
            "SELECT 1 FROM pauses WHERE (scope = 0 AND name = $1) OR (scope = 1 AND name = $2)
                OR (scope = 2 AND name = $3) LIMIT 1",
            &[&sort.queue.as_str(), &sort.kind.as_str(), &sort.tenant.as_str()],
        )
        .await
    }

    /// Buries a ready task whose payload is lost, so that it does not spoil every claim that comes
    /// to it. Whoever waits for it reads how it ended; nobody is told.
    pub(crate) async fn set_aside(&mut self, seq: i64) -> Result<(), Trouble> {
        self.lock_rows(&[seq]).await?;
        let Some(mut row) = self.load(seq).await?.filter(|row| row.ready > 0) else {
            return Ok(());
        };
        let before = row.before();
        let error = TaskError {
            class: FaultClass::BadData,
            code: Some("damaged".to_owned()),
            message: "the database has lost the payload of this task: submit it again".to_owned(),
            trace: None,
            at: self.now,
        };
        row.error = Some(serde_json::to_string(&error)?);
        row.reason = Some(BuryReason::Invariant.as_str().to_owned());
        self.finish(&mut row, before, Cause::Bury, &mut Vec::new()).await?;
        self.after.set_aside += 1;
        tracing::error!(
            task = %row.id,
            "the payload of a task is lost: it was set aside among the dead letters; check the database"
        );
        Ok(())
    }
}
