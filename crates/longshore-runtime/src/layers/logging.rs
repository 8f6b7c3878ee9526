//! What is logged of an attempt.

use super::ending::{is_failure, word};
use super::{Layer, Next};
use crate::handler::{Call, Message};
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
        if let Some(message) = call.message.clone() {
            return Box::pin(of_message(message, call, next));
        }
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

async fn of_message(message: Message, call: Call, next: Next) -> Outcome {
    let (attempt, max_attempts) = (call.task.attempt, call.task.max_attempts);
    let id = message.identity().unwrap_or_default();
    let topic = message.topic().map_or("", |topic| topic.as_str());
    let consumer = message.consumer();
    let began = Instant::now();
    tracing::debug!(id, consumer, topic, attempt, "began");
    let outcome = next.run(call).await;
    let took = began.elapsed();
    if is_failure(&outcome) {
        let code = match &outcome {
            Outcome::Fault(fault) => fault.code.as_deref(),
            _ => None,
        };
        let class = word(&outcome);
        tracing::warn!(id, consumer, topic, attempt, max_attempts, class, code, ?took, "failed");
    } else {
        let outcome = word(&outcome);
        tracing::debug!(id, consumer, topic, attempt, outcome, ?took, "ended");
    }
    outcome
}
