//! What is counted of an attempt.

use super::ending::word;
use super::{Layer, Next};
use crate::handler::Call;
use crate::telemetry::Telemetry;
use longshore_core::Outcome;
use std::pin::Pin;
use std::sync::Arc;

/// Shows how many attempts of a kind or consumer run, and counts how they end. One that is given up and dropped
/// runs no more, and has no outcome.
#[derive(Debug, Clone)]
pub struct Metrics {
    telemetry: Arc<Telemetry>,
}

impl Metrics {
    /// Counts there.
    pub fn new(telemetry: Arc<Telemetry>) -> Self {
        Self { telemetry }
    }
}

impl Layer for Metrics {
    fn call(&self, call: Call, next: Next) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        if let Some(message) = &call.message {
            let running = self.telemetry.consumer(message.consumer()).running();
            return Box::pin(async move {
                let outcome = next.run(call).await;
                running.ended(word(&outcome));
                outcome
            });
        }
        let running = self.telemetry.running(&call.task.queue, &call.task.kind);
        Box::pin(async move {
            let outcome = next.run(call).await;
            running.ended(word(&outcome));
            outcome
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler;
    use crate::layers::stack::tests::{answers, call};
    use crate::layers::{Stack, from_fn};
    use longshore_core::Fault;

    fn line(telemetry: &Telemetry, begin: &str) -> String {
        let text = telemetry.encode();
        text.lines().find(|line| line.starts_with(begin)).unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn an_attempt_is_shown_as_long_as_it_runs() {
        let telemetry = Arc::new(Telemetry::default());
        let endless = from_fn(|_, _| std::future::pending());
        let stack = Stack::default().with(Metrics::new(telemetry.clone())).with(endless);
        let running = stack.wrap(handler::nothing()).call(call());
        let gauge = r#"longshore_attempts_running{queue="mail",kind="work"} "#;
        assert_eq!(line(&telemetry, gauge), format!("{gauge}1"));
        drop(running);
        assert_eq!(line(&telemetry, gauge), format!("{gauge}0"));
    }

    #[tokio::test]
    async fn failures_are_counted_by_class() {
        let telemetry = Arc::new(Telemetry::default());
        let stack = Stack::default().with(Metrics::new(telemetry.clone()));
        stack.wrap(answers(Outcome::Fault(Fault::bad_data("no")))).call(call()).await;
        let counter = r#"longshore_outcomes_total{queue="mail",kind="work",outcome="bad_data"} "#;
        assert_eq!(line(&telemetry, counter), format!("{counter}1"));
    }
}
