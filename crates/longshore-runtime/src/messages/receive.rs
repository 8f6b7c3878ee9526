//! Keeps a subscription, and its slots filled.

use super::context::Context;
use super::part::Round;
use super::{Refusal, Standing, attempt};
use crate::supervisor::{ComponentError, Life};
use longshore_core::broker::{
    BrokerClass, BrokerError, DeclareMode, Deliveries, LinkState, Settlement, Subscribed,
    Subscription, Topology, What,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Between two tries to subscribe, doubled up to the longest. A change of the link ends it early.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Between two looks how the subscription is, before it is confirmed and afterwards.
const LOOK: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// How long handlers may go on with what they have from a broker that cannot keep the policy any more.
const SETTLING: Duration = Duration::from_secs(30);
/// How long it may take to get what was handed out already, to give it back.
const LEFT: Duration = Duration::from_millis(10);

/// Why there is no subscription yet.
enum NotYet {
    /// The broker is away, or did not answer.
    Away(String),
    /// Somebody has to change something.
    Refused(Vec<Refusal>),
}

/// Receives until it is told to stop, whatever becomes of the broker.
pub(super) async fn run(cx: Arc<Context>, round: Round, life: Life) -> Result<(), ComponentError> {
    while let Some(mut deliveries) = subscribe(&cx, &life).await {
        let ended = consume(&mut *deliveries, &cx, &round, &life).await;
        if ended == Ended::Stopping {
            give_back(&mut *deliveries, &cx).await;
            // What runs can be settled for as long as the subscription is there.
            round.drained.cancelled().await;
            break;
        }
        if ended == Ended::Refused {
            // Here as well: what runs would be run again elsewhere.
            deliveries.pause().await;
            let _ = timeout(SETTLING, round.settled()).await;
        }
    }
    cx.stand(Standing::Draining);
    Ok(())
}

/// Returns once there is a subscription; nothing if it is told to stop before.
async fn subscribe(cx: &Context, life: &Life) -> Option<Box<dyn Deliveries>> {
    let mut pause = AGAIN.0;
    loop {
        let seen = cx.broker.link().version;
        match try_subscribe(cx).await {
            Ok(deliveries) => return Some(deliveries),
            Err(why) => say(why, cx, life),
        }
        tokio::select! {
            () = stopping(cx, life) => return None,
            _ = cx.broker.link_changed(seen) => pause = AGAIN.0,
            () = sleep(pause) => pause = (pause * 2).min(AGAIN.1),
        }
    }
}

async fn try_subscribe(cx: &Context) -> Result<Box<dyn Deliveries>, NotYet> {
    let link = cx.broker.link().state;
    if let Some(why) = away(&link) {
        return Err(NotYet::Away(why));
    }
    cx.replan().map_err(NotYet::Refused)?;
    let policy = &cx.policy;
    let what = match policy.topology() {
        Some(group) => {
            let what = What::Group(group.name.clone());
            declare(Topology::of(group), cx).await?;
            what
        }
        None => What::All(policy.topics.clone()),
    };
    let consumer = format!("longshore {}", policy.name);
    let subscription = Subscription { what, prefetch: policy.prefetch(), consumer };
    cx.broker.subscribe(&subscription).await.map_err(not_yet)
}

fn away(link: &LinkState) -> Option<String> {
    match link {
        LinkState::Up { .. } | LinkState::Blocked { .. } => None,
        LinkState::Connecting { why: None } => Some("the broker is being connected".to_owned()),
        LinkState::Connecting { why: Some(why) } => {
            Some(format!("the broker cannot be reached: {why}"))
        }
        LinkState::Lost { why, .. } => Some(format!("the broker is away: {why}")),
        LinkState::GivenUp { why } => Some(format!("the broker was given up: {why}")),
        LinkState::Closed => Some("the broker is closed".to_owned()),
    }
}

async fn declare(topology: Topology, cx: &Context) -> Result<(), NotYet> {
    let diff = cx.broker.declare(&topology, cx.declare).await.map_err(not_yet)?;
    for different in &diff.different {
        tracing::warn!(consumer = cx.name(), %different, "is not as declared, and is left as it is");
    }
    if cx.declare == DeclareMode::Verify && !diff.missing.is_empty() {
        let why = format!("not there: {}", diff.missing.join(", "));
        let fix = "create it, or set `declare: declare` for the broker".to_owned();
        return Err(NotYet::Refused(vec![Refusal { key: "topic", why, fix }]));
    }
    Ok(())
}

fn not_yet(error: BrokerError) -> NotYet {
    match error.class() {
        BrokerClass::Temporary => NotYet::Away(error.to_string()),
        BrokerClass::Refused | BrokerClass::Final => {
            let fix = "look at the broker's log, and at its queues and rights".to_owned();
            NotYet::Refused(vec![Refusal { key: "broker", why: error.to_string(), fix }])
        }
    }
}

/// Shows why nothing is received; each reason is told once.
fn say(why: NotYet, cx: &Context, life: &Life) {
    let standing = match why {
        NotYet::Away(why) => Standing::Waiting { why },
        NotYet::Refused(why) => Standing::Refused { why },
    };
    let reason = standing.why().unwrap_or_default();
    life.unready(reason.clone());
    let refused = matches!(standing, Standing::Refused { .. });
    if !cx.stand(standing) {
        return;
    }
    let (consumer, broker) = (cx.name(), &*cx.broker_name);
    if refused {
        tracing::error!(
            consumer,
            broker,
            reason,
            "the consumer is refused; everything else goes on"
        );
    } else {
        tracing::info!(consumer, broker, reason, "the consumer waits");
    }
}

async fn stopping(cx: &Context, life: &Life) {
    tokio::select! {
        () = life.stopping() => {}
        () = cx.shared.fetching.cancelled() => {}
    }
}

#[derive(PartialEq, Eq)]
enum Ended {
    /// The process stops.
    Stopping,
    /// The subscription is over, and another one is to be made.
    Over,
    /// What answers now cannot keep the policy.
    Refused,
}

/// Hands deliveries to handlers. Nothing is taken without a slot for it.
async fn consume(
    deliveries: &mut dyn Deliveries,
    cx: &Arc<Context>,
    round: &Round,
    life: &Life,
) -> Ended {
    let mut paused = cx.paused.subscribe();
    let mut link = cx.broker.link();
    if *paused.borrow_and_update() {
        deliveries.pause().await;
    }
    loop {
        show(deliveries.state(), cx, life);
        if let Some(brake) = cx.brake() {
            tokio::select! {
                () = stopping(cx, life) => return Ended::Stopping,
                () = obeyed(&mut paused, deliveries) => continue,
                () = sleep(brake) => {}
            }
        }
        let slot = tokio::select! {
            biased;
            () = stopping(cx, life) => return Ended::Stopping,
            () = obeyed(&mut paused, deliveries) => continue,
            slot = cx.slots.clone().acquire_owned() => match slot {
                Ok(slot) => slot,
                Err(_) => return Ended::Stopping, // they are never closed
            },
            () = sleep(LOOK.1) => continue,
        };
        let most = 1 + cx.slots.available_permits();
        let look = if deliveries.state() == Subscribed::Confirmed { LOOK.1 } else { LOOK.0 };
        let received = tokio::select! {
            // Nothing is begun once it was stopped or paused.
            biased;
            () = stopping(cx, life) => return Ended::Stopping,
            changed = paused.changed() => {
                let pause = *paused.borrow_and_update();
                if changed.is_ok() {
                    obey(pause, deliveries).await;
                }
                continue;
            }
            changed = cx.broker.link_changed(link.version) => {
                link = changed;
                // Another version may answer now.
                if link.state.is_up() && let Err(why) = cx.replan() {
                    say(NotYet::Refused(why), cx, life);
                    return Ended::Refused;
                }
                continue;
            }
            () = sleep(look) => continue,
            received = deliveries.receive(most) => received,
        };
        if received.is_empty() {
            return Ended::Over;
        }
        let mut slot = Some(slot);
        for delivery in received {
            // Nobody else takes any, so there is one for each.
            let Some(slot) = slot.take().or_else(|| cx.slots.clone().try_acquire_owned().ok())
            else {
                continue; // dropped, it is handed out again
            };
            round.begin(attempt::run(delivery, slot, cx.clone(), round.stop.clone()));
        }
    }
}

/// Returns once it was paused or resumed, and the broker knows.
async fn obeyed(paused: &mut watch::Receiver<bool>, deliveries: &dyn Deliveries) {
    if paused.changed().await.is_err() {
        return std::future::pending().await; // nobody can any more
    }
    let pause = *paused.borrow_and_update();
    obey(pause, deliveries).await;
}

async fn obey(pause: bool, deliveries: &dyn Deliveries) {
    if pause { deliveries.pause().await } else { deliveries.resume().await }
}

/// Shows how the subscription is.
fn show(subscribed: Subscribed, cx: &Context, life: &Life) {
    let standing = match subscribed {
        Subscribed::Confirmed => Standing::Running,
        Subscribed::Paused => Standing::Paused,
        Subscribed::Waiting => {
            Standing::Waiting { why: "the broker has not confirmed it yet".to_owned() }
        }
        Subscribed::Lost { why } => {
            Standing::Waiting { why: format!("the subscription is lost: {why}") }
        }
        Subscribed::Ended => return, // what is received says so
    };
    match standing.why() {
        None => life.ready(),
        Some(why) => life.unready(why),
    }
    let (word, why) = (standing.word(), standing.why());
    let is_fine = standing.is_fine();
    if !cx.stand(standing) {
        return;
    }
    let consumer = cx.name();
    match is_fine {
        true => tracing::info!(consumer, "the consumer is {word}"),
        false => tracing::warn!(consumer, why, "the consumer is {word}"),
    }
}

/// Receives nothing more, and gives back what has come but was not begun.
async fn give_back(deliveries: &mut dyn Deliveries, cx: &Context) {
    cx.stand(Standing::Draining);
    deliveries.pause().await;
    let most = cx.policy.prefetch().get();
    while let Ok(left) = timeout(LEFT, deliveries.receive(most)).await {
        if left.is_empty() {
            return;
        }
        for delivery in left {
            if let Err(error) = delivery.settle(Settlement::Release).await {
                tracing::debug!(consumer = cx.name(), %error, "a message was not given back; it comes back by itself");
            }
        }
    }
}
