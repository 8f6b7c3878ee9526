//! Everything the model knows, and the two things that follow from any change: who is ready now,
//! and what an end means for the children.

use super::offices::Office;
use super::row::{Lane, Mark, Row};
use longshore_core::bucket::Bucket;
use longshore_core::queue::{QueueSettings, Scope};
use longshore_core::readiness::{ParentEnded, Readiness, parent_ended, readiness};
use longshore_core::register::Register;
use longshore_core::retry::BuryReason;
use longshore_core::state::Cause;
use longshore_core::store::{AuditLine, KnownKind, Schedule};
use longshore_core::task::Accepted;
use longshore_core::{Event, KindName, QueueName, State, TaskId, TenantName, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// (tenant, kind, unique key).
pub(super) type UniqueName = (TenantName, KindName, String);

/// (tenant, route, idempotency key).
pub(super) type RequestName = (TenantName, &'static str, String);

/// What a request was answered with.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) fingerprint: [u8; 32],
    pub(super) accepted: Accepted,
    pub(super) at: Timestamp,
}

/// Everything the model knows. Rows are in the order of their `seq`.
#[derive(Debug, Clone, Default)]
pub(super) struct Books {
    pub(super) rows: Vec<Row>,
    pub(super) last_seq: i64,
    pub(super) last_place: i64,
    pub(super) epoch: u32,
    /// Openings in this epoch.
    pub(super) openings: u64,
    pub(super) answers: HashMap<RequestName, Answer>,
    pub(super) holders: HashMap<UniqueName, TaskId>,
    pub(super) paused: HashSet<Scope>,
    pub(super) carried: HashMap<QueueName, String>,
    pub(super) offices: HashMap<String, Office>,
    pub(super) workers: Register,
    /// Kinds that workers run, and when that was last said.
    pub(super) kinds: BTreeMap<KindName, (KnownKind, Timestamp)>,
    pub(super) settings: BTreeMap<QueueName, QueueSettings>,
    /// How fast queues with a rate were handed out.
    pub(super) buckets: HashMap<QueueName, Bucket>,
    pub(super) schedules: BTreeMap<uuid::Uuid, Schedule>,
    /// The audit log, oldest first.
    pub(super) audit: Vec<AuditLine>,
}

impl Books {
    pub(super) fn find(&self, id: TaskId) -> Option<usize> {
        self.rows.iter().position(|row| row.task.id == id)
    }

    pub(super) fn find_of(&self, tenant: &TenantName, id: TaskId) -> Option<usize> {
        self.find(id).filter(|i| self.rows[*i].task.tenant == *tenant)
    }

    pub(super) fn next_place(&mut self) -> i64 {
        self.last_place += 1;
        self.last_place
    }

    pub(super) fn is_paused(&self, row: &Row) -> bool {
        self.paused.contains(&Scope::Queue(row.task.queue.clone()))
            || self.paused.contains(&Scope::Kind(row.task.kind.clone()))
            || self.paused.contains(&Scope::Tenant(row.task.tenant.clone()))
    }

    /// Whether each row's lane is free for it: of those that have not ended, it has the smallest
    /// place.
    fn free_lanes(&self) -> Vec<bool> {
        let mut heads: HashMap<Lane<'_>, i64> = HashMap::new();
        for row in self.rows.iter().filter(|row| !row.task.state.is_end()) {
            if let Some(lane) = row.lane() {
                let head = heads.entry(lane).or_insert(row.place);
                *head = row.place.min(*head);
            }
        }
        let is_head =
            |row: &Row| row.lane().is_none_or(|lane| heads.get(&lane) == Some(&row.place));
        self.rows.iter().map(is_head).collect()
    }

    /// Judges anew who is ready. Called after every change.
    pub(super) fn refresh(&mut self, now: Timestamp) {
        let free_lanes = self.free_lanes();
        for (row, lane_is_free) in self.rows.iter_mut().zip(free_lanes) {
            let waits_for_time = row.due.is_some();
            let judged = if !row.is_waiting() || waits_for_time {
                None
            } else {
                Some(readiness(now, None, row.open_parents.len() as u32, lane_is_free))
            };
            let blocked = match judged {
                Some(Readiness::Blocked(by)) => Some(by),
                _ => None,
            };
            row.ready = judged == Some(Readiness::Ready);
            if row.ready && row.blocked.is_some() {
                row.ready_at = now;
            }
            row.blocked = blocked;
            row.task.blocked_by = blocked.filter(|_| row.task.state == State::Pending);
            let is_carried = self.carried.contains_key(&row.task.queue);
            row.mark = (row.ready && is_carried).then(|| row.mark.unwrap_or(Mark::Fresh));
        }
    }

    /// Those of the parents that have not ended.
    pub(super) fn open_among(&self, parents: &[TaskId]) -> BTreeSet<TaskId> {
        let is_open =
            |id: &&TaskId| self.find(**id).is_some_and(|i| !self.rows[i].task.state.is_end());
        parents.iter().filter(is_open).copied().collect()
    }

    /// Tells the children of what has ended, and theirs, and so on. Returns what ended that way.
    pub(super) fn tell_children(&mut self, mut ended: Vec<TaskId>, now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(parent) = ended.pop() {
            let Some(i) = self.find(parent) else { continue };
            let end = self.rows[i].task.state;
            for child in &mut self.rows {
                if !child.open_parents.remove(&parent) || !child.is_waiting() {
                    continue;
                }
                if judge_parent(child, end, now) {
                    ended.push(child.task.id);
                    events.push(child.event(now));
                }
            }
        }
        events
    }
}

/// Lets a waiting child judge the end of a parent. Returns whether that ended the child.
pub(super) fn judge_parent(child: &mut Row, end: State, now: Timestamp) -> bool {
    match parent_ended(end, child.on_parent_failure) {
        ParentEnded::OneLess => return false,
        ParentEnded::Fail => child.end(Cause::Bury, Some(BuryReason::ParentFailed.as_str()), now),
        ParentEnded::Skip => child.end(Cause::Discard, Some("skipped"), now),
    }
    true
}
