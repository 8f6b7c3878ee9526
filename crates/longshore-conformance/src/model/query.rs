//! Reading.

use super::row::Row;
use super::store::ModelStore;
use async_trait::async_trait;
use longshore_core::attempt::Attempt;
use longshore_core::store::{Count, Filter, Page, Result, TaskQuery};
use longshore_core::{Task, TaskId, TenantName};
use std::collections::BTreeMap;

#[async_trait]
impl TaskQuery for ModelStore {
    async fn get(&self, tenant: TenantName, id: TaskId) -> Result<Option<Task>> {
        let books = self.books()?;
        Ok(books.find_of(&tenant, id).map(|i| books.rows[i].task.clone()))
    }

    async fn page(&self, filter: Filter) -> Result<Page> {
        let books = self.books()?;
        let mut found = books.rows.iter().rev().filter(|row| fits(row, &filter));
        let items: Vec<Task> = found.by_ref().take(filter.limit).map(listed).collect();
        let next = found.next().and(items.last().map(|task| task.seq));
        Ok(Page { items, next })
    }

    async fn counters(&self) -> Result<Vec<Count>> {
        let mut counts = BTreeMap::new();
        for Row { task, .. } in &self.books()?.rows {
            let sort = (task.tenant.clone(), task.queue.clone(), task.kind.clone(), task.state);
            *counts.entry(sort).or_default() += 1;
        }
        let count =
            |((tenant, queue, kind, state), count)| Count { tenant, queue, kind, state, count };
        Ok(counts.into_iter().map(count).collect())
    }

    async fn attempts(&self, tenant: TenantName, id: TaskId) -> Result<Option<Vec<Attempt>>> {
        let books = self.books()?;
        Ok(books.find_of(&tenant, id).map(|i| books.rows[i].attempts.clone()))
    }
}

fn fits(Row { task, .. }: &Row, filter: &Filter) -> bool {
    filter.tenant.as_ref().is_none_or(|tenant| task.tenant == *tenant)
        && (filter.states.is_empty() || filter.states.contains(&task.state))
        && filter.queue.as_ref().is_none_or(|queue| task.queue == *queue)
        && filter.kind.as_ref().is_none_or(|kind| task.kind == *kind)
        && filter.tag.as_ref().is_none_or(|tag| task.tags.contains(tag))
        && filter.created.0.is_none_or(|from| task.created_at >= from)
        && filter.created.1.is_none_or(|until| task.created_at < until)
        && filter.error.as_ref().is_none_or(|word| has_error(task, word))
        && filter.before.is_none_or(|before| task.seq < before)
}

/// Whether the last error is of that class, or has that code.
fn has_error(task: &Task, word: &str) -> bool {
    task.error
        .as_ref()
        .is_some_and(|error| error.class.as_str() == word || error.code.as_deref() == Some(word))
}

fn listed(row: &Row) -> Task {
    Task { payload: None, result: None, ..row.task.clone() }
}
