//! What operators have set and done.

use super::books::Books;
use super::store::ModelStore;
use async_trait::async_trait;
use longshore_core::queue::Scope;
use longshore_core::store::{ActKind, AuditLine, Controls, Oversight, QueueAge, Result};
use longshore_core::{Payload, TenantName, Timestamp};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

impl Books {
    /// Tells how the target of an act stands, as the audit log does.
    pub(super) fn shown(&self, tenant: &TenantName, what: &ActKind) -> Option<Payload> {
        let json = match what {
            ActKind::Cancel { id, .. } | ActKind::Reopen { id } | ActKind::Discard { id } => {
                let row = &self.rows[self.find_of(tenant, *id)?];
                serde_json::json!({ "state": row.task.state })
            }
            ActKind::Reprioritise { id, .. } => {
                let row = &self.rows[self.find_of(tenant, *id)?];
                serde_json::json!({ "priority": row.task.priority })
            }
            ActKind::Pause(scope) | ActKind::Resume(scope) => {
                serde_json::json!({ "paused": self.paused.contains(scope) })
            }
            ActKind::Carry { queue, .. } => {
                serde_json::json!({ "carrier": self.carried.get(queue) })
            }
            ActKind::Configure { queue, .. } => {
                let text = serde_json::to_string(self.settings.get(queue)?);
                return Some(Payload::from_json(text.expect("settings are plain")));
            }
            ActKind::Purge(_) | ActKind::Note { .. } => return None,
        };
        Some(Payload::from_json(json.to_string()))
    }

    /// Adds a line to the audit log.
    pub(super) fn note(&mut self, mut line: AuditLine) {
        let before = self.audit.last();
        line.number = before.map_or(1, |before| before.number + 1);
        line.hash = Sha256::digest(line.sealed(before.map(|before| &before.hash))).into();
        self.audit.push(line);
    }

    /// Of each kind, the ready task that goes next; of those, the oldest.
    fn ages(&self) -> Vec<QueueAge> {
        let mut heads = BTreeMap::new();
        for row in self.rows.iter().filter(|row| row.ready) {
            let task = &row.task;
            let suspect = row.crashes.is_suspect();
            let line = (task.tenant.clone(), task.queue.clone(), task.kind.clone(), suspect);
            let (head, count) = heads.entry(line).or_insert((row, 0));
            *count += 1;
            if row.order() < head.order() {
                *head = row;
            }
        }
        let mut oldest: BTreeMap<_, (Timestamp, u64)> = BTreeMap::new();
        for ((tenant, queue, ..), (head, count)) in heads {
            let (since, all) = oldest.entry((tenant, queue)).or_insert((head.ready_at, 0));
            *since = head.ready_at.min(*since);
            *all += count;
        }
        let age = |((tenant, queue), (oldest_ready, ready))| QueueAge {
            tenant,
            queue,
            oldest_ready,
            ready,
        };
        oldest.into_iter().map(age).collect()
    }
}

#[async_trait]
impl Oversight for ModelStore {
    async fn controls(&self) -> Result<Controls> {
        let books = self.books()?;
        let mut paused: Vec<Scope> = books.paused.iter().cloned().collect();
        paused.sort();
        let carriers =
            books.carried.iter().map(|(queue, carrier)| (queue.clone(), carrier.clone()));
        let carriers = carriers.collect();
        Ok(Controls { paused, queues: books.settings.clone(), carriers })
    }

    async fn audit(&self, before: Option<u64>, limit: usize) -> Result<Vec<AuditLine>> {
        let books = self.books()?;
        let lines = books.audit.iter().rev();
        let older = lines.filter(|line| before.is_none_or(|before| line.number < before));
        Ok(older.take(limit).cloned().collect())
    }

    async fn ages(&self) -> Result<Vec<QueueAge>> {
        Ok(self.books()?.ages())
    }
}
