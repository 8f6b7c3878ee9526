//! Waking claims that wait: in other processes by a notification, and in this one by a look at the tables.
//!
//! A notification takes a lock over the whole database server when it is committed, so there is one for
//! many changes, from a connection of its own, outside of all other transactions. It may be lost: the
//! look is what counts, and the notification only makes it early.

use crate::engine::Engine;
use crate::error::told;
use crate::hub::{ALL, STIRRED};
use crate::index::is_ready;
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::{AsyncMessage, Client};

/// Between two looks, while notifications come in, and while they do not.
const LOOKS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(500));
/// A look that somebody else makes may come so much later than the last.
const MARGIN: Duration = Duration::from_millis(250);
/// Changes within this time share a notification.
const GATHER: Duration = Duration::from_millis(5);
/// Before the connection is made anew.
const PAUSE: Duration = Duration::from_secs(2);
/// Longest payload of a notification, with a margin.
const LONGEST: usize = 7_000;

/// Listens and tells until the store is dropped.
pub(crate) async fn run(engine: Arc<Engine>) {
    let mut listening = listen(&engine).await;
    loop {
        if engine.is_closed() {
            return;
        }
        let is_listening = listening.as_ref().is_some_and(|client| !client.is_closed());
        let look = if is_listening { LOOKS.0 } else { LOOKS.1 };
        tokio::select! {
            () = engine.hub.outbound.notified() => {
                tokio::time::sleep(GATHER).await;
                if let Some(client) = &listening {
                    tell(&engine, client).await;
                } else {
                    engine.hub.take_dirty();
                }
            }
            () = tokio::time::sleep(look.mul_f64(0.8 + fastrand::f64() * 0.4)) => {
                // An overview looks as well.
                if !is_listening || !engine.hub.has_looked_within(LOOKS.0 + MARGIN) {
                    look_around(&engine).await;
                }
                if !is_listening {
                    tokio::time::sleep(PAUSE.saturating_sub(look)).await;
                    listening = listen(&engine).await;
                }
            }
        }
    }
}

fn channel(engine: &Engine) -> String {
    format!("longshore_{}", engine.base.schema)
}

/// Makes the connection. What it hears wakes those who wait.
async fn listen(engine: &Arc<Engine>) -> Option<Client> {
    let made = tokio::time::timeout(PAUSE, async {
        let (client, mut connection) = engine.links.own().await?;
        let heard = engine.clone();
        tokio::spawn(async move {
            let mut messages = futures_util::stream::poll_fn(move |cx| connection.poll_message(cx));
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notification(told) = message {
                    hear(&heard, told.payload());
                }
            }
            // It may be that the database is away.
            heard.proof.doubts.notify_one();
        });
        client.batch_execute(&engine.links.setup()).await?;
        client.batch_execute(&format!("LISTEN \"{}\"", channel(engine))).await?;
        Ok::<_, tokio_postgres::Error>(client)
    });
    match made.await {
        Ok(Ok(client)) => Some(client),
        Ok(Err(error)) => {
            tracing::debug!(error = told(&error), "cannot listen to the database");
            None
        }
        Err(_) => None,
    }
}

/// A payload is who tells, and then queues.
fn hear(engine: &Engine, payload: &str) {
    let mut words = payload.split(' ');
    if words.next() == Some(engine.base.epoch().to_string().as_str()) {
        return;
    }
    for queue in words {
        match queue {
            ALL => engine.hub.wake_all(),
            STIRRED => engine.hub.stirred.notify_one(),
            queue => engine.hub.wake(queue),
        }
    }
}

async fn tell(engine: &Engine, client: &Client) {
    let mut payload = engine.base.epoch().to_string();
    for queue in engine.hub.take_dirty() {
        payload.push(' ');
        payload.push_str(&queue);
        if payload.len() > LONGEST {
            payload = format!("{} {ALL} {STIRRED}", engine.base.epoch());
            break;
        }
    }
    let channel = channel(engine);
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&channel, &payload];
    let told = client.execute("SELECT pg_notify($1, $2)", &values);
    // If it is lost, the others look.
    let _ = tokio::time::timeout(PAUSE, told).await;
}

/// Looks whether there is anything for those who wait.
async fn look_around(engine: &Engine) {
    let (queues, kinds) = engine.hub.wanted();
    if queues.is_empty() {
        return;
    }
    let found = tokio::time::timeout(PAUSE, async {
        let link = engine.links.read().await?;
        link.query(
            concat!(
                "SELECT DISTINCT wanted.queue FROM unnest($1::text[], $2::text[]) AS wanted(queue, kind) WHERE ",
                is_ready!("wanted.queue", "wanted.kind")
            ),
            &[&queues, &kinds],
        )
        .await
    });
    if let Ok(Ok(rows)) = found.await {
        engine.hub.wake_found(rows.iter().filter_map(|row| row.try_get(0).ok()));
    }
}
