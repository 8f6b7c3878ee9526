//! A look over everything that is held, in one question: which leases have ended, and which opened stores
//! have fallen silent. It changes nothing, so that a store at rest costs next to nothing.

use crate::base::Base;
use crate::error::Trouble;
use crate::links::Link;
use longshore_core::attempt::AttemptOutcome;
use std::collections::HashSet;
use std::time::Duration;
use tokio_postgres::Row;

/// A timed lease that has ended, as it was looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Over {
    pub(crate) seq: i64,
    pub(crate) token: i64,
    pub(crate) renewals: i32,
    pub(crate) cancels: i32,
    pub(crate) outcome: AttemptOutcome,
}

/// Lines of the counters that are worth folding.
const FOLD: i64 = 500;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Timed leases that are over, by place.
    pub(crate) over: Vec<Over>,
    /// Opened stores that have not beaten for too long, with their last beat.
    pub(crate) silent: Vec<(i32, i64)>,
    /// Whether some store that is known to be dead may still hold something.
    pub(crate) dead: bool,
    /// Whether other stores are open.
    pub(crate) peers: bool,
    /// Whether some ready task has to run isolated.
    pub(crate) suspects: bool,
    /// How many lines the counters have.
    pub(crate) lines: i64,
}

/// Rows of several sorts: a number that tells which, six numbers and three texts. Others may be added behind.
macro_rules! look {
    () => {
        concat!(
            "
SELECT 1::int2, seq, coalesce(token, 0), coalesce(renewals, 0)::int8, lease, cancel_grace, coalesce(cancels, 0)::int8,
    NULL::text, NULL::text, NULL::text FROM tasks WHERE state = 2 AND lease IS NOT NULL AND due IS NULL AND ",
            $crate::index::timed!(),
            "
UNION ALL SELECT 2::int2, epoch::int8, beats, fate::int8, lasts, NULL, NULL, NULL, NULL, NULL FROM instances
UNION ALL (SELECT 2::int2, instance::int8, 0, 1, 0, NULL, NULL, NULL, NULL, NULL FROM holds
    WHERE NOT EXISTS (SELECT 1 FROM instances WHERE epoch = holds.instance) LIMIT 1)
UNION ALL SELECT 3::int2, count(*), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM counts
UNION ALL SELECT 4::int2, sum(n)::int8, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM counts
    WHERE state = 9 HAVING sum(n) > 0"
        )
    };
}
pub(crate) use look;

impl Survey {
    /// Looks, and remembers what it saw.
    pub(crate) async fn take(link: &Link, base: &Base) -> Result<Self, Trouble> {
        Self::read(&link.query(look!(), &[]).await?, base)
    }

    /// Reads what is its own among these rows, and remembers it.
    pub(crate) fn read(rows: &[Row], base: &Base) -> Result<Self, Trouble> {
        let (tick, me) = (base.clock.monotonic(), base.epoch());
        let mut survey = Self::default();
        let mut watch = base.watches.lock();
        let (mut held, mut open) = (HashSet::new(), HashSet::new());
        for row in rows {
            match row.try_get::<_, i16>(0)? {
                1 => {
                    let lease = (row.try_get(1)?, row.try_get(2)?);
                    held.insert(lease);
                    survey.over.extend(look_at_lease(row, lease, &mut watch, tick)?);
                }
                2 => {
                    let epoch = i32::try_from(row.try_get::<_, i64>(1)?).unwrap_or(0);
                    let (beats, fate): (i64, i64) = (row.try_get(2)?, row.try_get(3)?);
                    survey.dead |= fate > 0;
                    if fate == 0 && epoch != me {
                        survey.peers = true;
                        open.insert(epoch);
                        let since = watch.instances.look(epoch, beats, tick);
                        if since.saturating_add(length(row.try_get(4)?)) <= tick {
                            survey.silent.push((epoch, beats));
                        }
                    }
                }
                3 => survey.lines = row.try_get(1)?,
                4 => survey.suspects = true,
                _ => {}
            }
        }
        watch.keep_held(|lease| held.contains(lease));
        watch.instances.keep(|epoch| open.contains(epoch));
        survey.over.sort_unstable_by_key(|over| over.seq);
        Ok(survey)
    }

    /// Whether the counters have so many lines that they are worth folding.
    pub(crate) fn is_littered(&self) -> bool {
        self.lines > FOLD
    }

    /// Whether there is nothing to take back.
    pub(crate) fn is_calm(&self) -> bool {
        self.over.is_empty() && self.silent.is_empty() && !self.dead
    }
}

fn look_at_lease(
    row: &Row,
    lease: (i64, i64),
    watch: &mut crate::watch::Watch,
    tick: Duration,
) -> Result<Option<Over>, Trouble> {
    let (renewals, cancels): (i64, i64) = (row.try_get(3)?, row.try_get(6)?);
    let since = watch.leases.look(lease, renewals, tick);
    let lost = since.saturating_add(length(row.try_get(4)?)) <= tick;
    let grace_over = row
        .try_get::<_, Option<i64>>(5)?
        .is_some_and(|grace| watch.cancel_until(lease, cancels, length(grace), tick) <= tick);
    let outcome = if lost { AttemptOutcome::Lost } else { AttemptOutcome::Cancelled };
    Ok((lost || grace_over).then_some(Over {
        seq: lease.0,
        token: lease.1,
        renewals: i32::try_from(renewals).unwrap_or(i32::MAX),
        cancels: i32::try_from(cancels).unwrap_or(i32::MAX),
        outcome,
    }))
}

pub(crate) fn length(millis: i64) -> Duration {
    Duration::from_millis(millis.max(0).unsigned_abs())
}
