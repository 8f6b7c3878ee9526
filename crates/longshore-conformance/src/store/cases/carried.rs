//! Queues that a broker carries: marks in the outbox, and opening what came back.

use super::bench::{Bench, in_lane, job, kind, queue, secs};
use super::case_list;
use longshore_core::queue::Scope;
use longshore_core::store::{Hold, Opened};
use longshore_core::{NewTask, State, TaskId, Verdict};

case_list![
    a_carried_queue_is_not_claimed,
    ready_tasks_of_a_carried_queue_are_marked_oldest_first,
    what_was_relayed_is_not_given_again,
    only_what_is_ready_is_marked,
    a_mark_goes_with_its_task,
    what_is_given_back_is_marked_again,
    carrying_an_existing_queue_marks_what_is_ready,
    a_queue_given_back_is_claimed_again_and_has_no_marks,
    carrying_twice_changes_nothing,
    the_outbox_gives_no_more_than_asked,
    a_carried_task_is_opened_once,
    what_has_ended_or_is_unknown_is_over,
    what_may_not_run_yet_is_not_ready,
    an_envelope_that_came_too_early_is_given_again,
    marks_outlive_a_reboot,
    marks_tell_all_that_relaying_takes,
];

const LEASE: Hold = Hold::Lease { lasts: Some(super::bench::LEASE) };

async fn relay_all(t: &Bench) -> Vec<TaskId> {
    let marks = t.store().outbox(1_000).await.expect("outbox answers");
    t.store().relayed(marks.iter().map(|mark| mark.seq).collect()).await.expect("noted");
    marks.iter().map(|mark| mark.id).collect()
}

async fn opened(t: &Bench, id: TaskId) -> longshore_core::store::Leased {
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

async fn ready_tasks_of_a_carried_queue_are_marked_oldest_first(t: Bench) {
    t.carry("default", Some("broker")).await;
    let low = t.submit(NewTask { priority: 0, ..job() }).await;
    let high = t.submit(NewTask { priority: 9, ..job() }).await;
    t.submit(NewTask { queue: queue("other"), ..job() }).await;
    assert_eq!(t.outbox().await, [low, high]);
    assert_eq!(t.outbox().await, [low, high], "until they were relayed");
}

async fn what_was_relayed_is_not_given_again(t: Bench) {
    t.carry("default", Some("broker")).await;
    let ids = t.submit_jobs(3).await;
    let marks = t.store().outbox(10).await.expect("outbox answers");
    t.store().relayed(vec![marks[1].seq]).await.expect("noted");
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
    let marks = t.store().outbox(10).await.expect("outbox answers");
    t.store().relayed(vec![marks[0].seq]).await.expect("noted");
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
    let marks = t.store().outbox(2).await.expect("outbox answers");
    assert_eq!(marks.iter().map(|mark| mark.id).collect::<Vec<_>>(), ids[..2]);
}

async fn a_carried_task_is_opened_once(t: Bench) {
    t.carry("default", Some("broker")).await;
    let id = t.submit(job()).await;
    let answers = t.store().open(vec![id, id], "w".into(), LEASE).await.expect("open answers");
    let Opened::Leased(leased) = &answers[0] else { panic!("{answers:?}") };
    assert_eq!((leased.lease.id, leased.attempt, leased.openings), (id, 1, 1));
    assert_eq!(leased.expires_at, Some(t.now().after(super::bench::LEASE)));
    assert_eq!(answers[1], Opened::Held);
    assert_eq!(t.task(id).await.worker.as_deref(), Some("w"));
    assert_eq!(t.end(&leased.lease, Verdict::Complete).await, State::Success);
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
    let marks = t.store().outbox(10).await.expect("outbox answers");
    t.store().relayed(vec![marks[0].seq]).await.expect("noted");
    let Opened::Leased(_) = t.open(ids[1], Hold::Process).await else { panic!("opened") };
    t.reboot().await;
    assert_eq!(t.outbox().await, ids[1..]);
    assert_eq!(t.claim(10).await, []);
}

async fn marks_tell_all_that_relaying_takes(t: Bench) {
    t.carry("other", Some("broker")).await;
    let owner = super::bench::tenant("them");
    let asked = NewTask { kind: kind("a"), queue: queue("other"), tenant: owner, ..job() };
    t.submit(asked.clone()).await;
    let mark = t.store().outbox(10).await.expect("outbox answers").remove(0);
    let task = t.store().get(asked.tenant.clone(), asked.id).await.expect("read").expect("there");
    assert_eq!((mark.id, mark.seq), (asked.id, task.seq));
    assert_eq!((mark.tenant, mark.queue, mark.kind), (asked.tenant, asked.queue, asked.kind));
}
