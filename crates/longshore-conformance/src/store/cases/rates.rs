//! Rates of queues: kept by the store, over all who claim.

use super::bench::{Bench, queue, rest, secs};
use super::case_list;
use longshore_core::queue::Rate;
use longshore_core::store::{Claim, Hold, Leased, Want};
use longshore_core::{NewTask, Verdict};
use std::time::Duration;

case_list![
    a_rate_is_kept_over_all_claims,
    what_is_not_handed_out_is_not_counted,
    a_rate_of_less_than_ten_goes_one_at_a_time,
    a_rate_that_is_set_anew_holds_at_once,
    a_rate_binds_its_queue_alone,
    a_claim_that_waits_gets_what_the_rate_lets_go,
];

fn rate(text: &str) -> Option<Rate> {
    Some(text.parse().expect("a rate"))
}

/// Claims at that rate, held in one way or another.
async fn claim(t: &Bench, text: &str, slots: usize, hold: Hold) -> Vec<Leased> {
    let want = Want { rate: rate(text), ..t.want("default", slots) };
    t.claim_with(Claim { wants: vec![want], hold, ..t.request(slots) }).await
}

/// The same, under a lease.
async fn count(t: &Bench, text: &str, slots: usize) -> usize {
    claim(t, text, slots, Hold::Lease { lasts: None }).await.len()
}

async fn a_rate_is_kept_over_all_claims(t: Bench) {
    t.submit_jobs(100).await;
    assert_eq!(count(&t, "50/s", 3).await, 3);
    assert_eq!(claim(&t, "50/s", 100, Hold::Process).await.len(), 2, "a tenth of a second's");
    assert_eq!(claim(&t, "50/s", 100, Hold::Beside).await.len(), 0);
    t.pass(Duration::from_millis(19));
    assert_eq!(count(&t, "50/s", 100).await, 0);
    t.pass(Duration::from_millis(1));
    assert_eq!(count(&t, "50/s", 100).await, 1);
    t.pass(Duration::from_millis(60));
    assert_eq!(count(&t, "50/s", 2).await, 2);
    assert_eq!(count(&t, "50/s", 100).await, 1);
    t.pass(secs(60));
    assert_eq!(count(&t, "50/s", 100).await, 5, "more does not fit into the bucket");
    let again = t.claim(1).await.remove(0);
    t.end(&again.lease, Verdict::Release).await;
    assert_eq!(count(&t, "50/s", 100).await, 0, "who is given back waits like the others");
}

async fn what_is_not_handed_out_is_not_counted(t: Bench) {
    for _ in 0..20 {
        assert_eq!(count(&t, "50/s", 100).await, 0);
    }
    t.submit_jobs(3).await;
    assert_eq!(count(&t, "50/s", 100).await, 3);
    t.submit_jobs(7).await;
    assert_eq!(count(&t, "50/s", 100).await, 2);
}

async fn a_rate_of_less_than_ten_goes_one_at_a_time(t: Bench) {
    t.submit_jobs(5).await;
    for _ in 0..3 {
        assert_eq!(count(&t, "6/m", 5).await, 1);
        t.pass(Duration::from_millis(9_999));
        assert_eq!(count(&t, "6/m", 5).await, 0);
        t.pass(Duration::from_millis(1));
    }
}

async fn a_rate_that_is_set_anew_holds_at_once(t: Bench) {
    t.submit_jobs(50).await;
    assert_eq!(count(&t, "1/h", 50).await, 1);
    t.pass(secs(1));
    assert_eq!(count(&t, "1/h", 50).await, 0);
    assert_eq!(count(&t, "100/s", 50).await, 10);
    assert_eq!(t.claim(7).await.len(), 7, "without one there is no bound");
    t.pass(secs(1));
    assert_eq!(count(&t, "1/h", 50).await, 0);
}

async fn a_rate_binds_its_queue_alone(t: Bench) {
    t.submit_jobs(5).await;
    for _ in 0..5 {
        t.submit(NewTask { queue: queue("other"), ..super::bench::job() }).await;
    }
    assert_eq!(count(&t, "1/h", 5).await, 1);
    let wants = ["default", "other"].map(|name| Want { rate: rate("1/h"), ..t.want(name, 5) });
    let leased = t.claim_with(Claim { wants: wants.to_vec(), ..t.request(5) }).await;
    assert_eq!(leased.iter().map(|leased| leased.queue.as_str()).collect::<Vec<_>>(), ["other"]);
}

async fn a_claim_that_waits_gets_what_the_rate_lets_go(t: Bench) {
    t.submit_jobs(2).await;
    assert_eq!(count(&t, "5/s", 1).await, 1);
    let want = Want { rate: rate("5/s"), ..t.want("default", 1) };
    let waits = Claim { wants: vec![want], wait: secs(20), ..t.request(1) };
    let pass = async {
        rest().await;
        t.pass(Duration::from_millis(200));
    };
    let began = std::time::Instant::now();
    let (leased, ()) = tokio::join!(t.claim_with(waits), pass);
    assert_eq!(leased.len(), 1);
    assert!(began.elapsed() < secs(10), "it looks again when the rate lets one go");
}
