//! Stopping: how long it may take, and what is said of it afterwards.

use serde::{Serialize, Serializer};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// When stopping should be over. It may be moved nearer while somebody waits for it.
#[derive(Debug, Clone)]
pub struct Deadline(watch::Receiver<Option<Instant>>);

impl Deadline {
    /// Makes one that lies so far ahead and is not moved.
    pub fn after(time: Duration) -> Self {
        Self(watch::channel(Instant::now().checked_add(time)).1)
    }

    pub(super) fn new(at: watch::Receiver<Option<Instant>>) -> Self {
        Self(at)
    }

    /// Returns once it has passed.
    pub async fn passed(&self) {
        let mut moved = self.0.clone();
        loop {
            let at = *moved.borrow_and_update();
            let passed = async {
                match at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = passed => return,
                Ok(()) = moved.changed() => {}
            }
        }
    }

    /// Returns what is left until it, as things stand.
    pub fn left(&self) -> Duration {
        let at = *self.0.borrow();
        at.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()))
    }
}

/// How a component stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopOutcome {
    /// As it should.
    Stopped,
    /// It did not end in time and was dropped.
    TimedOut,
    /// It failed or panicked on the way.
    Failed,
}

/// What stopping one component did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComponentStop {
    /// Its name.
    pub name: String,
    /// How long it took, as seconds in JSON.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
    /// How it ended.
    pub outcome: StopOutcome,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was cleaned up.
    pub cleaned: Vec<String>,
    /// Tasks or deliveries that were given back.
    pub given_back: u64,
}

/// What stopping did, in the order in which components ended.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct StopReport {
    /// How long all of it took, as seconds in JSON.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
    /// One line for each that was running.
    pub components: Vec<ComponentStop>,
}

impl StopReport {
    /// Returns whether everything stopped as it should.
    pub fn is_clean(&self) -> bool {
        self.components.iter().all(|one| one.outcome == StopOutcome::Stopped)
    }

    /// Returns the tasks and deliveries that were given back, by all together.
    pub fn given_back(&self) -> u64 {
        self.components.iter().map(|one| one.given_back).sum()
    }

    /// Returns what is said of a component.
    pub fn of(&self, name: &str) -> Option<&ComponentStop> {
        self.components.iter().find(|one| one.name == name)
    }
}

fn seconds<S: Serializer>(took: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64((took.as_secs_f64() * 1_000.0).round() / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_by_machines() {
        let fetch = ComponentStop {
            name: "fetch.mail".into(),
            took: Duration::from_micros(1_250_400),
            outcome: StopOutcome::TimedOut,
            error: None,
            cleaned: vec!["2 links".into()],
            given_back: 3,
        };
        let report = StopReport { took: Duration::from_secs(2), components: vec![fetch] };
        let expected = serde_json::json!({"seconds": 2.0, "components": [{
            "name": "fetch.mail", "seconds": 1.25, "outcome": "timed_out",
            "cleaned": ["2 links"], "given_back": 3,
        }]});
        assert_eq!(serde_json::to_value(report).expect("it is JSON"), expected);
    }

    #[tokio::test]
    async fn a_deadline_that_is_moved_nearer_passes_at_once() {
        let (moves, at) = watch::channel(Some(Instant::now() + Duration::from_secs(3_600)));
        let deadline = Deadline::new(at);
        let passed = deadline.passed();
        moves.send_replace(Some(Instant::now()));
        passed.await;
        assert_eq!(deadline.left(), Duration::ZERO);
    }
}
