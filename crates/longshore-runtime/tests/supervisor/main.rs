//! Components under a supervisor: the order, restarts, hooks, deadlines and reports.

mod changes;
mod hooks;
mod lifecycle;
mod order;
mod restarts;
mod stopping;

use longshore_conformance::ManualClock;
use longshore_runtime::supervisor::{
    Component, ComponentError, ComponentState, Deadline, GiveUp, GraphError, Hook, Life, Pause,
    Policy, Restart, StartError, StopOutcome, Stopped, Supervisor, Task, stress,
};
use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Barrier, Notify, oneshot};

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// What happened, in order.
#[derive(Debug, Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().expect("not poisoned").push(what.into());
    }

    fn read(&self) -> Vec<String> {
        self.0.lock().expect("not poisoned").clone()
    }
}

/// Lets the manual clock go on instead of waiting, and keeps what it was asked for, in seconds.
#[derive(Debug, Clone, Default)]
struct Pauses {
    clock: Arc<ManualClock>,
    asked: Arc<Mutex<Vec<f64>>>,
}

impl Pauses {
    fn seconds(&self) -> Vec<f64> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

impl Pause for Pauses {
    fn pause(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.clock.advance(time);
        self.asked.lock().expect("not poisoned").push(time.as_secs_f64());
        Box::pin(tokio::task::yield_now())
    }
}

/// A component whose every step is noted.
struct Noted {
    name: &'static str,
    needs: Vec<String>,
    diary: Diary,
}

impl Noted {
    fn new(name: &'static str, needs: &[&str], diary: &Diary) -> Self {
        let needs = needs.iter().map(|need| (*need).to_owned()).collect();
        Self { name, needs, diary: diary.clone() }
    }
}

#[async_trait::async_trait]
impl Component for Noted {
    fn name(&self) -> &str {
        self.name
    }

    fn needs(&self) -> &[String] {
        &self.needs
    }

    async fn start(&self, _life: Life) -> Result<(), ComponentError> {
        self.diary.note(format!("start {}", self.name));
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn ready(&self) -> Result<(), ComponentError> {
        self.diary.note(format!("ready {}", self.name));
        Ok(())
    }

    async fn stop(&self, _deadline: Deadline) -> Result<Stopped, ComponentError> {
        tokio::task::yield_now().await;
        self.diary.note(format!("stop {}", self.name));
        Ok(Stopped { cleaned: vec![format!("{}'s desk", self.name)], given_back: 2 })
    }
}

/// Runs until it is told to stop.
fn idle(name: &str) -> Task {
    Task::new(name, |life: Life| async move {
        life.stopping().await;
        Ok(())
    })
}

/// Fails so often, then runs.
fn fails(name: &str, times: u32) -> Task {
    let left = Arc::new(AtomicU32::new(times));
    Task::new(name, move |life: Life| {
        let fail =
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        async move {
            if fail {
                return Err(ComponentError::failed("no route to host"));
            }
            life.stopping().await;
            Ok(())
        }
    })
}

/// A policy that gives up at the first failure and goes on without.
fn degraded() -> Policy {
    Policy { restart: Restart::never(), give_up: GiveUp::Degraded, ..Policy::default() }
}

fn no_grace() -> Policy {
    Policy { grace: Duration::ZERO, ..Policy::default() }
}

fn state(supervisor: &Supervisor, name: &str) -> ComponentState {
    supervisor.statuses().of(name).expect("it is there").state
}

async fn until(supervisor: &Supervisor, name: &str, state: ComponentState) {
    let reached = supervisor.statuses();
    let reached = reached.until(|all| all.iter().any(|one| one.name == name && one.state == state));
    tokio::time::timeout(PATIENCE, reached).await.expect("it comes to that");
}
