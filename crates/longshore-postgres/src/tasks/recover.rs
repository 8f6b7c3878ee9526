//! Taking back what was abandoned: leases that were not renewed, and what a dead process held.
//!
//! What is over was found by a [survey](crate::survey), without any wall clock; here it is looked at again,
//! under locks.

use super::attempts::Entry;
use super::desk::Desk;
use super::row::TaskRow;
use crate::error::Trouble;
use crate::index::nothing_held;
use crate::schema::VERSION;
use crate::survey::Over;
use longshore_core::attempt::{AttemptOutcome, TaskError};
use longshore_core::rescue::Runs;
use longshore_core::retry::BuryReason;
use longshore_core::state::Cause;
use longshore_core::store::{BATCH, Moved};
use longshore_core::{Event, FaultClass, State};

/// What became of an opened store that is gone.
const DIED: i16 = 1;
/// Several fell silent together: nobody's fault.
const OUTAGE: i16 = 2;

impl Desk<'_> {
    /// Takes back what is held under leases that have ended, and what dead processes held.
    pub(crate) async fn rescue(
        &mut self,
        over: &[Over],
        silent: &[(i32, i64)],
    ) -> Result<Moved, Trouble> {
        let mut moved = Moved { more: over.len() > BATCH, ..Moved::default() };
        let over = &over[..over.len().min(BATCH)];
        self.declare_dead(silent).await?;
        let seqs: Vec<i64> = over.iter().map(|over| over.seq).collect();
        self.lock_rows(&seqs).await?;
        for over in over {
            // Whoever renewed it meanwhile holds it.
            let is_over = |row: &TaskRow| {
                row.state == State::Running
                    && (row.token, row.renewals) == (Some(over.token), over.renewals)
                    && row.cancels == over.cancels
            };
            let Some(mut row) = self.load(over.seq).await?.filter(is_over) else { continue };
            self.take_back(&mut row, over.outcome, &mut moved).await?;
        }
        moved.more |= self.bury_the_dead(BATCH - seqs.len(), &mut moved.events).await?;
        Ok(moved)
    }

    /// Says of those that do not beat any more that they are dead.
    async fn declare_dead(&mut self, silent: &[(i32, i64)]) -> Result<(), Trouble> {
        let fate = if silent.len() > 1 { OUTAGE } else { DIED };
        for (epoch, beats) in silent {
            let buried = self
                .execute(
                    "UPDATE instances SET fate = $3 WHERE epoch = $1 AND beats = $2 AND fate = 0",
                    &[epoch, beats, &fate],
                )
                .await?;
            if buried > 0 {
                tracing::warn!(
                    epoch,
                    "an opened store is not heard of any more: what it held is taken back"
                );
            }
        }
        Ok(())
    }

    /// Says that the earlier openings under this name are over.
    pub(crate) async fn bury_namesakes(&mut self, name: &str, epoch: i32) -> Result<(), Trouble> {
        self.execute(
            "UPDATE instances SET fate = $3 WHERE name = $1 AND epoch <> $2 AND fate = 0",
            &[&name, &epoch, &DIED],
        )
        .await?;
        Ok(())
    }

    /// Takes back what dead processes held, at most `left` tasks. Returns whether there is more.
    pub(crate) async fn bury_the_dead(
        &mut self,
        mut left: usize,
        events: &mut Vec<Event>,
    ) -> Result<bool, Trouble> {
        // What a claim handed out that was still on its way when its process was buried: nobody's fault.
        self.execute(
            "INSERT INTO instances(epoch, opened_at, lasts, fate, version)
             SELECT DISTINCT instance, 0, 0, $1::int2, $2::int4 FROM holds
             WHERE NOT EXISTS (SELECT 1 FROM instances WHERE epoch = holds.instance)
             ON CONFLICT DO NOTHING",
            &[&OUTAGE, &VERSION],
        )
        .await?;
        let dead = self.rows("SELECT epoch, fate FROM instances WHERE fate > 0", &[]).await?;
        for row in &dead {
            let (epoch, fate): (i32, i16) = (row.try_get(0)?, row.try_get(1)?);
            let limit = i64::try_from(left).unwrap_or(i64::MAX);
            let held = self
                .rows(
                    "SELECT seq FROM held WHERE instance = $1 ORDER BY seq LIMIT $2",
                    &[&epoch, &limit],
                )
                .await?;
            let seqs: Vec<i64> = held.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
            self.lock_rows(&seqs).await?;
            for seq in &seqs {
                let orphan =
                    |row: &TaskRow| row.state == State::Running && row.instance == Some(epoch);
                if let Some(row) = self.load(*seq).await?.filter(orphan) {
                    self.take_from_the_dead(row, fate, events).await?;
                }
            }
            if seqs.len() == left {
                return Ok(true);
            }
            left -= seqs.len();
            // A claim may have come through since: its line stays, and is found by the next one who buries.
            let sql = concat!("DELETE FROM holds WHERE instance = $1 AND ", nothing_held!());
            self.execute(sql, &[&epoch]).await?;
            self.execute("DELETE FROM instances WHERE epoch = $1", &[&epoch]).await?;
        }
        Ok(false)
    }

    async fn take_from_the_dead(
        &mut self,
        mut row: TaskRow,
        fate: i16,
        events: &mut Vec<Event>,
    ) -> Result<(), Trouble> {
        let counts = row.runs != Runs::Outside && fate != OUTAGE;
        if counts {
            row.crashes = row.crashes.after_death(row.runs);
            if row.crashes.is_condemned() {
                return self.bury_killer(row, events).await;
            }
        }
        let outcome = if counts { AttemptOutcome::Crashed } else { AttemptOutcome::Lost };
        let mut moved = Moved::default();
        self.take_back(&mut row, outcome, &mut moved).await?;
        events.append(&mut moved.events);
        Ok(())
    }

    async fn bury_killer(
        &mut self,
        mut row: TaskRow,
        events: &mut Vec<Event>,
    ) -> Result<(), Trouble> {
        let before = row.before();
        let deaths = row.crashes.seen;
        let error = TaskError {
            class: FaultClass::Crash,
            code: None,
            message: format!("the process died {deaths} times while this task ran inside it"),
            trace: None,
            at: self.now,
        };
        row.error = Some(serde_json::to_string(&error)?);
        row.reason = Some(BuryReason::Crash.as_str().to_owned());
        let entry = Entry {
            attempt: row.attempt,
            outcome: AttemptOutcome::Crashed,
            error: row.error.as_deref(),
            next_at: None,
        };
        self.note_opening(&row, entry).await?;
        let mut others = Vec::new();
        self.finish(&mut row, before, Cause::Bury, &mut others).await?;
        events.push(self.event(&row));
        events.append(&mut others);
        Ok(())
    }
}
