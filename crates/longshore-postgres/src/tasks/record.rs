//! Taking the end of an opening: plain successes many to a statement, others one by one.

use super::attempts::Entry;
use super::desk::{Desk, Line, millis, text};
use super::end::Before;
use super::row::TaskRow;
use super::sort::Sort;
use crate::ctid::Ctid;
use crate::error::Trouble;
use crate::links::Link;
use longshore_core::attempt::AttemptOutcome;
use longshore_core::rescue::Runs;
use longshore_core::state::Cause;
use longshore_core::store::{Ending, Recorded};
use longshore_core::{Event, QueueName, State, Timestamp, Verdict};
use std::collections::HashSet;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// What succeeds at its first opening, and nobody looks at: $1 now, $2 tokens, $3 results, or none of them.
/// `state + 0`, so that rows are found by where they are and never by what is held: that would be compared
/// with each end.
macro_rules! succeed {
    ($found:literal, $values:literal, $told:literal) => {
        concat!(
            "
WITH ended AS (
    UPDATE tasks SET state = 4, finished_at = $1, result = e.result, lease = NULL, instance = NULL, runs = 0
    FROM (SELECT unnest($2::int8[]) AS token, unnest($3::bytea[]) AS result, ",
            $values,
            ") AS e
    WHERE ",
            $found,
            " AND tasks.token = e.token AND tasks.state + 0 = 2
      AND tasks.openings = 1 AND tasks.order_key IS NULL AND tasks.cancel_grace IS NULL AND tasks.has_children IS NOT TRUE
    RETURNING tasks.seq, ",
            $told,
            "coalesce(octet_length(e.result), 0) AS bytes
), "
        )
    };
}

/// Counts them by their sorts, and tells which they were.
macro_rules! counted {
    () => {
        "counted AS (
    INSERT INTO counts(n, bytes, state, tenant, queue, kind)
    SELECT line.n, line.bytes, line.state, tenant, queue, kind
    FROM (SELECT tenant, queue, kind, count(*) AS n, sum(bytes)::int8 AS bytes FROM ended
          GROUP BY tenant, queue, kind) AS sort
    CROSS JOIN LATERAL (VALUES (-sort.n, 0, 2::int2), (sort.n, sort.bytes, 4::int2)) AS line(n, bytes, state)
)
SELECT seq, queue FROM ended"
    };
}

/// One statement that is a transaction.
const SUCCEED: &str = concat!(
    succeed!(
        "tasks.seq = e.seq AND tasks.id = e.id",
        "unnest($4::int8[]) AS seq, unnest($5::uuid[]) AS id",
        "tasks.tenant, tasks.queue, tasks.kind, "
    ),
    counted!()
);

/// As [`SUCCEED`] for rows of which it is known where they lie, and that $5 holds. One that lies somewhere else by now is not
/// found.
const SUCCEED_HELD: &str = concat!(
    succeed!(
        "tasks.ctid = e.lies AND tasks.instance = $5::int4",
        "unnest($4::tid[]) AS lies",
        "tasks.tenant, tasks.queue, tasks.kind, "
    ),
    counted!()
);

/// As [`SUCCEED_HELD`] for tasks of one sort. Tells which they were only if they were fewer than $9.
const SUCCEED_ALIKE: &str = concat!(
    succeed!(
        "tasks.ctid = e.lies AND tasks.instance = $5::int4",
        "unnest($4::tid[]) AS lies",
        ""
    ),
    "told AS MATERIALIZED (
    SELECT count(*) AS n, sum(bytes)::int8 AS bytes, array_agg(seq) AS seqs FROM ended
), counted AS (
    INSERT INTO counts(n, bytes, state, tenant, queue, kind)
    SELECT line.n, line.bytes, line.state, $6, $7, $8 FROM told
    CROSS JOIN LATERAL (VALUES (-told.n, 0, 2::int2), (told.n, told.bytes, 4::int2)) AS line(n, bytes, state)
    WHERE told.n > 0
)
SELECT CASE WHEN n < $9::int8 THEN coalesce(seqs, '{}') END FROM told"
);

/// What is known of tasks that this process holds.
pub(crate) struct HeldRows {
    /// Under which number it holds now: what it held under an earlier one is not found so.
    pub(crate) epoch: i32,
    /// Where each of them lies.
    pub(crate) lie: Vec<Ctid>,
    /// The sort of all of them, if they have one.
    pub(crate) of: Option<Sort>,
}

/// Whether an end may be a plain one; the row has the last word.
pub(crate) fn is_plain(end: &Ending) -> bool {
    end.verdict == Verdict::Complete && end.then.is_empty()
}

/// What was recorded: the places of those that were plain, and the queues that have room again.
pub(crate) type Succeeded = (HashSet<i64>, HashSet<QueueName>);

/// Records successes by one statement, which commits itself.
pub(crate) async fn plain_successes(
    link: &Link,
    now: Timestamp,
    ends: &[&Ending],
    held: Option<&HeldRows>,
) -> Result<Succeeded, Trouble> {
    let line = Line::Ours(link);
    let columns = EndColumns::of(ends);
    let Some(HeldRows { epoch, lie, of }) = held else {
        return succeeded(&line.query(SUCCEED, &columns.values(&now.0), true).await?);
    };
    let mut values = columns.values_of_held(&now.0).to_vec();
    let where_held: [&(dyn ToSql + Sync); 2] = [lie, epoch];
    values.extend(where_held);
    let Some(sort) = of else {
        return succeeded(&line.query(SUCCEED_HELD, &values, true).await?);
    };
    let (tenant, queue, kind) = (sort.tenant.as_str(), sort.queue.as_str(), sort.kind.as_str());
    let count = i64::try_from(ends.len()).unwrap_or(i64::MAX);
    let of_the_sort: [&(dyn ToSql + Sync); 4] = [&tenant, &queue, &kind, &count];
    values.extend(of_the_sort);
    let rows = line.query(SUCCEED_ALIKE, &values, true).await?;
    let some: Option<Vec<i64>> = rows.first().map_or(Ok(Some(Vec::new())), |row| row.try_get(0))?;
    let done: HashSet<i64> = some.unwrap_or(columns.seqs).into_iter().collect();
    let queues = if done.is_empty() { HashSet::new() } else { HashSet::from([sort.queue.clone()]) };
    Ok((done, queues))
}

#[derive(Default)]
struct EndColumns<'e> {
    seqs: Vec<i64>,
    tokens: Vec<i64>,
    ids: Vec<uuid::Uuid>,
    /// Empty if there are none.
    results: Vec<Option<&'e [u8]>>,
}

impl<'e> EndColumns<'e> {
    fn of(ends: &[&'e Ending]) -> Self {
        let mut columns = Self::default();
        for end in ends {
            columns.seqs.push(end.lease.seq.0);
            columns.tokens.push(end.lease.token.number());
            columns.ids.push(end.lease.id.0);
        }
        if ends.iter().any(|end| end.result.is_some()) {
            let results =
                ends.iter().map(|end| end.result.as_ref().map(|result| result.as_bytes()));
            columns.results = results.collect();
        }
        columns
    }

    /// The values of [`SUCCEED`].
    fn values(&self, now: &'e i64) -> [&(dyn ToSql + Sync); 5] {
        [now, &self.tokens, &self.results, &self.seqs, &self.ids]
    }

    /// The first values of the others.
    fn values_of_held(&self, now: &'e i64) -> [&(dyn ToSql + Sync); 3] {
        [now, &self.tokens, &self.results]
    }
}

fn succeeded(rows: &[Row]) -> Result<Succeeded, Trouble> {
    let (mut done, mut queues) = (HashSet::with_capacity(rows.len()), HashSet::new());
    for row in rows {
        done.insert(row.try_get(0)?);
        let queue: &str = row.try_get(1)?;
        if !queues.contains(queue) {
            queues.extend(QueueName::new(queue));
        }
    }
    Ok((done, queues))
}

/// The places of ends that may go by the one statement. Of two ends of one opening the first counts, whatever it is.
pub(crate) fn plain_ones(ends: &[&Ending]) -> Vec<usize> {
    let mut seen = HashSet::new();
    let first = |i: &usize| seen.insert(ends[*i].lease.seq);
    let firsts: Vec<usize> = (0..ends.len()).filter(first).collect();
    firsts.into_iter().filter(|i| is_plain(ends[*i])).collect()
}

/// What is answered to an end that was applied.
pub(crate) fn applied(state: State, at: Timestamp, next_at: Option<i64>) -> Recorded {
    Recorded::Applied {
        state,
        at,
        next_at: next_at.map(Timestamp),
        then: Vec::new(),
        others: Vec::new(),
    }
}

impl Desk<'_> {
    /// Locks whatever these ends will look at.
    pub(crate) async fn lock_ends(&mut self, ends: &[&Ending]) -> Result<(), Trouble> {
        let then = ends.iter().flat_map(|end| &end.then).map(|task| &**task);
        self.lock_accepts(then).await?;
        let mut seqs: Vec<i64> = ends.iter().map(|end| end.lease.seq.0).collect();
        seqs.sort_unstable();
        seqs.dedup();
        self.lock_rows(&seqs).await
    }

    /// Applies ends: those that are plain together, then what is left one by one.
    pub(crate) async fn record_all(&mut self, ends: &[&Ending]) -> Result<Vec<Recorded>, Trouble> {
        self.lock_ends(ends).await?;
        let mut answers: Vec<Option<Recorded>> = vec![None; ends.len()];
        let plain = plain_ones(ends);
        if plain.len() > 1 {
            let asked: Vec<&Ending> = plain.iter().map(|i| ends[*i]).collect();
            let columns = EndColumns::of(&asked);
            let rows = self.line.query(SUCCEED, &columns.values(&self.now.0), false).await?;
            let (done, queues) = succeeded(&rows)?;
            self.after.room.extend(queues);
            for i in plain.into_iter().filter(|i| done.contains(&ends[*i].lease.seq.0)) {
                answers[i] = Some(applied(State::Success, self.now, None));
            }
        }
        let mut recorded = Vec::with_capacity(ends.len());
        for (end, answer) in ends.iter().zip(answers) {
            recorded.push(match answer {
                Some(answer) => answer,
                None => self.record(end).await?,
            });
        }
        Ok(recorded)
    }

    /// Applies one end, unless its opening is not held any more.
    pub(crate) async fn record(&mut self, end: &Ending) -> Result<Recorded, Trouble> {
        let held = |row: &TaskRow| {
            row.state == State::Running
                && row.id == end.lease.id
                && row.token == Some(end.lease.token.number())
        };
        let Some(mut row) = self.load(end.lease.seq.0).await?.filter(held) else {
            return Ok(Recorded::Stale);
        };
        let before = row.before();
        let verdict = match &end.verdict {
            Verdict::Retry { .. }
            | Verdict::Snooze { .. }
            | Verdict::Release
            | Verdict::Bury(_)
                if row.cancel_grace.is_some() =>
            {
                &Verdict::Cancel
            }
            verdict => verdict,
        };
        if *verdict != Verdict::Release {
            row.crashes = row.crashes.after_normal_end();
        }
        let failed = matches!(verdict, Verdict::Retry { .. } | Verdict::Bury(_));
        let error = end.error.as_ref().filter(|_| failed);
        if let Some(error) = error {
            row.error = Some(serde_json::to_string(error)?);
        }
        let attempt = row.attempt;
        let mut others = Vec::new();
        let outcome = self.apply(&mut row, before, verdict, end, &mut others).await?;
        if outcome != AttemptOutcome::Success || row.openings > 1 {
            let next_at = row.due.or(match outcome {
                AttemptOutcome::Retry | AttemptOutcome::Snoozed => Some(self.now.0),
                _ => None,
            });
            let error = error.and(row.error.as_deref());
            self.note_opening(&row, Entry { attempt, outcome, error, next_at }).await?;
        }
        let mut accepted = Vec::with_capacity(end.then.len());
        for task in &end.then {
            accepted.push(self.accept(task).await?);
        }
        let ready_now = (row.state == State::Retrying).then_some(self.now.0);
        let mut recorded = applied(row.state, self.now, row.due.or(ready_now));
        if let Recorded::Applied { then, others: events, .. } = &mut recorded {
            *then = accepted;
            *events = others;
        }
        Ok(recorded)
    }

    /// Applies a verdict to a running row and saves it. Returns how the opening ended.
    async fn apply(
        &mut self,
        row: &mut TaskRow,
        before: Before,
        verdict: &Verdict,
        end: &Ending,
        others: &mut Vec<Event>,
    ) -> Result<AttemptOutcome, Trouble> {
        let (cause, outcome, reason) = match verdict {
            Verdict::Complete => {
                self.keep_result(row, end).await?;
                (Cause::Complete, AttemptOutcome::Success, None)
            }
            Verdict::Bury(why) => {
                (Cause::Bury, AttemptOutcome::Failed, Some(why.as_str().to_owned()))
            }
            Verdict::Discard(why) => (Cause::Discard, AttemptOutcome::Discarded, Some(text(why))),
            Verdict::Cancel => {
                (Cause::Cancel, AttemptOutcome::Cancelled, Some("cancelled".to_owned()))
            }
            Verdict::Retry { after } => {
                row.attempt += 1;
                self.wait_again(row, before, Cause::Retry, Some(millis(*after))).await?;
                return Ok(AttemptOutcome::Retry);
            }
            Verdict::Snooze { after } => {
                self.wait_again(row, before, Cause::Snooze, Some(millis(*after))).await?;
                return Ok(AttemptOutcome::Snoozed);
            }
            Verdict::Release => {
                self.wait_again(row, before, Cause::Release, None).await?;
                return Ok(AttemptOutcome::Released);
            }
        };
        row.reason = reason;
        self.finish(row, before, cause, others).await?;
        Ok(outcome)
    }

    async fn keep_result(&mut self, row: &TaskRow, end: &Ending) -> Result<(), Trouble> {
        let Some(result) = &end.result else { return Ok(()) };
        self.execute(
            "UPDATE tasks SET result = $2 WHERE seq = $1",
            &[&row.seq, &result.as_bytes()],
        )
        .await?;
        let bytes = i64::try_from(result.as_bytes().len()).unwrap_or(i64::MAX);
        self.marks.weigh(&row.sort, State::Success as u8, bytes);
        Ok(())
    }

    /// Lets a running task wait again: for so long, or not at all.
    pub(super) async fn wait_again(
        &mut self,
        row: &mut TaskRow,
        before: Before,
        cause: Cause,
        pause: Option<i64>,
    ) -> Result<(), Trouble> {
        row.go(cause)?;
        row.lease = None;
        row.instance = None;
        row.runs = Runs::default();
        row.cancel_grace = None;
        match pause {
            // Even a pause of nothing is seen by `make_ready`, but a retry at once is ready at once.
            Some(0) if cause == Cause::Retry => {
                row.run_at = self.now.0;
                self.place(row, self.now).await?;
            }
            Some(pause) => {
                let due = self.now.0.saturating_add(pause).min(Timestamp::MAX.0);
                row.run_at = due;
                row.due = Some(due);
            }
            None => row.stand_ready(), // at the rank it had
        }
        self.save(before, row).await
    }
}
