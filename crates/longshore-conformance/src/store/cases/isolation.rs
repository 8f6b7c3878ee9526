//! Suspects run alone, and nobody waits behind them.

use super::bench::{Bench, job, kind};
use super::case_list;
use longshore_core::attempt::AttemptOutcome;
use longshore_core::store::{Claim, Hold, Leased, Open, Opened, Want};
use longshore_core::{NewTask, State, TaskId, Verdict};

case_list![
    one_suspect_is_held_at_a_time,
    nobody_waits_behind_a_suspect,
    outside_workers_take_suspects_as_anything_else,
    a_suspect_held_outside_keeps_nobody_waiting,
    a_suspect_held_inside_keeps_no_outside_worker_waiting,
    neighbours_of_a_killer_are_not_charged,
    a_second_suspect_cannot_be_opened,
    of_two_suspects_that_are_opened_together_one_is,
    what_runs_outside_is_never_a_suspect,
    a_suspect_whose_handler_runs_outside_is_not_isolated,
    a_cancel_of_what_ran_outside_is_kept_over_a_death,
];

/// Makes suspects of so many tasks: they were in flight at two crashes.
async fn suspects(t: &Bench, count: usize) -> Vec<TaskId> {
    let ids = t.submit_jobs(count).await;
    for _ in 0..2 {
        assert_eq!(t.claim_inside(count).await.len(), count);
        t.reboot().await;
    }
    ids
}

async fn one_suspect_is_held_at_a_time(t: Bench) {
    let ids = suspects(&t, 3).await;
    for id in ids {
        let leased = t.claim_inside(10).await;
        assert_eq!(leased.len(), 1);
        assert_eq!((leased[0].lease.id, leased[0].isolated), (id, true));
        assert_eq!(t.claim_inside(10).await, []);
        t.end(&leased[0].lease, Verdict::Complete).await;
    }
}

async fn nobody_waits_behind_a_suspect(t: Bench) {
    let ids = suspects(&t, 2).await;
    let healthy = t.submit_jobs(2).await;
    let leased = t.claim_inside(3).await;
    let held: Vec<_> = leased.iter().map(|leased| (leased.lease.id, leased.isolated)).collect();
    assert_eq!(held, [(ids[0], true), (healthy[0], false), (healthy[1], false)]);
}

async fn outside_workers_take_suspects_as_anything_else(t: Bench) {
    let ids = suspects(&t, 2).await;
    let leased = t.claim(10).await;
    assert_eq!(leased.iter().map(|leased| leased.lease.id).collect::<Vec<_>>(), ids);
    assert!(leased.iter().all(|leased| !leased.isolated));
}

async fn a_suspect_held_outside_keeps_nobody_waiting(t: Bench) {
    let ids = suspects(&t, 2).await;
    assert_eq!(t.next().await, Some(ids[0]));
    let leased = t.claim_inside(10).await;
    assert_eq!((leased[0].lease.id, leased[0].isolated), (ids[1], true));
}

async fn a_suspect_held_inside_keeps_no_outside_worker_waiting(t: Bench) {
    let ids = suspects(&t, 3).await;
    assert_eq!(t.claim_inside(10).await.len(), 1);
    let leased = t.claim(10).await;
    assert_eq!(leased.iter().map(|leased| leased.lease.id).collect::<Vec<_>>(), ids[1..]);
    assert!(leased.iter().all(|leased| !leased.isolated));
}

async fn neighbours_of_a_killer_are_not_charged(t: Bench) {
    let killer = t.submit(NewTask { kind: kind("a"), ..job() }).await;
    for _ in 0..5 {
        // A neighbour that ends normally now and then; the killer never does.
        let neighbour = t.submit(job()).await;
        let leased = t.claim_inside(10).await;
        assert!(leased.iter().any(|leased| leased.lease.id == killer));
        t.reboot().await;
        assert_eq!(t.task(neighbour).await.charges, 0);
        let only = Want { kinds: [kind("job")].into(), ..t.want("default", 9) };
        let claim = Claim { hold: Hold::Process, wants: vec![only], ..t.request(0) };
        for leased in t.claim_with(claim).await {
            t.end(&leased.lease, Verdict::Complete).await;
        }
    }
    assert_eq!(t.task(killer).await.reason.as_deref(), Some("crash"));
}

async fn a_second_suspect_cannot_be_opened(t: Bench) {
    let ids = suspects(&t, 2).await;
    t.carry("default", Some("broker")).await;
    let Opened::Leased(first) = t.open(ids[0], Hold::Process).await else {
        panic!("the first suspect is opened");
    };
    assert!(first.isolated);
    assert_eq!(t.open(ids[1], Hold::Process).await, Opened::NotReady);
    t.end(&first.lease, Verdict::Complete).await;
    assert!(matches!(t.open(ids[1], Hold::Process).await, Opened::Leased(_)));
}

async fn of_two_suspects_that_are_opened_together_one_is(t: Bench) {
    let ids = suspects(&t, 2).await;
    t.carry("default", Some("broker")).await;
    let opened = t.open_with(Open { hold: Hold::Process, ..t.opening(ids) }).await;
    assert!(matches!(&opened[0], Opened::Leased(first) if first.isolated));
    assert_eq!(opened[1], Opened::NotReady);
}

/// Claims for this process, in which the handlers of kind `job` do not run.
async fn claim_beside(t: &Bench, slots: usize) -> Vec<Leased> {
    let want = Want { outside: [kind("job")].into(), ..t.want("default", slots) };
    t.claim_with(Claim { hold: Hold::Process, wants: vec![want], ..t.request(0) }).await
}

async fn what_runs_outside_is_never_a_suspect(t: Bench) {
    let outside = t.submit(job()).await;
    let inside = t.submit(NewTask { kind: kind("a"), ..job() }).await;
    for _ in 0..5 {
        let leased = claim_beside(&t, 2).await;
        assert_eq!(
            leased.iter().map(|leased| leased.lease.id).collect::<Vec<_>>(),
            [outside, inside]
        );
        assert!(!leased[0].isolated);
        t.reboot().await;
    }
    let task = t.task(outside).await;
    assert_eq!((task.state, task.attempt, task.crashes, task.charges), (State::Pending, 1, 0, 0));
    assert_eq!(t.outcomes(outside).await, [Some(AttemptOutcome::Lost); 5]);
    assert_eq!(t.task(inside).await.reason.as_deref(), Some("crash"));
}

async fn a_suspect_whose_handler_runs_outside_is_not_isolated(t: Bench) {
    let ids = suspects(&t, 3).await;
    t.claim_inside(1).await;
    let leased = claim_beside(&t, 10).await;
    assert_eq!(leased.iter().map(|leased| leased.lease.id).collect::<Vec<_>>(), ids[1..]);
    assert!(leased.iter().all(|leased| !leased.isolated));
    t.carry("default", Some("broker")).await;
    t.end(&leased[0].lease, Verdict::Release).await;
    assert!(
        matches!(t.open(ids[1], Hold::Beside).await, Opened::Leased(opened) if !opened.isolated)
    );
}

async fn a_cancel_of_what_ran_outside_is_kept_over_a_death(t: Bench) {
    let id = t.submit(job()).await;
    claim_beside(&t, 1).await;
    t.cancel(id).await.expect("told");
    t.reboot().await;
    assert_eq!(t.state(id).await, State::Cancelled);
    assert_eq!(t.outcomes(id).await, [Some(AttemptOutcome::Lost)]);
}
