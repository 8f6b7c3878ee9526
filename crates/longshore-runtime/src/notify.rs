//! Telling those who wait that a run has ended. Views only: the truth is stored.

use longshore_core::store::Store;
use longshore_core::{Event, State, Task, TaskId, TenantName, store};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

type Waiters = HashMap<TaskId, Vec<oneshot::Sender<State>>>;

/// Pauses between two looks at a task that may end elsewhere: the first, and the longest.
const LOOK: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// Shards, so that recording and waiting rarely meet at one lock.
const SHARDS: usize = 16;

/// Where ends are told and waited for.
#[derive(Debug)]
pub struct Hub {
    shards: [Mutex<Waiters>; SHARDS],
}

impl Default for Hub {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl Hub {
    fn shard(&self, id: TaskId) -> std::sync::MutexGuard<'_, Waiters> {
        let last = id.0.as_bytes()[15];
        self.shards[usize::from(last) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells that a task has come to a state. Only ends are waited for.
    pub fn emit(&self, id: TaskId, state: State) {
        if !state.is_end() {
            return;
        }
        let waiters = self.shard(id).remove(&id);
        for waiter in waiters.into_iter().flatten() {
            // Whoever stopped waiting does not care.
            let _ = waiter.send(state);
        }
    }

    /// Tells of each of these.
    pub fn emit_all(&self, events: &[Event]) {
        for event in events {
            self.emit(event.task, event.state);
        }
    }

    /// Begins to wait for the end of a task. Ask for this *before* looking at the task, so
    /// that an end in between is not missed.
    pub fn watch(self: &Arc<Self>, id: TaskId) -> Watch {
        let (tell, told) = oneshot::channel();
        self.shard(id).entry(id).or_default().push(tell);
        Watch { id, told, hub: self.clone() }
    }

    /// Returns the task once its run has ended, or as it is when the time is up.
    pub async fn wait(
        self: &Arc<Self>,
        store: &dyn Store,
        tenant: TenantName,
        id: TaskId,
        at_most: Duration,
    ) -> store::Result<Option<Task>> {
        let watch = self.watch(id);
        match store.get(tenant.clone(), id).await? {
            Some(task) if !task.state.is_end() => {}
            found => return Ok(found),
        }
        if store.is_shared() {
            return Self::look(store, tenant, id, at_most, watch).await;
        }
        // Either way the stored task is the answer.
        let _ = tokio::time::timeout(at_most, watch.ended()).await;
        store.get(tenant, id).await
    }

    /// Looks again and again: the end may be told to another server.
    async fn look(
        store: &dyn Store,
        tenant: TenantName,
        id: TaskId,
        at_most: Duration,
        watch: Watch,
    ) -> store::Result<Option<Task>> {
        let until = Instant::now() + at_most;
        let ended = watch.ended();
        tokio::pin!(ended);
        let mut pause = LOOK.0;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let told = tokio::time::timeout(pause.min(left), &mut ended).await.is_ok();
            let found = store.get(tenant.clone(), id).await?;
            let is_over = found.as_ref().is_none_or(|task| task.state.is_end());
            if told || is_over || left.is_zero() {
                return Ok(found);
            }
            pause = (pause * 2).min(LOOK.1);
        }
    }
}

/// Waits for the end of one task; stops waiting when dropped.
#[derive(Debug)]
pub struct Watch {
    id: TaskId,
    told: oneshot::Receiver<State>,
    hub: Arc<Hub>,
}

impl Watch {
    /// Returns the state at the end; nothing if the hub is gone.
    pub async fn ended(mut self) -> Option<State> {
        (&mut self.told).await.ok()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.told.close();
        let mut waiters = self.hub.shard(self.id);
        if let Some(list) = waiters.get_mut(&self.id) {
            list.retain(|waiter| !waiter.is_closed());
            if list.is_empty() {
                waiters.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_who_waits_for_an_end_is_told() {
        let hub = Arc::new(Hub::default());
        let id = TaskId::fresh();
        let (a, b) = (hub.watch(id), hub.watch(id));
        hub.emit(id, State::Retrying);
        hub.emit(id, State::Success);
        assert_eq!(
            (a.ended().await, b.ended().await),
            (Some(State::Success), Some(State::Success))
        );
    }

    #[test]
    fn who_stops_waiting_leaves_nothing_behind() {
        let hub = Arc::new(Hub::default());
        let id = TaskId::fresh();
        drop(hub.watch(id));
        assert!(hub.shard(id).is_empty());
    }
}
