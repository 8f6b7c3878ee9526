//! The store's own life.

use super::bench::{Bench, job, rest, tenant};
use super::case_list;
use longshore_core::store::{Claim, StoreError};
use longshore_core::{Payload, TaskId};
use std::time::Duration;

case_list![
    a_store_tells_how_it_is,
    a_store_that_holds_more_says_so,
    a_closed_store_refuses_everything,
    closing_lets_waiting_claims_go,
];

async fn a_store_tells_how_it_is(t: Bench) {
    assert!(!t.store().condition().await.expect("it serves").full);
}

async fn a_store_that_holds_more_says_so(t: Bench) {
    let before = t.store().condition().await.expect("it serves").used_bytes;
    let text = format!("\"{}\"", "x".repeat(100_000));
    for _ in 0..20 {
        t.submit(job().payload(Payload::from_json(text.clone()))).await;
    }
    let after = t.store().condition().await.expect("it serves").used_bytes;
    assert!(after >= before + 1_000_000, "{before} bytes, then {after}");
}

async fn a_closed_store_refuses_everything(t: Bench) {
    let id = t.submit(job()).await;
    let store = t.store();
    store.close().await.expect("closed");
    let closed = |error: StoreError| matches!(error, StoreError::Closed);
    assert!(store.accept(Vec::new()).await.is_err_and(closed));
    assert!(store.get(tenant("default"), id).await.is_err_and(closed));
    assert!(store.claim(t.request(1)).await.is_err_and(closed));
    assert!(store.record(Vec::new()).await.is_err_and(closed));
    assert!(store.rescue().await.is_err_and(closed));
    assert!(store.counters().await.is_err_and(closed));
    assert!(store.condition().await.is_err_and(closed));
    assert!(store.controls().await.is_err_and(closed));
    assert!(store.audit(None, 1).await.is_err_and(closed));
    assert!(store.ages().await.is_err_and(closed));
    assert!(store.acquire("office", "me", Duration::from_secs(1)).await.is_err_and(closed));
    t.reboot().await;
    assert_eq!(t.task(id).await.id, id, "what was there is there");
    let unknown = t.store().get(tenant("default"), TaskId::fresh()).await.expect("it serves");
    assert_eq!(unknown, None);
}

async fn closing_lets_waiting_claims_go(t: Bench) {
    let store = t.store();
    let patience = Duration::from_secs(20);
    let claim = store.claim(Claim { wait: patience, ..t.request(1) });
    let close = async {
        rest().await;
        store.close().await.expect("closed");
    };
    let both = async { tokio::join!(claim, close) };
    let (claimed, ()) =
        tokio::time::timeout(patience / 2, both).await.expect("the claim does not hang");
    assert!(matches!(claimed, Err(StoreError::Closed)), "{claimed:?}");
}
