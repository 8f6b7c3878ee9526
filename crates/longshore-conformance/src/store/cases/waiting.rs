//! Claims that wait.

use super::bench::{Bench, job, kind, queue, rest, secs};
use super::case_list;
use longshore_core::attempt::AttemptOutcome;
use longshore_core::queue::Scope;
use longshore_core::store::{Claim, Leased};
use longshore_core::{NewTask, QueueName, Verdict};
use std::time::Duration;

case_list![
    a_claim_that_waits_gets_a_task_accepted_later,
    a_claim_that_waits_gets_what_is_given_back,
    a_claim_that_waits_gets_what_becomes_due,
    a_claim_that_waits_gets_what_a_resume_lets_go,
    a_claim_that_waits_in_vain_answers_with_nothing,
    a_claim_that_waits_is_not_woken_by_other_queues,
    a_dropped_claim_swallows_nothing,
    of_two_waiting_claims_one_gets_the_task,
];

/// Longer than any case takes: who waits this long has missed its task.
const PATIENCE: Duration = Duration::from_secs(20);

/// Parks a claim until it is at rest, does `then`, and returns what the claim got.
async fn parked(t: &Bench, then: impl Future<Output = ()>) -> Vec<Leased> {
    let claim = t.claim_with(Claim { wait: PATIENCE, ..t.request(1) });
    let act = async {
        rest().await;
        then.await;
    };
    let started = std::time::Instant::now();
    let (leased, ()) = tokio::join!(claim, act);
    assert!(started.elapsed() < PATIENCE, "the claim was not woken");
    leased
}

async fn a_claim_that_waits_gets_a_task_accepted_later(t: Bench) {
    let task = job();
    let id = task.id;
    let leased = parked(&t, async {
        t.submit(task).await;
    })
    .await;
    assert_eq!(leased.iter().map(|l| l.lease.id).collect::<Vec<_>>(), [id]);
}

async fn a_claim_that_waits_gets_what_is_given_back(t: Bench) {
    let id = t.submit(job()).await;
    let held = t.claim_one().await;
    let leased = parked(&t, async {
        t.end(&held.lease, Verdict::Release).await;
    })
    .await;
    assert_eq!(leased[0].lease.id, id);
}

async fn a_claim_that_waits_gets_what_becomes_due(t: Bench) {
    let id = t.submit(NewTask { run_at: Some(t.now().after(secs(5))), ..job() }).await;
    let leased = parked(&t, t.pass_and_make_ready(secs(5))).await;
    assert_eq!(leased[0].lease.id, id);
}

async fn a_claim_that_waits_gets_what_a_resume_lets_go(t: Bench) {
    let scope = Scope::Queue(QueueName::default());
    t.pause(scope.clone()).await;
    let id = t.submit(job()).await;
    let leased = parked(&t, t.resume(scope)).await;
    assert_eq!(leased[0].lease.id, id);
}

async fn a_claim_that_waits_in_vain_answers_with_nothing(t: Bench) {
    t.submit(NewTask { kind: kind("unwanted"), ..job() }).await;
    let leased = t.claim_with(Claim { wait: Duration::from_millis(20), ..t.request(1) }).await;
    assert_eq!(leased, []);
}

async fn a_claim_that_waits_is_not_woken_by_other_queues(t: Bench) {
    let mut id = None;
    let leased = parked(&t, async {
        t.submit(NewTask { queue: queue("other"), ..job() }).await;
        t.submit(NewTask { kind: kind("unwanted"), ..job() }).await;
        rest().await;
        id = Some(t.submit(job()).await);
    })
    .await;
    assert_eq!(leased.first().map(|leased| leased.lease.id), id);
}

async fn a_dropped_claim_swallows_nothing(t: Bench) {
    for _ in 0..20 {
        let claim = Box::pin(t.claim_with(Claim { wait: PATIENCE, ..t.request(1) }));
        // Polled, so that it is parked inside the store, then dropped.
        let polled = tokio::time::timeout(Duration::from_millis(1), claim).await;
        assert!(polled.is_err(), "there is nothing to claim");
        let id = t.submit(job()).await;
        let next = t.claim_with(Claim { wait: PATIENCE, ..t.request(1) }).await;
        assert_eq!(next.first().map(|leased| leased.lease.id), Some(id));
        // A question that is on its way to a server cannot be taken back: what it was handed is given back, uncharged.
        let mut outcomes = t.outcomes(id).await;
        outcomes.retain(|outcome| *outcome != Some(AttemptOutcome::Released));
        assert_eq!(outcomes, [None], "opened once");
        t.end(&next[0].lease, Verdict::Complete).await;
    }
}

async fn of_two_waiting_claims_one_gets_the_task(t: Bench) {
    let claim = || Box::pin(t.claim_with(Claim { wait: PATIENCE, ..t.request(5) }));
    let submit = async {
        rest().await;
        t.submit(job()).await;
    };
    let (first, ()) = tokio::join!(futures_util::future::select(claim(), claim()), submit);
    let (got, other) = first.factor_first();
    assert_eq!(got.len(), 1);
    let more = tokio::time::timeout(Duration::from_millis(200), other).await;
    assert!(more.is_err(), "the other one goes on waiting, and got {more:?}");
}
