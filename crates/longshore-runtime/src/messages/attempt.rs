//! One delivery of a message, from top to bottom.

use super::context::Context;
use super::settle;
use crate::consumer::{Gone, Handling};
use crate::handler::{Call, Message, Progress};
use crate::layers::ENDING;
use crate::panic::message_of;
use crate::stall;
use futures_util::FutureExt;
use longshore_core::broker::{Delivery, header};
use longshore_core::rule::apply;
use longshore_core::store::{LeaseRef, Leased};
use longshore_core::task::Seq;
use longshore_core::{
    Budget, Fault, FaultClass, Outcome, Payload, TaskId, TenantName, Timestamp, Token, Verdict,
    decide,
};
use sha2::{Digest, Sha256};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

/// How long a handler may go on once its message is given back.
const RELEASE_GRACE: Duration = Duration::from_millis(250);
/// Pause of a message that its handler gave back.
const RELEASED: Duration = Duration::from_secs(1);
/// How much later than a handler's own time it is given up, beyond what its layers need.
const GIVE_UP: Duration = Duration::from_secs(1);

/// Takes a delivery to its end. The broker keeps it until it is settled, so a death of this process at any line
/// makes that it is handed out again. `stop` is cancelled when what still runs is to be given back.
pub(super) async fn run(
    delivery: Delivery,
    slot: OwnedSemaphorePermit,
    cx: Arc<Context>,
    stop: CancellationToken,
) {
    cx.telemetry.received(delivery.redelivered);
    let began = Instant::now();
    let outcome = match kills(&delivery, &cx) {
        Some(fault) => Outcome::Fault(fault),
        None => perform(&delivery, slot, &cx, &stop).await, // its slot is free when the handler has returned
    };
    cx.telemetry.ran(began.elapsed());
    let outcome = apply(&cx.policy.on_error, outcome);
    let verdict = verdict(&outcome, &delivery, &cx);
    settle::settle(delivery, verdict, &outcome, &cx).await; // parked or buried durably before the broker forgets it
}

/// A message that was handed out so often without an end has probably killed whoever had it.
fn kills(delivery: &Delivery, cx: &Context) -> Option<Fault> {
    let hand_out = delivery.hand_out.filter(|hand_out| *hand_out > cx.policy.too_often())?;
    let message = format!("was handed out {hand_out} times without an end");
    Some(Fault::new(FaultClass::Crash, message).fatal())
}

/// Reads the message and calls the handler, on the handlers' threads; a success, a fault, a panic and a timeout are
/// all values.
async fn perform(
    delivery: &Delivery,
    slot: OwnedSemaphorePermit,
    cx: &Arc<Context>,
    stop: &CancellationToken,
) -> Outcome {
    let told = CancellationToken::new();
    let work = {
        let (message, attempt) = (message_of_delivery(delivery, cx), delivery.envelope.attempt());
        let (cx, told) = (cx.clone(), told.clone());
        async move {
            let outcome = match cx.policy.decode.check(message.payload()) {
                Ok(()) => cx.handler.call(call(message, attempt, told, &cx)).await,
                Err(fault) => Outcome::Fault(fault),
            };
            drop(slot);
            outcome
        }
    };
    // Layers see to panics of handlers; this is for those of its parts that panic when they are dropped.
    let mut running = cx.shared.feed.run(AssertUnwindSafe(work).catch_unwind());
    let abort = running.abort_handle();
    let joined = {
        let allowed = cx.policy.timeout.0 + ENDING + GIVE_UP;
        let in_time = stall::within(&cx.shared.stall, allowed, &mut running);
        tokio::pin!(in_time);
        tokio::select! {
            joined = &mut in_time => joined,
            never = hold_on(delivery, cx) => match never {},
            () = stop.cancelled() => {
                told.cancel();
                match tokio::time::timeout(RELEASE_GRACE, in_time).await {
                    Ok(joined) => joined,
                    Err(_) => {
                        abort.abort();
                        return Outcome::Released;
                    }
                }
            }
        }
    };
    let outcome = match joined {
        Ok(Ok(Ok(outcome))) => outcome,
        Ok(Ok(Err(panic))) => {
            Outcome::Panic(message_of(&*panic).unwrap_or("the handler panicked").to_owned())
        }
        // The threads are gone: the process ends.
        Ok(Err(Gone)) => Outcome::Released,
        Err(_) => {
            told.cancel();
            give_up(running, cx);
            Outcome::Timeout { allowed: cx.policy.timeout.0 }
        }
    };
    match outcome {
        // Our own stop is no failure of the message.
        Outcome::Fault(_) | Outcome::Panic(_) | Outcome::Timeout { .. } | Outcome::Cancelled
            if stop.is_cancelled() =>
        {
            Outcome::Released
        }
        // Given back by the handler itself: not to be handed out to it again at once.
        Outcome::Released | Outcome::Cancelled if !stop.is_cancelled() => Outcome::Snooze(RELEASED),
        outcome => outcome,
    }
}

/// Asks the broker for more time for as long as the handler runs, where it takes back what is not settled in time.
async fn hold_on(delivery: &Delivery, cx: &Context) -> std::convert::Infallible {
    let Some(holding) = cx.holding() else { return std::future::pending().await };
    loop {
        tokio::time::sleep(holding).await;
        if let Err(error) = delivery.extend().await {
            tracing::debug!(consumer = cx.name(), %error, "a message was not held on to");
        }
    }
}

/// A handler that does not yield cannot be stopped: its message is settled, its slot stays taken until it returns.
fn give_up(running: Handling<std::thread::Result<Outcome>>, cx: &Arc<Context>) {
    tracing::warn!(
        consumer = cx.name(),
        "a handler does not yield; its message is settled, and its slot stays taken"
    );
    cx.telemetry.stuck(1);
    let cx = cx.clone();
    tokio::spawn(async move {
        let _ = running.await;
        cx.telemetry.stuck(-1);
    });
}

fn message_of_delivery(delivery: &Delivery, cx: &Context) -> Message {
    let names = (cx.label.clone(), cx.broker_name.clone());
    Message::of(delivery, names, cx.policy.decode, cx.policy.parameters.clone())
}

/// Makes the call for the handler: a message has the form of a task that was never stored.
fn call(message: Message, attempt: u32, told: CancellationToken, cx: &Context) -> Call {
    let policy = &cx.policy;
    let now = cx.shared.clock.now();
    let headers = message.headers();
    let created = headers.get(header::CREATED).and_then(Timestamp::parse).unwrap_or(now);
    let pairs = headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let task = Leased {
        lease: LeaseRef { id: id_of(&message), seq: Seq(0), token: Token::from_number(0) },
        kind: policy.name.clone(),
        queue: cx.queue.clone(),
        tenant: TenantName::default(),
        payload: Payload::default(),
        headers: pairs.collect(),
        traceparent: headers
            .get(header::TRACEPARENT)
            .filter(|text| is_traceparent(text))
            .map(str::to_owned),
        run: 1,
        attempt,
        openings: message.hand_out().unwrap_or(1),
        max_attempts: policy.retry.attempts(),
        timeout: policy.timeout,
        total_left: None,
        created_at: created,
        ready_at: created,
        started_at: now,
        expires_at: None,
        handed_out: Instant::now(),
        isolated: false,
        in_lane: false,
    };
    let call = Call::new(Arc::new(task), policy.timeout.0, told, Arc::new(Progress::default()));
    Call { message: Some(message), grace: policy.grace, ..call }
}

/// The same for each hand-out of a message that has an identity.
fn id_of(message: &Message) -> TaskId {
    let Some(identity) = message.identity() else { return TaskId::fresh() };
    identity.parse().unwrap_or_else(|_| {
        let mut digest = Sha256::new();
        digest.update(message.group().map_or("", |group| group.as_str()));
        digest.update([0]);
        digest.update(identity);
        let bytes = digest.finalize();
        let half: [u8; 16] = std::array::from_fn(|at| bytes[at]);
        TaskId(uuid::Builder::from_custom_bytes(half).into_uuid())
    })
}

/// What others publish may call anything so.
fn is_traceparent(text: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    text.len() == 55 && text.starts_with("00-") && text.bytes().all(hex)
}

/// What follows: the same decision as for tasks, by the number of the attempt that the message carries.
fn verdict(outcome: &Outcome, delivery: &Delivery, cx: &Context) -> Verdict {
    let attempt = delivery.envelope.attempt();
    decide(outcome, attempt, &cx.policy.retry, Budget::default(), fastrand::u64(..))
}
