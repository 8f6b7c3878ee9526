//! From a verdict to what the broker is told, off the slots.

use super::context::Context;
use crate::telemetry::How;
use longshore_core::broker::{Dead, Delivery, Pause, Settled, Settlement};
use longshore_core::{FaultClass, Outcome, Span, Verdict};
use std::time::{Duration, Instant};

/// Tells the broker, and shows what became of it. What the broker does not take is handed out again.
pub(super) async fn settle(delivery: Delivery, verdict: Verdict, outcome: &Outcome, cx: &Context) {
    let (delivery, how, settlement) = settlement(delivery, verdict, outcome, cx);
    let id = delivery.identity().unwrap_or_default().to_owned();
    let began = Instant::now();
    let settled = delivery.settle(settlement).await;
    let took = began.elapsed();
    let became = match settled {
        Ok(Settled::Done) => how,
        Ok(Settled::Stale) => How::Stale,
        Err(error) => {
            tracing::warn!(
                consumer = cx.name(), id, %error,
                "a message was not settled; it is handed out again"
            );
            How::Failed
        }
    };
    // A lost connection is no reason to go slow once there is another.
    cx.settled(became != How::Failed);
    cx.telemetry.settled(became, took);
}

fn settlement(
    mut delivery: Delivery,
    verdict: Verdict,
    outcome: &Outcome,
    cx: &Context,
) -> (Delivery, How, Settlement) {
    let (how, settlement) = match verdict {
        Verdict::Complete => (How::Ack, Settlement::Ack),
        Verdict::Retry { after } => (How::Retry, Settlement::Retry { after: possible(after, cx) }),
        Verdict::Snooze { after } => {
            let envelope = std::mem::take(&mut delivery.envelope);
            delivery.envelope = envelope.uncounted();
            (How::Retry, Settlement::Retry { after: possible(after, cx) })
        }
        Verdict::Discard(reason) => {
            tracing::debug!(consumer = cx.name(), reason, "a message was thrown away");
            (How::Discard, Settlement::Discard)
        }
        Verdict::Cancel | Verdict::Release => (How::Release, Settlement::Release),
        Verdict::Bury(reason) => {
            let dead = dead(outcome, reason.as_str());
            let class = dead.class.as_str();
            match &cx.policy.dead {
                Some(to) => {
                    tracing::warn!(
                        consumer = cx.name(), id = delivery.identity(), class,
                        reason = reason.as_str(), %to, "a message is buried"
                    );
                    (How::Dead, Settlement::Dead(dead))
                }
                None => {
                    tracing::warn!(
                        consumer = cx.name(),
                        id = delivery.identity(),
                        class,
                        reason = reason.as_str(),
                        "a message has failed, and is thrown away"
                    );
                    (How::Discard, Settlement::Discard)
                }
            }
        }
    };
    (delivery, how, settlement)
}

/// A handler may ask for a longer pause than the broker can keep.
fn possible(after: Duration, cx: &Context) -> Duration {
    match cx.broker.capabilities().retry {
        Some(Pause::Exact { longest }) => after.min(longest),
        _ => after,
    }
}

/// Why a message becomes a dead letter.
fn dead(outcome: &Outcome, why: &str) -> Dead {
    let (class, reason) = match outcome {
        Outcome::Fault(fault) => (fault.class, fault.message.clone()),
        Outcome::Timeout { allowed } => {
            (FaultClass::Timeout, format!("did not end within {}", Span(*allowed)))
        }
        Outcome::Panic(message) => (FaultClass::Panic, message.clone()),
        // Nothing else is buried.
        _ => (FaultClass::Transient, why.to_owned()),
    };
    Dead { class, reason }
}
