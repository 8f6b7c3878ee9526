//! Taking plain tasks in, many by one statement.

use super::accept::{accepted, state_of};
use super::desk::{Desk, Line, millis};
use super::end::failure_number;
use super::marks::{self, Marks};
use super::sort::Sort;
use super::spec::Spec;
use crate::base::Base;
use crate::error::Trouble;
use crate::index::{apart, find_by_ids, own_place, own_places};
use crate::links::Link;
use longshore_core::store::Refused;
use longshore_core::task::Accepted;
use longshore_core::{NewTask, State, TaskId, Timestamp};
use std::collections::HashSet;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

/// Whether a task needs nothing but a row: no look at others, and nobody looks at it.
pub(crate) fn is_plain(task: &NewTask) -> bool {
    task.idempotency.is_none() && needs_a_row_alone(task)
}

/// The same, its idempotency key aside.
fn needs_a_row_alone(task: &NewTask) -> bool {
    task.unique.is_none()
        && task.after.is_empty()
        && task.order_key.is_none()
        && task.backlog.is_none()
}

/// The rows of new tasks. `unnest` among the columns hands one row on after the other; behind `FROM` it would write down all
/// of them first.
macro_rules! insert {
    () => {
        "
    INSERT INTO tasks(seq, id, tenant, queue, kind, state, ready, rank, due, expires_at, priority, max_attempts,
        created_at, run_at, timeout, total_timeout, expires_in, on_parent_failure, group_id, spec, payload)
    SELECT coalesce(n.place, drawn_place()), n.id, n.tenant, n.queue, n.kind,
        CASE WHEN n.run_at > $1 THEN 0 ELSE 1 END, CASE WHEN n.run_at > $1 THEN 0 ELSE 1 END,
        CASE WHEN n.run_at > $1 THEN NULL ELSE $1 - n.priority * 30000::int8 END,
        CASE WHEN n.run_at > $1 THEN n.run_at END,
        $1 + n.expires_in, n.priority, n.max_attempts, $1, coalesce(n.run_at, $1), n.timeout, n.total_timeout,
        n.expires_in, n.on_failure, n.group_id, n.spec, n.payload
    FROM (SELECT unnest($2::uuid[]) AS id, unnest($3::text[]) AS tenant, unnest($4::text[]) AS queue,
        unnest($5::text[]) AS kind, unnest($6::int8[]) AS run_at, unnest($7::int2[]) AS priority,
        unnest($8::int4[]) AS max_attempts, unnest($9::int8[]) AS timeout, unnest($10::int8[]) AS total_timeout,
        unnest($11::int8[]) AS expires_in, unnest($12::int2[]) AS on_failure, unnest($13::uuid[]) AS group_id,
        unnest($14::text[]) AS spec, unnest($15::bytea[]) AS payload, unnest($16::int8[]) AS place) AS n"
    };
}

/// Marks of carried queues.
macro_rules! mark {
    () => {
        "marked AS (
    INSERT INTO outbox(seq, queue, relayed)
    SELECT seq, queue, false FROM new WHERE ready > 0 AND queue IN (SELECT queue FROM carriers)
)"
    };
}

/// One statement that is a transaction: rows, counters, and marks. It fails if an id, or the place of one, is taken.
const ACCEPT_NEW: &str = concat!(
    "WITH new AS (",
    insert!(),
    " RETURNING seq, queue, ready
), counted AS (
    INSERT INTO counts(n, bytes, state, tenant, queue, kind)
    SELECT * FROM unnest($17::int8[], $18::int8[], $19::int2[], $20::text[], $21::text[], $22::text[])
), ",
    mark!(),
    " SELECT 1 WHERE false"
);

/// As [`ACCEPT_NEW`] for tasks that are alike but for their ids, specs and payloads, lie where their ids lead, and are ready
/// at once in a queue that nobody carries; with a carrier it does nothing. Most requests of several tasks are so, and it goes a
/// fifth faster. The counters get $13 tasks of $14 bytes: 1 is pending, 8 ready.
const ACCEPT_ALIKE: &str = "
WITH counted AS (
    INSERT INTO counts(n, bytes, state, tenant, queue, kind)
    SELECT line.n, line.bytes, line.state, $2, $3, $4
    FROM (VALUES ($13::int8, $14::int8, 1::int2), ($13, 0, 8)) AS line(n, bytes, state)
    WHERE NOT EXISTS (SELECT 1 FROM carriers WHERE carriers.queue = $3)
    RETURNING 1
)
INSERT INTO tasks(seq, id, tenant, queue, kind, state, ready, rank, priority, max_attempts, created_at, run_at, timeout,
    on_parent_failure, spec, payload)
SELECT unnest($12::int8[]), unnest($9::uuid[]), $2, $3, $4, 1, 1, $1 - $5::int2 * 30000::int8, $5, $6, $1, $1, $7, $8,
    unnest($10::text[]), unnest($11::bytea[])
WHERE EXISTS (SELECT 1 FROM counted)";

/// As [`ACCEPT_NEW`], and tells which ids were not taken.
const ACCEPT: &str = concat!(
    "WITH new AS (",
    insert!(),
    " ON CONFLICT DO NOTHING
    RETURNING seq, id, tenant, queue, kind, state, ready, octet_length(payload) AS bytes
), counted AS (
    INSERT INTO counts(n, bytes, state, tenant, queue, kind)
    SELECT count(*), sum(bytes + 400)::int8, state, tenant, queue, kind FROM new GROUP BY state, tenant, queue, kind
    UNION ALL
    SELECT count(*), 0, 8, tenant, queue, kind FROM new WHERE ready > 0 GROUP BY tenant, queue, kind
), ",
    mark!(),
    " SELECT id FROM new"
);

#[derive(Default)]
struct Columns<'t> {
    places: Vec<Option<i64>>,
    ids: Vec<uuid::Uuid>,
    tenants: Vec<&'t str>,
    queues: Vec<&'t str>,
    kinds: Vec<&'t str>,
    run_at: Vec<Option<i64>>,
    priority: Vec<i16>,
    max_attempts: Vec<i32>,
    timeout: Vec<i64>,
    total_timeout: Vec<Option<i64>>,
    expires_in: Vec<Option<i64>>,
    on_failure: Vec<i16>,
    groups: Vec<Option<uuid::Uuid>>,
    /// Empty if there are none.
    specs: Vec<Option<String>>,
    payloads: Vec<&'t [u8]>,
}

impl<'t> Columns<'t> {
    fn of(tasks: &[&'t NewTask]) -> Result<Self, Trouble> {
        let mut columns = Self::default();
        for task in tasks {
            columns.push(task)?;
        }
        if columns.specs.iter().all(Option::is_none) {
            columns.specs.clear(); // the database fills in what is missing
        }
        Ok(columns)
    }

    fn push(&mut self, task: &'t NewTask) -> Result<(), Trouble> {
        self.places.push(own_place(task.id));
        self.ids.push(task.id.0);
        self.tenants.push(task.tenant.as_str());
        self.queues.push(task.queue.as_str());
        self.kinds.push(task.kind.as_str());
        self.run_at.push(task.run_at.map(|at| at.0));
        self.priority.push(i16::from(task.priority));
        self.max_attempts.push(i32::try_from(task.max_attempts).unwrap_or(i32::MAX));
        self.timeout.push(millis(task.timeout.0));
        self.total_timeout.push(task.total_timeout.map(|span| millis(span.0)));
        self.expires_in.push(task.expires_in.map(|span| millis(span.0)));
        self.on_failure.push(failure_number(task.on_parent_failure));
        self.groups.push(task.group);
        self.specs.push(Spec::of(task).map(|spec| serde_json::to_string(&spec)).transpose()?);
        self.payloads.push(task.payload.as_bytes());
        Ok(())
    }

    /// Whether they differ in nothing that [`ACCEPT_ALIKE`] takes once.
    fn are_alike(&self) -> bool {
        fn all<T: PartialEq>(values: &[T]) -> bool {
            values.iter().all(|value| *value == values[0])
        }
        fn none<T>(values: &[Option<T>]) -> bool {
            values.iter().all(Option::is_none)
        }
        all(&self.tenants)
            && all(&self.queues)
            && all(&self.kinds)
            && all(&self.priority)
            && all(&self.max_attempts)
            && all(&self.timeout)
            && all(&self.on_failure)
            && none(&self.run_at)
            && none(&self.total_timeout)
            && none(&self.expires_in)
            && none(&self.groups)
            && self.places.iter().all(Option::is_some)
    }

    /// The values of [`ACCEPT_ALIKE`], of at least one task.
    fn values_of_one(&self, now: &'t i64) -> [&(dyn ToSql + Sync); 12] {
        [
            now,
            &self.tenants[0],
            &self.queues[0],
            &self.kinds[0],
            &self.priority[0],
            &self.max_attempts[0],
            &self.timeout[0],
            &self.on_failure[0],
            &self.ids,
            &self.specs,
            &self.payloads,
            &self.places,
        ]
    }

    fn values(&self, now: &'t i64) -> [&(dyn ToSql + Sync); 16] {
        [
            now,
            &self.ids,
            &self.tenants,
            &self.queues,
            &self.kinds,
            &self.run_at,
            &self.priority,
            &self.max_attempts,
            &self.timeout,
            &self.total_timeout,
            &self.expires_in,
            &self.on_failure,
            &self.groups,
            &self.specs,
            &self.payloads,
            &self.places,
        ]
    }
}

/// Accepts plain tasks by one statement, which commits itself.
pub(crate) async fn plain_accepts(
    link: &Link,
    base: &Base,
    tasks: &[&NewTask],
) -> Result<Vec<Result<Accepted, Refused>>, Trouble> {
    let now = base.clock.now();
    let columns = Columns::of(tasks)?;
    let written = async {
        if !tasks.is_empty() && columns.are_alike() {
            let statement = link.prepared(ACCEPT_ALIKE).await?;
            let (count, bytes) = weight_of(tasks);
            let mut values = columns.values_of_one(&now.0).to_vec();
            let counts: [&(dyn ToSql + Sync); 2] = [&count, &bytes];
            values.extend(counts);
            match link.client().execute(&statement, &values).await {
                Ok(0) => {} // the queue is carried: there are marks to be made
                done => return Ok::<_, Trouble>(done.map(drop)),
            }
        }
        let statement = link.prepared(ACCEPT_NEW).await?;
        let counts = counts_of(tasks, now);
        let mut values = columns.values(&now.0).to_vec();
        values.extend(counts.values());
        Ok(link.client().execute(&statement, &values).await.map(drop))
    };
    if !taken_apart(Line::Ours(link), tasks).await?.is_empty() {
        return accept_in_one(link, base, now, tasks).await;
    }
    match written.await? {
        Ok(()) => Ok(tasks
            .iter()
            .map(|task| Ok(accepted(task, now, base, state_of(task, now))))
            .collect()),
        // An id is taken, or a place: nothing was done, and now it is asked which.
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            accept_in_one(link, base, now, tasks).await
        }
        Err(error) => Err(Trouble::of_commit(&error)),
    }
}

/// As [`accept_at_once`], in a transaction of its own.
async fn accept_in_one(
    link: &Link,
    base: &Base,
    now: Timestamp,
    tasks: &[&NewTask],
) -> Result<Vec<Result<Accepted, Refused>>, Trouble> {
    link.client().batch_execute("BEGIN").await?;
    let accepted = accept_at_once(Line::Ours(link), base, now, tasks).await?;
    let committed = link.client().batch_execute("COMMIT").await;
    committed.map_err(|error| Trouble::of_commit(&error))?;
    Ok(accepted)
}

/// Which of the chosen ids that carry a place are taken by rows that lie apart from it: no other index tells.
async fn taken_apart(line: Line<'_>, tasks: &[&NewTask]) -> Result<HashSet<uuid::Uuid>, Trouble> {
    let may_be = |task: &&&NewTask| task.id_is_chosen && own_place(task.id).is_some();
    let ids: Vec<uuid::Uuid> = tasks.iter().filter(may_be).map(|task| task.id.0).collect();
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let sql = concat!("SELECT id FROM tasks WHERE id = ANY($1) AND ", apart!());
    ids_of(&line.query(sql, &[&ids], false).await?)
}

/// Which of the ids of these tasks are taken.
async fn taken_of(line: Line<'_>, tasks: &[&NewTask]) -> Result<HashSet<uuid::Uuid>, Trouble> {
    if tasks.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
    let (ids, places) = own_places(&ids);
    let sql = concat!("SELECT id FROM tasks WHERE seq IN (", find_by_ids!(), ")");
    ids_of(&line.query(sql, &[&ids, &places], false).await?)
}

/// What new tasks add to the counters. Those of one sort mostly follow each other, so they are added up before they are
/// looked up.
fn counts_of(tasks: &[&NewTask], now: Timestamp) -> marks::Columns {
    let mut marks = Marks::default();
    let is_like = |a: &&NewTask, b: &&NewTask| {
        a.kind == b.kind
            && a.queue == b.queue
            && a.tenant == b.tenant
            && state_of(a, now) == state_of(b, now)
    };
    for run in tasks.chunk_by(is_like) {
        let (sort, state) = (Sort::of(run[0]), state_of(run[0], now));
        let (n, bytes) = weight_of(run);
        marks.count(&sort, state as u8, n);
        marks.weigh(&sort, state as u8, bytes);
        marks.count_ready(&sort, u8::from(state == State::Pending), n);
    }
    marks.take()
}

/// How many tasks, and what they weigh.
fn weight_of(tasks: &[&NewTask]) -> (i64, i64) {
    let bytes: usize = tasks.iter().map(|task| task.payload.as_bytes().len()).sum();
    let signed = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let count = signed(tasks.len());
    (count, signed(bytes).saturating_add(count.saturating_mul(marks::ROW_BYTES)))
}

/// Accepts tasks that need nothing but a row (and whose keys, if they have any, were looked up).
async fn accept_at_once(
    line: Line<'_>,
    base: &Base,
    now: Timestamp,
    tasks: &[&NewTask],
) -> Result<Vec<Result<Accepted, Refused>>, Trouble> {
    let before = taken_apart(line, tasks).await?;
    let free: Vec<&NewTask> =
        tasks.iter().copied().filter(|task| !before.contains(&task.id.0)).collect();
    let columns = Columns::of(&free)?;
    let mut made = ids_of(&line.query(ACCEPT, &columns.values(&now.0), false).await?)?;
    // Of the others either the id is taken, or another task lies where it leads.
    let missed: Vec<&NewTask> =
        free.into_iter().filter(|task| !made.contains(&task.id.0)).collect();
    let taken = taken_of(line, &missed).await?;
    let is_apart = |task: &&NewTask| own_place(task.id).is_some() && !taken.contains(&task.id.0);
    let apart: Vec<&NewTask> = missed.into_iter().filter(is_apart).collect();
    if !apart.is_empty() {
        let mut columns = Columns::of(&apart)?;
        columns.places.fill(None);
        made.extend(ids_of(&line.query(ACCEPT, &columns.values(&now.0), false).await?)?);
    }
    // Of two with one id the first was taken in.
    let answer = |task: &&NewTask| {
        if made.remove(&task.id.0) {
            Ok(accepted(task, now, base, state_of(task, now)))
        } else {
            Err(Refused::IdTaken { existing: task.id })
        }
    };
    Ok(tasks.iter().map(answer).collect())
}

fn ids_of(rows: &[tokio_postgres::Row]) -> Result<HashSet<uuid::Uuid>, Trouble> {
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

impl Desk<'_> {
    /// Accepts tasks in their order; those that follow each other and need no look at others go together.
    pub(crate) async fn accept_all(
        &mut self,
        tasks: &[&NewTask],
    ) -> Result<Vec<Result<Accepted, Refused>>, Trouble> {
        let mut answers = Vec::with_capacity(tasks.len());
        let mut rest = tasks;
        while !rest.is_empty() {
            let mut keys = HashSet::new();
            // A key that comes twice is looked up again behind the first.
            let mut is_new = |task: &NewTask| {
                task.idempotency.as_ref().is_none_or(|key| {
                    keys.insert((task.tenant.clone(), key.route, key.key.clone()))
                })
            };
            let alone = |task: &NewTask| needs_a_row_alone(task) && is_new(task);
            let together = count_while(rest, alone);
            if together < 2 {
                answers.push(self.accept(rest[0]).await?);
                rest = &rest[1..];
                continue;
            }
            let (run, behind) = rest.split_at(together);
            answers.extend(self.accept_run(run).await?);
            rest = behind;
        }
        Ok(answers)
    }

    async fn accept_run(
        &mut self,
        run: &[&NewTask],
    ) -> Result<Vec<Result<Accepted, Refused>>, Trouble> {
        let mut answers = self.replay_all(run).await?;
        let new: Vec<usize> = (0..run.len()).filter(|i| answers[*i].is_none()).collect();
        let tasks: Vec<&NewTask> = new.iter().map(|i| run[*i]).collect();
        if !tasks.is_empty() {
            let made = accept_at_once(self.line, &self.base, self.now, &tasks).await?;
            self.bind_keys(&tasks, &made).await?;
            // They are counted already, so whoever asks how many wait has to ask again.
            self.waiting.clear();
            for (i, made) in new.into_iter().zip(made) {
                if made.is_ok() {
                    self.after.woken.insert(run[i].queue.clone());
                }
                answers[i] = Some(made);
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }
}

fn count_while(tasks: &[&NewTask], mut goes_along: impl FnMut(&NewTask) -> bool) -> usize {
    tasks.iter().take_while(|task| goes_along(task)).count()
}
