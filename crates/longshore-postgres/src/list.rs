//! Lists: newest first, page by page, in bounded time.
//!
//! A list goes down from the newest in steps, which begin small and grow. Where an index leads to the wanted states, it counts
//! those alone; where it does not, the counters tell when everything is found. When the time is up it
//! answers with what it has, and where to go on. What is stored as JSON is narrowed by the database as text,
//! and judged here: so a row that cannot be read does not spoil the list.

use crate::error::Trouble;
use crate::links::Link;
use crate::tasks::{LISTED, TaskRow, read_error, tags_of};
use longshore_core::State;
use longshore_core::store::{Filter, Page};
use longshore_core::task::{Durability, Seq};
use std::time::{Duration, Instant};
use tokio_postgres::types::ToSql;

/// How long a list looks for more before it answers with what it has.
const SEARCH: Duration = Duration::from_millis(800);

/// Tasks that a step looks at, the first one and a later one.
const STEP: (i64, i64) = (256, 20_000);

/// Reads a page, all of it at one moment.
pub(crate) async fn page(
    link: &mut Link,
    filter: &Filter,
    durability: Durability,
) -> Result<Page, Trouble> {
    link.soil();
    link.client().batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let page = Search::new(link, filter)?.page(durability).await?;
    link.client().batch_execute("COMMIT").await?;
    link.cleanse();
    Ok(page)
}

struct Search<'a> {
    link: &'a Link,
    filter: &'a Filter,
    states: Vec<State>,
    tenant: Option<&'a str>,
    queue: Option<&'a str>,
    kind: Option<&'a str>,
    from: Option<i64>,
    until: Option<i64>,
    /// The tag, and the word of the error, as they stand in JSON.
    tag: Option<String>,
    error: Option<String>,
}

impl<'a> Search<'a> {
    fn new(link: &'a Link, filter: &'a Filter) -> Result<Self, Trouble> {
        let mut states = filter.states.clone();
        states.sort_unstable();
        states.dedup();
        let json = |text: &Option<String>| -> Result<Option<String>, Trouble> {
            Ok(text.as_ref().map(serde_json::to_string).transpose()?)
        };
        Ok(Self {
            link,
            filter,
            states,
            tenant: filter.tenant.as_ref().map(|name| name.as_str()),
            queue: filter.queue.as_ref().map(|name| name.as_str()),
            kind: filter.kind.as_ref().map(|name| name.as_str()),
            from: filter.created.0.map(|at| at.0),
            until: filter.created.1.map(|at| at.0),
            tag: json(&filter.tag)?,
            error: json(&filter.error)?,
        })
    }

    async fn page(&self, durability: Durability) -> Result<Page, Trouble> {
        let began = Instant::now();
        let limit = self.filter.limit;
        let mut below = self.filter.before.map_or(i64::MAX, |seq| seq.0);
        let all = if self.filter.before.is_none() { self.count().await? } else { usize::MAX };
        let mut step = STEP.0;
        let mut found: Vec<TaskRow> = Vec::new();
        let mut page = Page::default();
        // One more than asked for tells whether there is another page.
        while found.len() <= limit && found.len() < all {
            let floor = self.floor(below, step).await?;
            let wanted = limit + 1 - found.len();
            let rows = self.between(floor, below, wanted).await?;
            let is_last = floor.is_none() && rows.len() < wanted;
            below = match rows.last() {
                Some(row) if rows.len() == wanted => row.seq,
                _ => floor.unwrap_or(i64::MIN),
            };
            found.extend(rows.into_iter().filter(|row| self.fits(row)));
            if is_last {
                break;
            }
            step = (step * 8).min(STEP.1);
            if found.len() <= limit && began.elapsed() > SEARCH {
                page.next = Some(Seq(below));
                break;
            }
        }
        if found.len() > limit {
            found.truncate(limit);
            page.next = found.last().map(|row| Seq(row.seq));
        }
        page.items = found.into_iter().map(|row| row.into_task(durability)).collect();
        Ok(page)
    }

    /// Judges what the database cannot.
    fn fits(&self, row: &TaskRow) -> bool {
        let has_tag = |tag: &String| tags_of(row).contains(tag);
        let has_error = |word: &String| {
            row.error.as_deref().and_then(read_error).is_some_and(|error| {
                error.class.as_str() == word || error.code.as_ref() == Some(word)
            })
        };
        self.filter.tag.as_ref().is_none_or(has_tag)
            && self.filter.error.as_ref().is_none_or(has_error)
    }

    /// Returns how many tasks fit, as the counters say.
    async fn count(&self) -> Result<usize, Trouble> {
        let mut sql = String::from("SELECT coalesce(sum(n), 0)::int8 FROM counts WHERE state < 8");
        if !self.states.is_empty() {
            sql.push_str(&format!(" AND state IN ({})", numbers(&self.states)));
        }
        let mut values: Vec<&(dyn ToSql + Sync)> = Vec::new();
        self.narrow(&mut sql, &mut values);
        let rows = self.link.query(&sql, &values).await?;
        let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Whether an index leads to the wanted states.
    fn is_indexed(&self) -> bool {
        let plain = |state| matches!(state, &State::Pending | &State::Running | &State::Success);
        !self.states.is_empty() && !self.states.iter().any(plain)
    }

    /// Returns the place down to which a step of so many tasks goes; nothing if there are not so many.
    async fn floor(&self, below: i64, step: i64) -> Result<Option<i64>, Trouble> {
        let counted = if self.is_indexed() { self.conditions() } else { vec![String::new()] };
        let mut floor = None;
        for condition in counted {
            let sql = format!(
                "SELECT seq FROM tasks WHERE seq < $1{condition} ORDER BY seq DESC OFFSET $2 LIMIT 1"
            );
            let rows = self.link.query(&sql, &[&below, &step]).await?;
            floor = floor.max(rows.first().map(|row| row.try_get(0)).transpose()?);
        }
        Ok(floor)
    }

    /// The wanted states; one after the other where an index leads to each.
    fn conditions(&self) -> Vec<String> {
        match self.states.as_slice() {
            [] => vec![String::new()],
            states if self.is_indexed() => {
                states.iter().map(|state| format!(" AND state = {}", *state as u8)).collect()
            }
            states => vec![format!(" AND state IN ({})", numbers(states))],
        }
    }

    /// Reads at most `limit` of what may fit in `floor..below`, newest first.
    async fn between(
        &self,
        floor: Option<i64>,
        below: i64,
        limit: usize,
    ) -> Result<Vec<TaskRow>, Trouble> {
        let floor = floor.unwrap_or(i64::MIN);
        let limit_sql = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut found = Vec::new();
        for condition in self.conditions() {
            let mut sql =
                format!("SELECT {LISTED} FROM tasks WHERE seq >= $1 AND seq < $2{condition}");
            let mut values: Vec<&(dyn ToSql + Sync)> = vec![&floor, &below, &limit_sql];
            self.narrow(&mut sql, &mut values);
            self.narrow_more(&mut sql, &mut values);
            sql.push_str(" ORDER BY seq DESC LIMIT $3");
            for row in self.link.query(&sql, &values).await? {
                found.push(TaskRow::read(&row)?);
            }
        }
        found.sort_by_key(|row| std::cmp::Reverse(row.seq));
        found.truncate(limit);
        Ok(found)
    }

    /// Adds the conditions that no counter knows.
    fn narrow_more<'v>(&'v self, sql: &mut String, values: &mut Vec<&'v (dyn ToSql + Sync)>) {
        let conditions: [(Option<&(dyn ToSql + Sync)>, &str); 4] = [
            (self.from.as_ref().map(|at| at as _), "created_at >= ?"),
            (self.until.as_ref().map(|at| at as _), "created_at < ?"),
            (self.tag.as_ref().map(|tag| tag as _), "position(?::text in spec) > 0"),
            (self.error.as_ref().map(|error| error as _), "position(?::text in error) > 0"),
        ];
        for (value, condition) in conditions {
            if let Some(value) = value {
                values.push(value);
                let place = format!("${}", values.len());
                sql.push_str(&format!(" AND {}", condition.replace('?', &place)));
            }
        }
    }

    /// Adds the conditions on names.
    fn narrow<'v>(&'v self, sql: &mut String, values: &mut Vec<&'v (dyn ToSql + Sync)>) {
        let names = [("tenant", &self.tenant), ("queue", &self.queue), ("kind", &self.kind)];
        for (column, value) in names {
            if let Some(value) = value {
                values.push(value);
                sql.push_str(&format!(" AND {column} = ${}", values.len()));
            }
        }
    }
}

fn numbers(states: &[State]) -> String {
    states.iter().map(|state| (*state as u8).to_string()).collect::<Vec<_>>().join(",")
}
