//! Queues that a broker carries: marks in the outbox, and opening what came back.

use super::bench::{Bench, in_lane, job, kind, queue, secs, tenant};
use super::case_list;
use longshore_core::attempt::AttemptOutcome;
use longshore_core::queue::Scope;
use longshore_core::store::{Hold, MarkRef, Open, Opened, Relay};
use longshore_core::{NewTask, State, TaskId, Verdict};
use std::time::Duration;

case_list![
    a_carried_queue_is_not_claimed,
    ready_tasks_of_a_carried_queue_are_marked_best_first,
    many_lines_are_merged_by_rank,
    what_was_relayed_is_not_given_again,
    only_what_is_ready_is_marked,
    a_mark_goes_with_its_task,
    what_is_given_back_is_marked_again,
    carrying_an_existing_queue_marks_what_is_ready,
    a_queue_given_back_is_claimed_again_and_has_no_marks,
    carrying_twice_changes_nothing,
    the_outbox_gives_no_more_than_asked,
    a_carried_task_is_opened_once,
    an_opening_that_is_dropped_holds_nothing,
    what_has_ended_or_is_unknown_is_over,
    what_may_not_run_yet_is_not_ready,
    an_envelope_that_came_too_early_is_given_again,
    marks_outlive_a_reboot,
    marks_tell_all_that_relaying_takes,
];

const LEASE: Hold = Hold::Lease { lasts: Some(super::bench::LEASE) };

pub(super) async fn relay_all(t: &Bench) -> Vec<TaskId> {
    let marks = t.marks().await;
    t.relayed(&marks).await;
    marks.iter().map(|mark| mark.id).collect()
}

pub(super) async fn opened(t: &Bench, id: TaskId) -> longshore_core::store::Leased {
    match t.open(id, LEASE).await {
        Opened::Leased(leased) => *leased,
        other => panic!("{other:?} instead of a lease"),
    }
}

async fn a_carried_queue_is_not_claimed(t: Bench) {
    t.carry("default", Some("broker")).await;
    t.submit(job()).await;
    assert_eq!(t.claim(10).await, []);
    assert_eq!(t.claim_inside(10).await, []);
}

async fn ready_tasks_of_a_carried_queue_are_marked_best_first(t: Bench) {
    t.carry("default", Some("broker")).await;
    let low = t.submit(NewTask { priority: 0, ..job() }).await;
    let others = t.submit(NewTask { kind: kind("a"), tenant: tenant("them"), ..job() }).await;
    let high = t.submit(NewTask { priority: 9, ..job() }).await;
    t.submit(NewTask { queue: queue("other"), ..job() }).await;
    assert_eq!(t.outbox().await, [high, others, low]);
    assert_eq!(t.outbox().await, [high, others, low], "until they were relayed");
}

async fn many_lines_are_merged_by_rank(t: Bench) {
    t.carry("default", Some("broker")).await;
    let mut tasks = Vec::new();
    for at in 0..120 {
        let priority = u8::try_from(at * 7 % 10).expect("a digit");
        let of = ["a", "b", "c"][at % 3];
        let id = t.submit(NewTask { kind: kind(of), priority, ..job() }).await;
        tasks.push((9 - priority, at, id));
    }
    tasks.sort_unstable();
    let ids: Vec<TaskId> = tasks.iter().map(|(.., id)| *id).collect();
    assert_eq!(t.outbox().await, ids);
    let first = t.marks().await;
    t.relayed(&first[..50]).await;
    assert_eq!(t.outbox().await, ids[50..]);
}

async fn what_was_relayed_is_not_given_again(t: Bench) {
    t.carry("default", Some("broker")).await;
    let ids = t.submit_jobs(3).await;
    let marks = t.marks().await;
    t.relayed(&marks[1..2]).await;
    assert_eq!(t.outbox().await, [ids[0], ids[2]]);
    relay_all(&t).await;
    assert_eq!(t.outbox().await, []);
}

async fn only_what_is_ready_is_marked(t: Bench) {
    t.carry("default", Some("broker")).await;
    let parent = t.submit(job()).await;
    let child = t.submit(NewTask { after: vec![parent], ..job() }).await;
    let head = t.submit(in_lane("l")).await;
    let second = t.submit(in_lane("l")).await;
    let run_at = Some(t.now().after(secs(5)));
    let scheduled = t.submit(NewTask { run_at, ..job() }).await;
    assert_eq!(relay_all(&t).await, [parent, head]);
    for (id, next) in [(parent, child), (head, second)] {
        let leased = opened(&t, id).await;
        t.end(&leased.lease, Verdict::Complete).await;
        assert_eq!(relay_all(&t).await, [next]);
    }
    t.pass_and_make_ready(secs(5)).await;
    assert_eq!(t.outbox().await, [scheduled]);
}

async fn a_mark_goes_with_its_task(t: Bench) {
    t.carry("default", Some("broker")).await;
    let ids = t.submit_jobs(3).await;
    opened(&t, ids[0]).await;
    t.cancel(ids[1]).await.expect("cancelled");
    assert_eq!(t.outbox().await, [ids[2]]);
}

async fn what_is_given_back_is_marked_again(t: Bench) {
    t.carry("default", Some("broker")).await;
    let id = t.submit(job()).await;
    relay_all(&t).await;
    let leased = opened(&t, id).await;
    t.end(&leased.lease, Verdict::Release).await;
    assert_eq!(relay_all(&t).await, [id]);
    let leased = opened(&t, id).await;
    t.end(&leased.lease, super::bench::retry(secs(5))).await;
    assert_eq!(t.outbox().await, []);
    t.pass_and_make_ready(secs(5)).await;
    assert_eq!(relay_all(&t).await, [id]);
    opened(&t, id).await;
    t.pass(super::bench::LEASE);
    t.store().rescue().await.expect("rescue answers");
    assert_eq!(t.outbox().await, [id]);
}

async fn carrying_an_existing_queue_marks_what_is_ready(t: Bench) {
    let ids = t.submit_jobs(3).await;
    assert_eq!(t.next().await, Some(ids[0]));
    assert_eq!(t.outbox().await, []);
    t.carry("default", Some("broker")).await;
    assert_eq!(t.outbox().await, ids[1..]);
}

async fn a_queue_given_back_is_claimed_again_and_has_no_marks(t: Bench) {
    t.carry("default", Some("broker")).await;
    let ids = t.submit_jobs(2).await;
    let marks = t.marks().await;
    t.relayed(&marks[..1]).await;
    t.carry("default", None).await;
    assert_eq!(t.outbox().await, []);
    t.carry("default", Some("broker")).await;
    assert_eq!(t.outbox().await, ids, "marked anew");
    t.carry("default", None).await;
    assert_eq!(t.all_ready().await, ids);
}

async fn carrying_twice_changes_nothing(t: Bench) {
    t.carry("default", Some("broker")).await;
    t.submit_jobs(2).await;
    relay_all(&t).await;
    t.carry("default", Some("broker")).await;
    assert_eq!(t.outbox().await, []);
    t.carry("other", None).await;
}

async fn the_outbox_gives_no_more_than_asked(t: Bench) {
    t.carry("default", Some("broker")).await;
    let ids = t.submit_jobs(5).await;
    let few = t.outbox_with(Relay { limit: 2, ..t.relay() }).await;
    assert_eq!(few.marks.iter().map(|mark| mark.id).collect::<Vec<_>>(), ids[..2]);
}

async fn a_carried_task_is_opened_once(t: Bench) {
    t.carry("default", Some("broker")).await;
    let id = t.submit(job()).await;
    let answers = t.open_with(Open { worker: "w".into(), ..t.opening(vec![id, id]) }).await;
    let Opened::Leased(leased) = &answers[0] else { panic!("{answers:?}") };
    assert_eq!((leased.lease.id, leased.attempt, leased.openings), (id, 1, 1));
    assert_eq!(leased.expires_at, Some(t.now().after(super::bench::LEASE)));
    assert_eq!(answers[1], Opened::Held);
    assert_eq!(t.task(id).await.worker.as_deref(), Some("w"));
    assert_eq!(t.end(&leased.lease, Verdict::Complete).await, State::Success);
}

async fn an_opening_that_is_dropped_holds_nothing(t: Bench) {
    t.carry("default", Some("broker")).await;
    for hold in [Hold::Process, LEASE].into_iter().cycle().take(10) {
        let id = t.submit(job()).await;
        relay_all(&t).await;
        let opening = Box::pin(t.open(id, hold));
        let early = tokio::time::timeout(Duration::ZERO, opening).await; // polled once, then dropped
        if let Ok(Opened::Leased(leased)) = early {
            t.end(&leased.lease, Verdict::Release).await;
        }
        // A question that is on its way cannot be taken back: what it was handed is given back, uncharged.
        let again = async {
            loop {
                match t.open(id, hold).await {
                    Opened::Leased(leased) => break leased,
                    Opened::Held => tokio::time::sleep(Duration::from_millis(1)).await,
                    other => panic!("{other:?}"),
                }
            }
        };
        let patience = Duration::from_secs(20);
        let leased = tokio::time::timeout(patience, again).await.expect("nobody holds it for ever");
        assert_eq!(leased.attempt, 1);
        let mut outcomes = t.outcomes(id).await;
        outcomes.retain(|outcome| *outcome != Some(AttemptOutcome::Released));
        assert_eq!(outcomes, [None]);
        t.end(&leased.lease, Verdict::Complete).await;
    }
}

async fn what_has_ended_or_is_unknown_is_over(t: Bench) {
    t.carry("default", Some("broker")).await;
    let id = t.submit(job()).await;
    t.cancel(id).await.expect("cancelled");
    assert_eq!(t.open(id, LEASE).await, Opened::Over);
    assert_eq!(t.open(TaskId::fresh(), LEASE).await, Opened::Over);
}

async fn what_may_not_run_yet_is_not_ready(t: Bench) {
    t.carry("default", Some("broker")).await;
    let parent = t.submit(NewTask { kind: kind("a"), ..job() }).await;
    let child = t.submit(NewTask { after: vec![parent], ..job() }).await;
    t.submit(in_lane("l")).await;
    let second = t.submit(in_lane("l")).await;
    let scheduled = NewTask { run_at: Some(t.now().after(secs(5))), ..job() };
    let scheduled = t.submit(scheduled).await;
    for id in [child, second, scheduled] {
        assert_eq!(t.open(id, LEASE).await, Opened::NotReady);
    }
    t.pause(Scope::Kind(kind("a"))).await;
    assert_eq!(t.open(parent, LEASE).await, Opened::NotReady);
}

async fn an_envelope_that_came_too_early_is_given_again(t: Bench) {
    t.carry("default", Some("broker")).await;
    let id = t.submit(job()).await;
    relay_all(&t).await;
    t.pause(Scope::Kind(kind("job"))).await;
    assert_eq!(t.open(id, LEASE).await, Opened::NotReady, "so its envelope is dropped");
    t.resume(Scope::Kind(kind("job"))).await;
    assert_eq!(t.outbox().await, [id]);
}

async fn marks_outlive_a_reboot(t: Bench) {
    t.carry("default", Some("broker")).await;
    let ids = t.submit_jobs(3).await;
    let marks = t.marks().await;
    t.relayed(&marks[..1]).await;
    let Opened::Leased(_) = t.open(ids[1], Hold::Process).await else { panic!("opened") };
    t.reboot().await;
    assert_eq!(t.outbox().await, ids[1..]);
    assert_eq!(t.claim(10).await, []);
}

async fn marks_tell_all_that_relaying_takes(t: Bench) {
    t.carry("other", Some("broker")).await;
    let owner = tenant("them");
    let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    let asked = NewTask {
        kind: kind("a"),
        queue: queue("other"),
        tenant: owner,
        traceparent: traceparent.clone(),
        ..job()
    };
    t.submit(asked.clone()).await;
    let want = Relay { queue: queue("other"), ..t.relay() };
    let mark = t.outbox_with(want).await.marks.remove(0);
    let task = t.store().get(asked.tenant.clone(), asked.id).await.expect("read").expect("there");
    assert_eq!((mark.id, mark.mark), (asked.id, MarkRef { seq: task.seq, openings: 0 }));
    assert_eq!(mark.traceparent, traceparent);
    assert_eq!((mark.tenant, mark.queue, mark.kind), (asked.tenant, asked.queue, asked.kind));
}
