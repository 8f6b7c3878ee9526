//! What is logged of an attempt.

use super::ending::{is_failure, word};
use super::{Layer, Next};
use crate::handler::Call;
use longshore_core::Outcome;
use std::pin::Pin;
use std::time::Instant;

/// Logs the start and the end of attempts at debug, failures at warn with their class and code.
/// Neither payloads nor results nor a handler's own messages, which may quote them: those are stored
/// with the task.
#[derive(Debug, Clone, Copy, Default)]
pub struct Logging;

impl Layer for Logging {
    fn call(&self, call: Call, next: Next) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        let task = call.task.clone();
        let began = Instant::now();
        Box::pin(async move {
            let (id, attempt) = (task.lease.id, task.attempt);
            tracing::debug!(task = %id, kind = %task.kind, queue = %task.queue, attempt, "began");
            let outcome = next.run(call).await;
            let took = began.elapsed();
            if is_failure(&outcome) {
                let code = match &outcome {
                    Outcome::Fault(fault) => fault.code.as_deref(),
                    _ => None,
                };
                tracing::warn!(
                    task = %id, kind = %task.kind, queue = %task.queue, attempt,
                    max_attempts = task.max_attempts, class = word(&outcome), code, ?took, "failed"
                );
            } else {
                tracing::debug!(
                    task = %id, kind = %task.kind, queue = %task.queue, attempt,
                    outcome = word(&outcome), ?took, "ended"
                );
            }
            outcome
        })
    }
}
