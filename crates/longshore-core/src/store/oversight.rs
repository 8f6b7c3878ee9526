//! What operators have set and done, and how long tasks wait.

use super::Result;
use crate::queue::{QueueSettings, Scope};
use crate::{Payload, QueueName, TenantName, Timestamp};
use std::collections::BTreeMap;

/// What operators have set through the API, and who carries what; it outlives restarts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Controls {
    /// What is paused, in order, without repetitions.
    pub paused: Vec<Scope>,
    /// What overrides the configuration of queues.
    pub queues: BTreeMap<QueueName, QueueSettings>,
    /// Which broker carries the tasks of a queue; those that the store hands out itself are left out.
    pub carriers: BTreeMap<QueueName, String>,
}

/// One line of the audit log: who did what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// Its number, from 1, without gaps.
    pub number: u64,
    /// When it was done.
    pub at: Timestamp,
    /// Who did it.
    pub by: String,
    /// Whose tasks it was about.
    pub tenant: TenantName,
    /// What was done, in one word ([`ActKind::word`](super::ActKind::word)). Lines of stores of format 1 hold all of it.
    pub act: String,
    /// What it was done to: a task's id, a queue's name, or a [`Scope`].
    pub target: Option<String>,
    /// How that stood before.
    pub before: Option<Payload>,
    /// How it stood afterwards.
    pub after: Option<Payload>,
    /// How many tasks were touched.
    pub count: u64,
    /// SHA-256 over this line and the hash of the one before it: see [`AuditLine::sealed`].
    pub hash: [u8; 32],
}

impl AuditLine {
    /// Returns the bytes whose SHA-256 is this line's hash; `before` is the hash of the line
    /// before, nothing for the first one. A line that was changed, or one that was taken out, is
    /// seen at the next one.
    ///
    /// They are: that hash, then time (RFC 3339), name, tenant and act, each after its length
    /// as eight bytes, little end first. Where there is a target, a before, an after or a count, these
    /// follow: the texts each after a byte that is 1 (and its length) or 0, the count as eight bytes.
    pub fn sealed(&self, before: Option<&[u8; 32]>) -> Vec<u8> {
        let mut bytes = before.map_or_else(Vec::new, |hash| hash.to_vec());
        let text = |bytes: &mut Vec<u8>, text: &str| {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        };
        for part in [&self.at.to_string(), &self.by, self.tenant.as_str(), &self.act] {
            text(&mut bytes, part);
        }
        let parts = [
            self.target.as_deref(),
            self.before.as_ref().map(Payload::as_str),
            self.after.as_ref().map(Payload::as_str),
        ];
        if self.count > 0 || parts.iter().any(Option::is_some) {
            for part in parts {
                bytes.push(u8::from(part.is_some()));
                if let Some(part) = part {
                    text(&mut bytes, part);
                }
            }
            bytes.extend(self.count.to_le_bytes());
        }
        bytes
    }
}

/// Since when a tenant's tasks are ready in a queue, and how many.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueAge {
    /// Whose tasks.
    pub tenant: TenantName,
    /// In which queue.
    pub queue: QueueName,
    /// Since when the oldest of those waits that go next, one for each kind. A task of a lower
    /// priority may wait longer: 30 s for each step.
    pub oldest_ready: Timestamp,
    /// So many are ready.
    pub ready: u64,
}

/// Tells operators what was set and done.
#[async_trait::async_trait]
pub trait Oversight: Send + Sync {
    /// Returns what operators have set.
    async fn controls(&self) -> Result<Controls>;

    /// Returns lines of the audit log, newest first: those before number `before`, at most `limit`.
    async fn audit(&self, before: Option<u64>, limit: usize) -> Result<Vec<AuditLine>>;

    /// Returns since when tasks are ready, by tenant and queue; those with none are left out. What is
    /// paused counts.
    async fn ages(&self) -> Result<Vec<QueueAge>>;
}
