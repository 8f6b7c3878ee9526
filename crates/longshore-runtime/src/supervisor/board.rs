//! Where every component stands, in one place that can be watched.

use longshore_core::{Clock, Timestamp};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::watch;

/// What a supervisor runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A component.
    Component,
    /// A hook before the components.
    PreStart,
    /// A hook after they are ready.
    PostStart,
    /// A hook beside them.
    Background,
}

/// Where a component stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentState {
    /// What it needs is not ready yet.
    Waiting,
    /// Its start has begun.
    Starting,
    /// It runs; a hook is done.
    Ready,
    /// It runs and says that it cannot serve.
    Unready,
    /// It failed and is started again after a pause.
    Restarting,
    /// It failed and is not started again.
    Failed,
    /// Its stop has begun.
    Stopping,
    /// Over.
    Stopped,
}

impl ComponentState {
    /// Returns the word for it, the same as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Unready => "unready",
            Self::Restarting => "restarting",
            Self::Failed => "failed",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

/// How one component is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComponentStatus {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Where it stands.
    pub state: ComponentState,
    /// Whether it runs, and everything that it needs too.
    pub ready: bool,
    /// What it needs, directly or not, that is not ready, and the hooks that it waits for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<String>,
    /// Why it says that it cannot serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often it was started again.
    pub restarts: u64,
    /// Why it failed the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Since when it stands there.
    pub since: Timestamp,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) role: Role,
    pub(super) needs: Vec<String>,
    /// Hooks that must be done before it starts, although it does not name them.
    pub(super) gates: Vec<String>,
    /// Whether it was told to stop.
    pub(super) leaving: bool,
    pub(super) state: ComponentState,
    pub(super) reason: Option<String>,
    pub(super) restarts: u64,
    pub(super) last_error: Option<String>,
    pub(super) since: Timestamp,
}

/// All rows, by name, and what follows from them.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows(pub(super) BTreeMap<String, Row>);

impl Rows {
    /// Returns what keeps `name` from being ready: itself, or what it needs.
    fn unready(&self, name: &str) -> Vec<String> {
        let seen = self.walk(name, |row| row.needs.clone());
        seen.into_iter().filter(|seen| !self.is(seen, ComponentState::Ready)).collect()
    }

    /// Returns `name` and everything that lies below it.
    fn walk(&self, name: &str, below: impl Fn(&Row) -> Vec<String>) -> BTreeSet<String> {
        let (mut seen, mut next) = (BTreeSet::new(), vec![name.to_owned()]);
        while let Some(name) = next.pop() {
            if seen.contains(&name) {
                continue;
            }
            if let Some(row) = self.0.get(&name) {
                next.extend(below(row));
            }
            seen.insert(name);
        }
        seen
    }

    fn is(&self, name: &str, state: ComponentState) -> bool {
        self.0.get(name).is_some_and(|row| row.state == state)
    }

    pub(super) fn ready(&self, name: &str) -> bool {
        self.unready(name).is_empty()
    }

    /// Returns whether nothing more is to be expected of it: it runs, or never will as things are.
    pub(super) fn settled(&self, name: &str) -> bool {
        use ComponentState::{Failed, Ready, Unready, Waiting};
        let Some(row) = self.0.get(name) else { return true };
        match row.state {
            Ready | Unready | Failed => true,
            Waiting => {
                let below = self.walk(name, |row| [&row.needs[..], &row.gates].concat());
                below.iter().any(|need| self.is(need, Failed))
            }
            _ => false,
        }
    }

    pub(super) fn all_settled(&self) -> bool {
        self.0.keys().all(|name| self.settled(name))
    }

    pub(super) fn may_start(&self, name: &str) -> bool {
        let Some(row) = self.0.get(name) else { return false };
        let after_all = matches!(row.role, Role::PostStart | Role::Background);
        let mut components = self.0.iter().filter(|(_, row)| row.role == Role::Component);
        if row.needs.is_empty() && after_all {
            return components.all(|(name, _)| self.settled(name));
        }
        row.needs.iter().all(|need| self.ready(need)) && self.shut_gates(row).next().is_none()
    }

    /// Returns the gates of a row that are not open. A hook that is done stays done, whatever becomes
    /// of what it needed.
    fn shut_gates(&self, row: &Row) -> impl Iterator<Item = String> {
        row.gates.iter().filter(|gate| !self.is(gate, ComponentState::Ready)).cloned()
    }

    /// Returns whether everything that stops before `name` has stopped: who needs it, and of all that
    /// was told to stop, hooks before components.
    pub(super) fn may_stop(&self, name: &str) -> bool {
        let Some(row) = self.0.get(name) else { return true };
        let is_hook = row.role != Role::Component;
        self.0.values().filter(|other| other.state != ComponentState::Stopped).all(|other| {
            let other_is_hook = other.role != Role::Component;
            let needs_it = other.needs.iter().any(|need| need == name);
            // A hook does not wait for components, for they wait for it.
            let stops_before = match is_hook {
                true => other_is_hook && needs_it,
                false => needs_it || (other_is_hook && other.leaving),
            };
            !stops_before
        })
    }

    fn statuses(&self) -> Vec<ComponentStatus> {
        self.0.iter().map(|(name, row)| self.status(name, row)).collect()
    }

    fn status(&self, name: &str, row: &Row) -> ComponentStatus {
        let unready = self.unready(name);
        let below = unready.iter().filter(|other| *other != name).cloned();
        let waits_for = match row.state {
            ComponentState::Waiting => below.chain(self.shut_gates(row)).collect(),
            _ => below.collect(),
        };
        ComponentStatus {
            name: name.to_owned(),
            role: row.role,
            state: row.state,
            ready: unready.is_empty(),
            waits_for,
            reason: row.reason.clone(),
            restarts: row.restarts,
            last_error: row.last_error.clone(),
            since: row.since,
        }
    }
}

/// The rows of one supervisor, for those who write them.
#[derive(Debug)]
pub(super) struct Board {
    rows: watch::Sender<Rows>,
    clock: Arc<dyn Clock>,
}

impl Board {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { rows: watch::Sender::new(Rows::default()), clock }
    }

    pub(super) fn add(&self, name: &str, role: Role, needs: Vec<String>, gates: Vec<String>) {
        let row = Row {
            role,
            needs,
            gates,
            leaving: false,
            state: ComponentState::Waiting,
            reason: None,
            restarts: 0,
            last_error: None,
            since: self.clock.now(),
        };
        self.rows.send_modify(|rows| drop(rows.0.insert(name.to_owned(), row)));
    }

    /// Marks those that are told to stop.
    pub(super) fn leave<'a>(&self, names: impl Iterator<Item = &'a String>) {
        self.rows.send_modify(|rows| {
            for name in names {
                if let Some(row) = rows.0.get_mut(name) {
                    row.leaving = true;
                }
            }
        });
    }

    pub(super) fn remove(&self, name: &str) {
        self.rows.send_modify(|rows| drop(rows.0.remove(name)));
    }

    /// Changes a row; whatever `change` does to the state is dated.
    pub(super) fn change(&self, name: &str, change: impl FnOnce(&mut Row)) {
        self.rows.send_modify(|rows| {
            let Some(row) = rows.0.get_mut(name) else { return };
            let before = row.state;
            change(row);
            if row.state != before {
                row.since = self.clock.now();
            }
        });
    }

    pub(super) fn set(&self, name: &str, state: ComponentState) {
        self.change(name, |row| row.state = state);
    }

    /// Returns once `condition` holds.
    pub(super) async fn until(&self, condition: impl FnMut(&Rows) -> bool) {
        // The sender is ours, so this cannot fail.
        let _ = self.rows.subscribe().wait_for(condition).await;
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&Rows) -> T) -> T {
        read(&self.rows.borrow())
    }

    pub(super) fn statuses(&self) -> Statuses {
        Statuses(self.rows.subscribe())
    }
}

/// Where all components stand, for probes and metrics. Keeps nothing running.
#[derive(Debug, Clone)]
pub struct Statuses(watch::Receiver<Rows>);

impl Statuses {
    /// Returns how everything is now, by name.
    pub fn all(&self) -> Vec<ComponentStatus> {
        self.0.borrow().statuses()
    }

    /// Returns how one is now; nothing if there is none of that name.
    pub fn of(&self, name: &str) -> Option<ComponentStatus> {
        let rows = self.0.borrow();
        rows.0.get_key_value(name).map(|(name, row)| rows.status(name, row))
    }

    /// Returns whether that one runs, and everything that it needs too.
    pub fn is_ready(&self, name: &str) -> bool {
        self.0.borrow().ready(name)
    }

    /// Returns once `condition` holds for how everything is; at once with the last state if the
    /// supervisor is gone.
    pub async fn until(
        &self,
        mut condition: impl FnMut(&[ComponentStatus]) -> bool,
    ) -> Vec<ComponentStatus> {
        let mut rows = self.0.clone();
        loop {
            let now = rows.borrow_and_update().statuses();
            if condition(&now) || rows.changed().await.is_err() {
                return now;
            }
        }
    }
}
