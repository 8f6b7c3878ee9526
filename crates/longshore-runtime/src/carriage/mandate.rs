//! Tells the store which queues a broker carries, as the configuration has it.
//!
//! Told at the start and after each reload, once; what another server says later holds until then. A server speaks for
//! the queues that it declares alone, unless nobody else uses the store.

use crate::consumer::Context;
use crate::registry::Registry;
use longshore_core::store::{Act, ActKind, Controls, ErrorClass, StoreError};
use longshore_core::{QueueName, TenantName};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause after a failure of the store, doubled up to the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Who acts, as the audit log names it.
const BY: &str = "configuration";

/// Tells the store whenever another registry is in force.
pub(super) async fn run(cx: Arc<Context>, stop: CancellationToken) {
    let mut live = cx.live.watch();
    let mut told: Option<Vec<(QueueName, Option<Arc<str>>)>> = None;
    loop {
        let registry = live.borrow_and_update().registry.clone();
        let wanted = said(&registry);
        if told.as_ref() != Some(&wanted) {
            if stop.run_until_cancelled(tell(&cx, &registry)).await.is_none() {
                return;
            }
            told = Some(wanted);
        }
        match stop.run_until_cancelled(live.changed()).await {
            Some(Ok(())) => {}
            Some(Err(_)) | None => return,
        }
    }
}

fn said(registry: &Registry) -> Vec<(QueueName, Option<Arc<str>>)> {
    registry.carriers().map(|(queue, carrier)| (queue.clone(), carrier.cloned())).collect()
}

/// Tells it until it is heard.
async fn tell(cx: &Context, registry: &Registry) {
    let mut pause = PAUSE.0;
    while let Err(error) = try_tell(cx, registry).await {
        if error.class() == ErrorClass::Final {
            return std::future::pending().await;
        }
        tracing::warn!(%error, "who carries queues could not be told; it is tried again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE.1);
    }
}

async fn try_tell(cx: &Context, registry: &Registry) -> Result<(), StoreError> {
    let before = cx.store.controls().await?;
    let acts = acts(registry, &before, cx.store.is_shared());
    if acts.is_empty() {
        return Ok(());
    }
    for act in &acts {
        if let ActKind::Carry { queue, carrier } = &act.what {
            let (carrier, before) = (carrier.as_deref(), before.carriers.get(queue));
            tracing::info!(%queue, carrier, before, "who carries a queue has changed");
        }
    }
    cx.store.act(acts).await?;
    cx.live.refresh(&*cx.store).await.map(drop)
}

/// What has to be changed.
fn acts(registry: &Registry, now: &Controls, is_shared: bool) -> Vec<Act> {
    let declared = registry.carriers().map(|(queue, carrier)| (queue, carrier.map(|name| &**name)));
    let unknown = now.carriers.keys().filter(|queue| !is_shared && !registry.declares(queue));
    let wanted = declared.chain(unknown.map(|queue| (queue, None)));
    let changed = wanted
        .filter(|(queue, carrier)| now.carriers.get(*queue).map(String::as_str) != *carrier)
        .map(|(queue, carrier)| ActKind::Carry {
            queue: queue.clone(),
            carrier: carrier.map(str::to_owned),
        });
    let act = |what| Act { by: BY.to_owned(), tenant: TenantName::default(), what };
    changed.map(act).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &str) -> QueueName {
        QueueName::new(name).unwrap()
    }

    fn changes(said: &[(&str, Option<&str>)], is_shared: bool) -> Vec<(String, Option<String>)> {
        let mut registry = Registry::default();
        for (name, carrier) in said {
            registry.carry(queue(name), carrier.map(Arc::from));
        }
        let stands = [("kept", "main"), ("taken", "main"), ("foreign", "main")];
        let carriers = stands.map(|(name, carrier)| (queue(name), carrier.to_owned())).into();
        let now = Controls { carriers, ..Controls::default() };
        let acts = acts(&registry, &now, is_shared).into_iter();
        let change = |act: Act| match act.what {
            ActKind::Carry { queue, carrier } => (queue.to_string(), carrier),
            other => panic!("{other:?}"),
        };
        acts.map(change).collect()
    }

    #[test]
    fn only_what_has_changed_is_told() {
        let said =
            [("kept", Some("main")), ("new", Some("main")), ("taken", None), ("plain", None)];
        let expected = [("new".to_owned(), Some("main".to_owned())), ("taken".to_owned(), None)];
        assert_eq!(changes(&said, true), expected, "others may have declared the third");
    }

    #[test]
    fn what_nobody_declares_goes_back_to_a_store_that_is_ours_alone() {
        let said = [("kept", Some("other"))];
        let expected = [
            ("kept".to_owned(), Some("other".to_owned())),
            ("foreign".to_owned(), None),
            ("taken".to_owned(), None),
        ];
        assert_eq!(changes(&said, false), expected);
    }
}
