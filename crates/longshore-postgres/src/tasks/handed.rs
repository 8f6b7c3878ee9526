//! Reading what was handed out. Every statement that hands out answers with rows of these columns; a claim of one line leaves
//! out what all of its rows have in common.

use super::claim::Found;
use super::desk::{After, Note};
use super::marks::Marks;
use super::sort::Sort;
use super::spec::Spec;
use crate::ctid::Ctid;
use crate::error::Trouble;
use crate::lines::LineName;
use longshore_core::readiness::ready_at;
use longshore_core::rescue::Runs;
use longshore_core::store::{LeaseRef, Leased};
use longshore_core::task::Seq;
use longshore_core::{Payload, State, TaskId, Timestamp, Token};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio_postgres::Row;

/// The line that a row was taken from, or stands for.
pub(crate) fn line_of(row: &Row) -> Result<LineName, Trouble> {
    Ok(LineName { kind: row.try_get(4)?, tenant: row.try_get(2)?, ready: row.try_get(22)? })
}

impl Found {
    /// The lowest rank that was handed out of each line.
    pub(crate) fn lowest(&self) -> Result<HashMap<LineName, i64>, Trouble> {
        let rank_of = |row: &Row| -> Result<i64, Trouble> {
            Ok(row.try_get::<_, Option<i64>>(15)?.unwrap_or(i64::MIN))
        };
        if let Some((line, _)) = &self.of {
            let ranks: Vec<i64> = self.rows.iter().map(rank_of).collect::<Result<_, _>>()?;
            return Ok(ranks
                .into_iter()
                .min()
                .map(|rank| (line.clone(), rank))
                .into_iter()
                .collect());
        }
        let mut lowest = HashMap::new();
        for row in &self.rows {
            let rank = rank_of(row)?;
            let least = lowest.entry(line_of(row)?).or_insert(rank);
            *least = rank.min(*least);
        }
        Ok(lowest)
    }

    /// Reads what was handed out, best rank first, and notes it. Its leases last from `held_since` on.
    pub(crate) fn read(
        &self,
        now: Timestamp,
        held_since: Instant,
        after: &mut After,
    ) -> Result<Claimed, Trouble> {
        read_claimed(&self.rows, self.of.as_ref().map(|(_, sort)| sort), now, held_since, after)
    }
}

/// What a claim gave out.
#[derive(Default)]
pub(crate) struct Claimed {
    pub(crate) handed: Vec<Handed>,
    /// What has lost its payload.
    pub(crate) damaged: Vec<LeaseRef>,
}

/// A task that was handed out, and where its row lies.
pub(crate) struct Handed {
    pub(crate) task: Leased,
    pub(crate) lies: Ctid,
}

/// Counts what was handed out.
pub(super) fn count_claimed(rows: &[Row], marks: &mut Marks) -> Result<(), Trouble> {
    for row in rows {
        let sort = Sort::read(row, 2)?;
        let (state, ready): (i16, i16) = (row.try_get(21)?, row.try_get(22)?);
        marks.count(&sort, u8::try_from(state).unwrap_or(1), -1);
        marks.count(&sort, State::Running as u8, 1);
        marks.count_ready(&sort, u8::try_from(ready).unwrap_or(1), -1);
    }
    Ok(())
}

/// Reads rows of what was handed out, all of one sort if that is known, and notes it.
pub(super) fn read_claimed(
    rows: &[Row],
    of: Option<&Sort>,
    now: Timestamp,
    held_since: Instant,
    after: &mut After,
) -> Result<Claimed, Trouble> {
    let mut handed = Vec::with_capacity(rows.len());
    let mut damaged = Vec::new();
    for row in rows {
        let sort = of.cloned().map_or_else(|| Sort::read(row, 2), Ok)?;
        match read_leased(row, sort, now, held_since)? {
            Some(task) => {
                if task.expires_at.is_some() {
                    let held = (task.lease.seq.0, task.lease.token.number());
                    after.notes.push(Note::Leased { held, renewals: 0 });
                }
                handed.push(Handed { task, lies: row.try_get(23)? });
            }
            None => damaged.push(lease_of(row)?),
        }
    }
    // Tokens were given in the order of ranks.
    handed.sort_unstable_by_key(|handed| handed.task.lease.token);
    Ok(Claimed { handed, damaged })
}

fn lease_of(row: &Row) -> Result<LeaseRef, Trouble> {
    Ok(LeaseRef {
        id: TaskId(row.try_get(1)?),
        seq: Seq(row.try_get(0)?),
        token: Token::from_number(row.try_get(18)?),
    })
}

fn read_leased(
    row: &Row,
    sort: Sort,
    now: Timestamp,
    held_since: Instant,
) -> Result<Option<Leased>, Trouble> {
    let Ok(payload) = Payload::from_bytes(row.try_get::<_, Vec<u8>>(5)?) else {
        return Ok(None);
    };
    let spec = match row.try_get::<_, Option<&str>>(6)? {
        None => Spec::default(),
        spec => Spec::read(spec),
    };
    let number =
        |place| -> Result<u32, Trouble> { Ok(row.try_get::<_, i32>(place)?.max(0).unsigned_abs()) };
    let length = |millis: i64| Duration::from_millis(millis.max(0).unsigned_abs());
    let began = row.try_get::<_, Option<i64>>(13)?.map_or(now, Timestamp);
    let priority = u8::try_from(row.try_get::<_, i16>(16)?).unwrap_or(0);
    let rank: Option<i64> = row.try_get(15)?;
    let runs: Option<i16> = row.try_get(19)?;
    let lease: Option<i64> = row.try_get(20)?;
    Ok(Some(Leased {
        lease: lease_of(row)?,
        kind: sort.kind,
        queue: sort.queue,
        tenant: sort.tenant,
        payload,
        headers: spec.headers,
        traceparent: spec.traceparent,
        run: number(7)?,
        attempt: number(8)?,
        openings: number(9)?,
        max_attempts: number(10)?,
        timeout: super::row::span(row.try_get(11)?),
        total_left: row
            .try_get::<_, Option<i64>>(12)?
            .map(|total| length(total).saturating_sub(now.since(began))),
        created_at: Timestamp(row.try_get(14)?),
        ready_at: rank.map_or(now, |rank| ready_at(rank, priority)),
        started_at: now,
        expires_at: lease.map(|lease| now.after(length(lease))),
        handed_out: held_since,
        isolated: runs == Some(i16::from(Runs::Isolated.number())),
        in_lane: row.try_get(17)?,
    }))
}
