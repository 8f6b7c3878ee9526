//! What each verdict makes of a running task.

use super::bench::{Bench, LEASE, error, fate, in_lane, job, retry, secs};
use super::case_list;
use longshore_core::retry::BuryReason;
use longshore_core::store::{Ending, Leased, Recorded, Refused};
use longshore_core::{NewTask, Payload, State, Valid, Verdict};
use std::time::Duration;

case_list![
    a_success_keeps_its_result,
    a_retry_counts_an_attempt_and_waits,
    a_retry_without_pause_is_ready_at_once,
    a_buried_task_keeps_its_error_and_reason,
    a_snooze_costs_no_attempt,
    a_discard_keeps_its_reason,
    a_cancel_ends_cancelled,
    a_release_is_ready_again_and_costs_nothing,
    a_cancel_that_was_asked_wins_over_all_but_a_success,
    a_success_wins_over_a_cancel,
    a_success_wins_over_a_cancel_inside_the_process_even_after_the_grace,
    what_follows_from_an_end_is_accepted_with_it,
    what_follows_may_wait_for_the_end_it_follows_from,
    a_refused_follower_does_not_undo_the_end,
    what_follows_from_one_end_is_seen_by_the_next,
    the_last_error_outlives_a_success,
    ends_of_a_batch_have_each_their_answer,
];

async fn opened(t: &Bench) -> Leased {
    t.submit(job()).await;
    let leased = t.claim_one().await;
    t.pass(secs(2));
    leased
}

fn ending(leased: &Leased, verdict: Verdict) -> Ending {
    Ending { lease: leased.lease, verdict, result: None, error: None, then: Vec::new() }
}

async fn a_success_keeps_its_result(t: Bench) {
    let leased = opened(&t).await;
    let result = Some(Payload::from_json("{\"ok\": 1}"));
    let ended = ending(&leased, Verdict::Complete);
    let recorded = t.record(Ending { result: result.clone(), ..ended }).await;
    let (then, others) = (Vec::new(), Vec::new());
    let state = State::Success;
    assert_eq!(recorded, Recorded::Applied { state, at: t.now(), next_at: None, then, others });
    let task = t.task(leased.lease.id).await;
    assert_eq!((task.state, task.result, task.reason), (State::Success, result, None));
    assert_eq!((task.finished_at, task.attempt), (Some(t.now()), 1));
    assert_eq!((task.token, task.worker.as_deref()), (Some(leased.lease.token), Some("worker-1")));
}

async fn a_retry_counts_an_attempt_and_waits(t: Bench) {
    let leased = opened(&t).await;
    let due = t.now().after(secs(7));
    let failed = Ending { error: Some(error("no")), ..ending(&leased, retry(secs(7))) };
    let recorded = t.record(failed).await;
    let Recorded::Applied { state, at, next_at, .. } = recorded else { panic!("{recorded:?}") };
    assert_eq!((state, at, next_at), (State::Retrying, t.now(), Some(due)));
    let task = t.task(leased.lease.id).await;
    assert_eq!((task.state, task.attempt, task.run_at), (State::Retrying, 2, due));
    assert_eq!((task.error, task.finished_at), (Some(error("no")), None));
    t.pass_and_make_ready(secs(7) - Duration::from_millis(1)).await;
    assert_eq!(t.next().await, None);
    t.pass_and_make_ready(Duration::from_millis(1)).await;
    assert_eq!(t.state(leased.lease.id).await, State::Retrying);
    let again = t.claim_one().await;
    assert_eq!((again.attempt, again.openings, again.ready_at), (2, 2, due));
    assert!(again.lease.token > leased.lease.token);
}

async fn a_retry_without_pause_is_ready_at_once(t: Bench) {
    let leased = opened(&t).await;
    assert_eq!(t.end(&leased.lease, retry(Duration::ZERO)).await, State::Retrying);
    let again = t.claim_one().await;
    assert_eq!((again.attempt, again.ready_at), (2, t.now()));
}

async fn a_buried_task_keeps_its_error_and_reason(t: Bench) {
    for why in [BuryReason::Exhausted, BuryReason::BadData, BuryReason::TotalTimeout] {
        let leased = opened(&t).await;
        assert_eq!(t.end(&leased.lease, Verdict::Bury(why)).await, State::Failed);
        let task = t.task(leased.lease.id).await;
        assert_eq!((task.state, task.reason.as_deref()), (State::Failed, Some(why.as_str())));
        assert_eq!((task.error, task.finished_at), (Some(error("no")), Some(t.now())));
        assert_eq!(task.attempt, 1);
    }
}

async fn a_snooze_costs_no_attempt(t: Bench) {
    let leased = opened(&t).await;
    let due = t.now().after(secs(7));
    let recorded = t.try_end(&leased.lease, Verdict::Snooze { after: secs(7) }).await;
    let Recorded::Applied { state, next_at, .. } = recorded else { panic!("{recorded:?}") };
    assert_eq!((state, next_at), (State::Scheduled, Some(due)));
    let task = t.task(leased.lease.id).await;
    assert_eq!((task.attempt, task.run_at, task.finished_at), (1, due, None));
    t.pass_and_make_ready(secs(8)).await;
    assert_eq!(t.state(leased.lease.id).await, State::Pending);
    let again = t.claim_one().await;
    assert_eq!((again.attempt, again.openings, again.ready_at), (1, 2, due));
}

async fn a_discard_keeps_its_reason(t: Bench) {
    let leased = opened(&t).await;
    t.end(&leased.lease, Verdict::Discard("nobody wants it".to_owned())).await;
    let end = fate(State::Cancelled, "nobody wants it");
    assert_eq!(t.fate(leased.lease.id).await, end);
}

async fn a_cancel_ends_cancelled(t: Bench) {
    let leased = opened(&t).await;
    t.end(&leased.lease, Verdict::Cancel).await;
    assert_eq!(t.fate(leased.lease.id).await, fate(State::Cancelled, "cancelled"));
    assert_eq!(t.task(leased.lease.id).await.finished_at, Some(t.now()));
}

async fn a_release_is_ready_again_and_costs_nothing(t: Bench) {
    let leased = opened(&t).await;
    assert_eq!(t.end(&leased.lease, Verdict::Release).await, State::Pending);
    let task = t.task(leased.lease.id).await;
    assert_eq!((task.attempt, task.crashes, task.error), (1, 0, None));
    let again = t.claim_one().await;
    assert_eq!((again.attempt, again.openings), (1, 2));
}

async fn a_cancel_that_was_asked_wins_over_all_but_a_success(t: Bench) {
    let buried = Verdict::Bury(BuryReason::Exhausted);
    let verdicts = [retry(secs(1)), Verdict::Snooze { after: secs(1) }, Verdict::Release, buried];
    for verdict in verdicts {
        let leased = opened(&t).await;
        t.cancel(leased.lease.id).await.expect("told");
        assert_eq!(t.end(&leased.lease, verdict).await, State::Cancelled);
        assert_eq!(t.fate(leased.lease.id).await, fate(State::Cancelled, "cancelled"));
        let attempts = t.attempts(leased.lease.id).await;
        let outcome = longshore_core::attempt::AttemptOutcome::Cancelled;
        assert_eq!((attempts[0].outcome, attempts[0].next_at), (Some(outcome), None));
    }
}

async fn a_success_wins_over_a_cancel(t: Bench) {
    let leased = opened(&t).await;
    t.cancel(leased.lease.id).await.expect("told");
    assert_eq!(t.end(&leased.lease, Verdict::Complete).await, State::Success);
}

async fn a_success_wins_over_a_cancel_inside_the_process_even_after_the_grace(t: Bench) {
    let id = t.submit(job()).await;
    let leased = t.claim_inside(1).await.remove(0);
    t.cancel(id).await.expect("told");
    t.pass(secs(3_600));
    let rescued = t.store().rescue().await.expect("rescue answers");
    assert_eq!((rescued.events.len(), t.state(id).await), (0, State::Running));
    assert_eq!(t.end(&leased.lease, Verdict::Complete).await, State::Success);
}

async fn what_follows_from_an_end_is_accepted_with_it(t: Bench) {
    let leased = opened(&t).await;
    let follower = job();
    let then = vec![Valid::vouch(follower.clone())];
    let recorded = t.record(Ending { then, ..ending(&leased, Verdict::Complete) }).await;
    let Recorded::Applied { then, .. } = recorded else { panic!("{recorded:?}") };
    assert_eq!(then.len(), 1);
    let accepted = then[0].as_ref().expect("accepted");
    assert_eq!((accepted.id, accepted.state), (follower.id, State::Pending));
    assert_eq!(t.next().await, Some(follower.id));
}

async fn what_follows_may_wait_for_the_end_it_follows_from(t: Bench) {
    let leased = opened(&t).await;
    let child = NewTask { after: vec![leased.lease.id], ..job() };
    let then = vec![Valid::vouch(child)];
    let failed = ending(&leased, Verdict::Bury(BuryReason::Exhausted));
    let recorded = t.record(Ending { then, ..failed }).await;
    let Recorded::Applied { then, .. } = recorded else { panic!("{recorded:?}") };
    assert_eq!(then[0].as_ref().map(|accepted| accepted.state), Ok(State::Failed));
}

async fn a_refused_follower_does_not_undo_the_end(t: Bench) {
    let leased = opened(&t).await;
    let existing = leased.lease.id;
    let then = vec![
        Valid::vouch(NewTask { id: existing, id_is_chosen: true, ..job() }),
        Valid::vouch(job()),
    ];
    let recorded = t.record(Ending { then, ..ending(&leased, Verdict::Complete) }).await;
    let Recorded::Applied { state, then, .. } = recorded else { panic!("{recorded:?}") };
    assert_eq!((state, &then[0]), (State::Success, &Err(Refused::IdTaken { existing })));
    assert!(then[1].is_ok());
    assert_eq!(t.state(existing).await, State::Success);
}

async fn what_follows_from_one_end_is_seen_by_the_next(t: Bench) {
    t.submit(job()).await;
    t.submit(in_lane("lane")).await;
    let leased = t.claim(2).await;
    let behind = in_lane("lane");
    let child = NewTask { after: vec![leased[1].lease.id], ..job() };
    let ids = [behind.id, child.id];
    let then = vec![Valid::vouch(behind), Valid::vouch(child)];
    let first = Ending { then, ..ending(&leased[0], Verdict::Complete) };
    let ends = vec![first, ending(&leased[1], Verdict::Complete)];
    t.store().record(ends).await.expect("record answers");
    assert_eq!(t.work_off().await, ids, "neither waits any more");
}

async fn the_last_error_outlives_a_success(t: Bench) {
    let first = opened(&t).await;
    t.end(&first.lease, retry(Duration::ZERO)).await;
    let second = t.claim_one().await;
    t.end(&second.lease, Verdict::Complete).await;
    let task = t.task(second.lease.id).await;
    assert_eq!((task.state, task.error), (State::Success, Some(error("no"))));
}

async fn ends_of_a_batch_have_each_their_answer(t: Bench) {
    t.submit_jobs(3).await;
    let leased = t.claim(3).await;
    t.pass(LEASE / 2);
    let verdicts = [Verdict::Complete, Verdict::Release, Verdict::Cancel];
    let mut ends: Vec<Ending> =
        leased.iter().zip(verdicts).map(|(leased, verdict)| ending(leased, verdict)).collect();
    ends.push(ending(&leased[0], Verdict::Cancel));
    let recorded = t.store().record(ends).await.expect("record answers");
    let states: Vec<_> = recorded
        .iter()
        .map(|recorded| match recorded {
            Recorded::Applied { state, .. } => Some(*state),
            Recorded::Stale => None,
        })
        .collect();
    let expected = [Some(State::Success), Some(State::Pending), Some(State::Cancelled), None];
    assert_eq!(states, expected);
}
