//! What runs in this process right now, by task.

use super::opening::{Asked, Opening};
use crate::tasks::Runners;
use longshore_core::TaskId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Shards, so that starting and ending rarely meet at one lock.
const SHARDS: usize = 16;

/// A wish for a task that is not here yet is kept so long: its hand-out may be on the way.
const EARLY: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct Shard {
    openings: HashMap<TaskId, Arc<Opening>>,
    /// What was asked of tasks whose hand-out has not come here yet, and when.
    early: HashMap<TaskId, (Instant, Asked, Duration)>,
}

/// All openings whose handler has not returned.
#[derive(Debug, Default)]
pub(crate) struct Running {
    shards: [Mutex<Shard>; SHARDS],
    /// Handlers that were given up and have not returned yet.
    stuck: AtomicUsize,
}

impl Running {
    fn shard(&self, id: TaskId) -> MutexGuard<'_, Shard> {
        let last = usize::from(id.0.as_bytes()[15]);
        self.shards[last % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, opening: &Arc<Opening>) {
        let mut shard = self.shard(opening.id());
        shard.openings.insert(opening.id(), opening.clone());
        let early = shard.early.remove(&opening.id());
        drop(shard);
        if let Some((at, why, grace)) = early
            && at.elapsed() < EARLY
        {
            opening.ask(why, grace);
        }
    }

    /// Removes an opening, unless the task was opened anew meanwhile.
    pub(crate) fn remove(&self, opening: &Opening) {
        let mut shard = self.shard(opening.id());
        let token = opening.task.lease.token;
        let there = shard.openings.get(&opening.id());
        if there.is_some_and(|there| there.task.lease.token == token) {
            shard.openings.remove(&opening.id());
        }
    }

    /// Tells the handler of a task to stop, if it runs here or is about to.
    pub(crate) fn ask(&self, id: TaskId, why: Asked, grace: Duration) {
        let mut shard = self.shard(id);
        let found = shard.openings.get(&id).cloned();
        if found.is_none() {
            shard.early.retain(|_, (at, ..)| at.elapsed() < EARLY);
            shard.early.insert(id, (Instant::now(), why, grace));
        }
        drop(shard);
        if let Some(opening) = found {
            opening.ask(why, grace);
        }
    }

    /// Returns everything that runs.
    pub(crate) fn all(&self) -> Vec<Arc<Opening>> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(shard.openings.values().cloned());
        }
        all
    }

    /// Returns how many run.
    pub(crate) fn len(&self) -> usize {
        let count = |shard: &Mutex<Shard>| {
            shard.lock().unwrap_or_else(PoisonError::into_inner).openings.len()
        };
        self.shards.iter().map(count).sum()
    }

    /// A handler cannot be stopped: its slot counts as stuck until it returns.
    pub(crate) fn stick(&self, opening: &Opening) {
        if !opening.stuck.swap(true, Ordering::Relaxed) {
            self.stuck.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A handler has returned; its slot is not stuck any more, if it was.
    pub(crate) fn came_back(&self, opening: &Opening) {
        if opening.stuck.swap(false, Ordering::Relaxed) {
            self.stuck.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Returns how many slots are taken by handlers that were given up.
    pub(crate) fn stuck(&self) -> usize {
        self.stuck.load(Ordering::Relaxed)
    }
}

impl Runners for Running {
    fn cancel(&self, id: TaskId, grace: Duration) {
        self.ask(id, Asked::Cancel, grace);
    }
}
