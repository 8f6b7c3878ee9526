//! Lists: newest first, page by page, in bounded time.
//!
//! A list goes down from the newest in steps. Where an index leads to the wanted states, steps are
//! large; where it does not, the counters tell when everything is found. When the time is up it
//! answers with what it has, and where to go on. Blocks of another time than the wanted one are passed
//! over (`spans`).

use crate::names::Names;
use crate::spans;
use crate::tasks::{LISTED, TaskRow};
use longshore_core::State;
use longshore_core::store::{Filter, Page};
use longshore_core::task::Seq;
use rusqlite::{Connection, ToSql};
use std::time::{Duration, Instant};

/// How long a list looks for more before it answers with what it has.
const SEARCH: Duration = Duration::from_millis(800);
/// Places that one step looks at when no index helps.
const STEP: i64 = 20_000;

/// Places that one step looks at when an index helps.
const LONGEST_STEP: i64 = 160_000;

/// Reads a page.
pub(crate) fn page(db: &Connection, names: &Names, filter: &Filter) -> rusqlite::Result<Page> {
    let Some(search) = Search::new(db, names, filter) else {
        return Ok(Page::default()); // a name that was never seen has no tasks
    };
    // One view for all steps.
    let view = db.unchecked_transaction()?;
    let page = search.page(names, filter)?;
    view.finish()?;
    Ok(page)
}

struct Search<'a> {
    db: &'a Connection,
    states: Vec<State>,
    tenant: Option<i64>,
    queue: Option<i64>,
    kind: Option<i64>,
    tag: Option<&'a str>,
    from: Option<i64>,
    until: Option<i64>,
    error: Option<&'a str>,
}

type Found = (TaskRow, Option<uuid::Uuid>);

impl<'a> Search<'a> {
    fn new(db: &'a Connection, names: &Names, filter: &'a Filter) -> Option<Self> {
        let known = |name: Option<&str>| match name {
            None => Some(None),
            Some(name) => names.find(name).map(Some),
        };
        Some(Self {
            db,
            states: once_each(&filter.states),
            tenant: known(filter.tenant.as_ref().map(|name| name.as_str()))?,
            queue: known(filter.queue.as_ref().map(|name| name.as_str()))?,
            kind: known(filter.kind.as_ref().map(|name| name.as_str()))?,
            tag: filter.tag.as_deref(),
            from: filter.created.0.map(|at| at.0),
            until: filter.created.1.map(|at| at.0),
            error: filter.error.as_deref(),
        })
    }

    fn page(&self, names: &Names, filter: &Filter) -> rusqlite::Result<Page> {
        let began = Instant::now();
        let mut below = filter.before.map_or(i64::MAX, |seq| seq.0);
        let all = if filter.before.is_none() { self.count()? } else { usize::MAX };
        let mut step = STEP;
        let mut found: Vec<Found> = Vec::new();
        // One more than asked for tells whether there is another page.
        while found.len() <= filter.limit && found.len() < all {
            let Some(top) = self.top(below)? else { return finished(found, names) };
            let passed = self.pass_over(top)?;
            if passed < top {
                below = passed;
                continue;
            }
            let floor = top.saturating_sub(step);
            found.extend(self.between(floor, below, filter.limit + 1 - found.len())?);
            below = floor;
            if self.is_indexed() {
                step = (step * 8).min(LONGEST_STEP);
            }
            if found.len() <= filter.limit && began.elapsed() > SEARCH {
                let mut page = finished(found, names)?;
                page.next = Some(Seq(below));
                return Ok(page);
            }
        }
        let more = found.len() > filter.limit;
        found.truncate(filter.limit);
        let mut page = finished(found, names)?;
        page.next = page.items.last().map(|task| task.seq).filter(|_| more);
        Ok(page)
    }

    /// Returns how many tasks fit, as the counters say.
    fn count(&self) -> rusqlite::Result<usize> {
        let mut sql = String::from("SELECT COALESCE(sum(count), 0) FROM counts WHERE state < 8");
        if !self.states.is_empty() {
            sql.push_str(&format!(" AND state IN ({})", numbers(&self.states)));
        }
        let mut values: Vec<&dyn ToSql> = Vec::new();
        self.narrow(&mut sql, &mut values);
        let mut select = self.db.prepare_cached(&sql)?;
        let count: i64 = select.query_row(values.as_slice(), |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Whether an index leads to the wanted states.
    fn is_indexed(&self) -> bool {
        let plain = |state| matches!(state, &State::Pending | &State::Success);
        !self.states.is_empty() && !self.states.iter().any(plain)
    }

    /// Returns the newest place below which there is anything to look at.
    fn top(&self, below: i64) -> rusqlite::Result<Option<i64>> {
        if !self.is_indexed() {
            let mut select =
                self.db.prepare_cached("SELECT max(seq) + 1 FROM tasks WHERE seq < ?1")?;
            return select.query_row([below], |row| row.get(0));
        }
        let mut top = None;
        for state in &self.states {
            let mut select = self.db.prepare_cached(
                "SELECT max(seq) + 1 FROM tasks INDEXED BY tasks_standing
                 WHERE state = ?1 AND state <> 1 AND state <> 4 AND seq < ?2",
            )?;
            top = top.max(select.query_row((*state as u8, below), |row| row.get(0))?);
        }
        Ok(top)
    }

    /// Returns the place below which there may be something of the wanted time.
    fn pass_over(&self, top: i64) -> rusqlite::Result<i64> {
        if self.from.is_none() && self.until.is_none() {
            return Ok(top);
        }
        spans::pass_over(self.db, top, self.from, self.until)
    }

    /// Reads what fits in `floor..below`, newest first.
    fn between(&self, floor: i64, below: i64, limit: usize) -> rusqlite::Result<Vec<Found>> {
        if !self.is_indexed() {
            let condition = match self.states.as_slice() {
                [] => String::new(),
                states => format!(" AND +state IN ({})", numbers(states)),
            };
            return self.select("tasks NOT INDEXED", &condition, floor, below, limit);
        }
        let mut found = Vec::new();
        for state in &self.states {
            let index = "tasks INDEXED BY tasks_standing";
            let condition = format!(" AND state = {} AND state <> 1 AND state <> 4", *state as u8);
            found.extend(self.select(index, &condition, floor, below, limit)?);
        }
        found.sort_by_key(|(row, _)| std::cmp::Reverse(row.seq));
        found.truncate(limit);
        Ok(found)
    }

    fn select(
        &self,
        from: &str,
        condition: &str,
        floor: i64,
        below: i64,
        limit: usize,
    ) -> rusqlite::Result<Vec<Found>> {
        let mut sql =
            format!("SELECT {LISTED} FROM {from} WHERE seq >= ?1 AND seq < ?2{condition}");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut values: Vec<&dyn ToSql> = vec![&floor, &below, &limit];
        self.narrow(&mut sql, &mut values);
        self.narrow_more(&mut sql, &mut values);
        sql.push_str(" ORDER BY seq DESC LIMIT ?3");
        let mut select = self.db.prepare_cached(&sql)?;
        let rows = select.query_map(values.as_slice(), |row| {
            let group = row.get::<_, Option<[u8; 16]>>(41)?.map(uuid::Uuid::from_bytes);
            Ok((TaskRow::read(row)?, group))
        })?;
        rows.collect()
    }

    /// Adds the conditions that no counter knows. What is stored as JSON is looked into only if
    /// it is JSON: a damaged row does not spoil the list.
    fn narrow_more<'v>(&'v self, sql: &mut String, values: &mut Vec<&'v dyn ToSql>) {
        let conditions: [(Option<&dyn ToSql>, &str); 4] = [
            (self.from.as_ref().map(|at| at as _), "created_at >= ?"),
            (self.until.as_ref().map(|at| at as _), "created_at < ?"),
            (
                self.tag.as_ref().map(|tag| tag as _),
                "CASE WHEN json_valid(spec) THEN
                   EXISTS (SELECT 1 FROM json_each(spec, '$.tags') WHERE value = ?) END",
            ),
            (
                self.error.as_ref().map(|error| error as _),
                "CASE WHEN json_valid(error) THEN
                   ? IN (json_extract(error, '$.class'), json_extract(error, '$.code')) END",
            ),
        ];
        for (value, condition) in conditions {
            if let Some(value) = value {
                values.push(value);
                let place = format!("?{}", values.len());
                sql.push_str(&format!(" AND {}", condition.replace('?', &place)));
            }
        }
    }

    /// Adds the conditions on names.
    fn narrow<'v>(&'v self, sql: &mut String, values: &mut Vec<&'v dyn ToSql>) {
        let names = [("tenant", &self.tenant), ("queue", &self.queue), ("kind", &self.kind)];
        for (column, value) in names {
            if let Some(value) = value {
                values.push(value);
                sql.push_str(&format!(" AND {column} = ?{}", values.len()));
            }
        }
    }
}

/// A state that is asked for twice is listed once.
fn once_each(states: &[State]) -> Vec<State> {
    let mut states = states.to_vec();
    states.sort_unstable();
    states.dedup();
    states
}

fn numbers(states: &[State]) -> String {
    states.iter().map(|state| (*state as u8).to_string()).collect::<Vec<_>>().join(",")
}

fn finished(found: Vec<Found>, names: &Names) -> rusqlite::Result<Page> {
    let mut page = Page::default();
    for (row, group) in found {
        let mut task = row.into_task(names)?;
        task.group = group;
        page.items.push(task);
    }
    Ok(page)
}
