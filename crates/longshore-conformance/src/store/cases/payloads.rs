//! Payloads, results and progress are kept byte for byte.

use super::bench::{Bench, job};
use super::case_list;
use longshore_core::store::Ending;
use longshore_core::{NewTask, Payload, Verdict};

case_list![
    payloads_are_kept_byte_for_byte,
    results_are_kept_byte_for_byte,
    progress_is_kept_byte_for_byte,
    large_payloads_outlive_transitions_and_reboots,
    long_texts_around_the_payload_are_kept,
];

/// Texts that do not survive being parsed and written again, or being moved elsewhere for size.
fn texts() -> Vec<Payload> {
    let sizes = [1_000, 1_023, 1_024, 1_025, 4_096, 70_000, 200 * 1_024];
    let long = sizes.map(|size| format!("\"{}\"", "ä€🚢x".repeat(size / 10)));
    let odd = [
        "null",
        "0",
        "\"\"",
        "{}",
        "123456789012345678901234567890123456789012345678901234567890",
        "1.000000000000000000000000000000000000000000001e-400",
        "[1.0, 1, 1e0, -0, -0.0]",
        "{\"b\": 1,\n\t\"a\": 2, \"b\": 3}",
        "  {\"spaced\" : true }  ",
        "\"\\u0000\\ud83d\\ude00\\/\"",
        "\"🚢 ärger 你好 \u{202e}\u{feff}\"",
    ];
    let odd = odd.map(str::to_owned).into_iter();
    odd.chain(long).map(Payload::from_json).collect()
}

/// Compared by bytes: the message of a failure should not hold 200 KiB.
fn assert_same(read: Option<&Payload>, written: &Payload) {
    let read = read.expect("there is one");
    assert!(read.as_bytes() == written.as_bytes(), "{read:?} read for {written:?} written");
}

async fn payloads_are_kept_byte_for_byte(t: Bench) {
    for text in texts() {
        let id = t.submit(job().payload(text.clone())).await;
        assert_same(t.task(id).await.payload.as_ref(), &text);
        let leased = t.claim_one().await;
        assert_same(Some(&leased.payload), &text);
        t.end(&leased.lease, Verdict::Complete).await;
        assert_same(t.task(id).await.payload.as_ref(), &text);
    }
}

async fn results_are_kept_byte_for_byte(t: Bench) {
    for text in texts() {
        let id = t.submit(job()).await;
        let lease = t.claim_one().await.lease;
        let (verdict, result) = (Verdict::Complete, Some(text.clone()));
        t.record(Ending { lease, verdict, result, error: None, then: Vec::new() }).await;
        assert_same(t.task(id).await.result.as_ref(), &text);
    }
}

async fn progress_is_kept_byte_for_byte(t: Bench) {
    let id = t.submit(job()).await;
    let lease = t.claim_one().await.lease;
    for text in texts() {
        t.extend(&lease, Some(text.clone())).await;
        assert_same(t.task(id).await.progress.as_ref(), &text);
    }
}

async fn large_payloads_outlive_transitions_and_reboots(t: Bench) {
    let text = Payload::from_json(format!("\"{}\"", "x".repeat(200 * 1_024)));
    let id = t.submit(job().payload(text.clone())).await;
    for _ in 0..3 {
        let leased = t.claim_inside(1).await.remove(0);
        assert_same(Some(&leased.payload), &text);
        t.end(&leased.lease, super::bench::retry(std::time::Duration::ZERO)).await;
        t.claim_inside(1).await;
        t.reboot().await;
        assert_same(t.task(id).await.payload.as_ref(), &text);
    }
}

async fn long_texts_around_the_payload_are_kept(t: Bench) {
    let long = "🚢".repeat(500);
    let asked = NewTask {
        name: Some("ein Name mit ß".to_owned()),
        tags: (0..20).map(|n| format!("tag-{n}")).collect(),
        headers: (0..20).map(|n| (format!("h{n}"), long.clone())).collect(),
        order_key: Some("lane with 'quotes' and \"more\"; --".to_owned()),
        ..job()
    };
    let id = t.submit(asked.clone()).await;
    t.reboot().await;
    let task = t.task(id).await;
    assert_eq!((task.name, task.tags), (asked.name, asked.tags));
    assert_eq!((task.headers, task.order_key), (asked.headers.clone(), asked.order_key));
    assert_eq!(t.claim_one().await.headers, asked.headers);
}
