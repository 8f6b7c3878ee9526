//! What of carried queues is given to their brokers, what these have, and what they have lost.

use super::bench::{Bench, job, kind, queue, secs, tenant};
use super::carried::{opened, relay_all};
use super::case_list;
use longshore_core::queue::Scope;
use longshore_core::store::{Carried, Claim, Hold, MarkRef, Marked, Open, Opened, Relay};
use longshore_core::{NewTask, Verdict};
use std::time::Duration;

case_list![
    each_kind_has_a_window_of_its_own,
    what_leaves_the_broker_makes_room_in_the_window,
    what_is_with_the_broker_is_known,
    what_the_broker_lost_is_given_to_it_again,
    a_mark_of_an_earlier_opening_is_passed_over,
    what_is_paused_is_not_relayed,
    a_suspect_is_not_relayed_while_another_one_runs,
    another_broker_is_given_everything,
    who_carries_what_is_known,
    a_waiting_relay_is_told_at_once,
    a_limit_holds_for_carried_tasks,
    a_rate_holds_for_carried_tasks_and_claims_together,
];

/// What the broker of the queue `default` has.
async fn carried(t: &Bench) -> Vec<Carried> {
    t.store().carried(&queue("default")).await.expect("carried answers")
}

fn refs(marks: &[Marked]) -> Vec<MarkRef> {
    marks.iter().map(|marked| marked.mark).collect()
}

async fn each_kind_has_a_window_of_its_own(t: Bench) {
    t.carry("default", Some("broker")).await;
    let foreign: Vec<NewTask> =
        (0..5).map(|_| NewTask { kind: kind("a"), priority: 9, ..job() }).collect();
    for task in foreign {
        t.submit(task).await;
    }
    let ids = t.submit_jobs(5).await;
    let small = || Relay { window: 3, ..t.relay() };
    let first = t.outbox_with(small()).await;
    assert_eq!((first.marks.len(), first.carried.len()), (6, 0));
    assert_eq!(first.marks[3..].iter().map(|mark| mark.id).collect::<Vec<_>>(), ids[..3]);
    t.relayed(&first.marks).await;
    let second = t.outbox_with(small()).await;
    assert_eq!(second.marks, []);
    assert_eq!(second.carried, [(kind("a"), 3), (kind("job"), 3)].into());
}

async fn what_leaves_the_broker_makes_room_in_the_window(t: Bench) {
    t.carry("default", Some("broker")).await;
    let ids = t.submit_jobs(6).await;
    let small = || Relay { window: 2, ..t.relay() };
    let marks = t.outbox_with(small()).await.marks;
    t.relayed(&marks).await;
    opened(&t, ids[0]).await;
    t.cancel(ids[1]).await.expect("cancelled");
    let next = t.outbox_with(small()).await;
    assert_eq!(next.marks.iter().map(|mark| mark.id).collect::<Vec<_>>(), ids[2..4]);
    assert!(next.carried.is_empty());
}

async fn what_is_with_the_broker_is_known(t: Bench) {
    t.carry("default", Some("broker")).await;
    let ids = t.submit_jobs(3).await;
    let marks = t.marks().await;
    t.relayed(&marks[1..]).await;
    let with_it = |at: usize| Carried { mark: marks[at].mark, kind: kind("job") };
    assert_eq!(carried(&t).await, [with_it(1), with_it(2)]);
    t.reboot().await;
    assert_eq!(carried(&t).await, [with_it(1), with_it(2)], "it outlives a reboot");
    opened(&t, ids[1]).await;
    assert_eq!(carried(&t).await, [with_it(2)]);
    t.cancel(ids[2]).await.expect("cancelled");
    assert_eq!(carried(&t).await, []);
}

async fn what_the_broker_lost_is_given_to_it_again(t: Bench) {
    t.carry("default", Some("broker")).await;
    let ids = t.submit_jobs(3).await;
    let marks = t.marks().await;
    t.relayed(&marks[..2]).await;
    assert_eq!(t.store().lost(refs(&marks)).await.expect("noted"), 2, "it never had the third");
    assert_eq!(t.outbox().await, ids);
    assert_eq!(carried(&t).await, []);
    assert_eq!(t.store().lost(refs(&marks)).await.expect("noted"), 0, "told once");
}

async fn a_mark_of_an_earlier_opening_is_passed_over(t: Bench) {
    t.carry("default", Some("broker")).await;
    let id = t.submit(job()).await;
    let early = t.marks().await;
    let leased = opened(&t, id).await; // before the confirm came
    t.end(&leased.lease, Verdict::Release).await;
    t.relayed(&early).await;
    assert_eq!(relay_all(&t).await, [id], "the broker was never given this one");
    assert_eq!(t.store().lost(refs(&early)).await.expect("noted"), 0);
    assert_eq!(t.outbox().await, []);
}

async fn what_is_paused_is_not_relayed(t: Bench) {
    t.carry("default", Some("broker")).await;
    let a = t.submit(NewTask { kind: kind("a"), ..job() }).await;
    let theirs = t.submit(NewTask { tenant: tenant("them"), ..job() }).await;
    let id = t.submit(job()).await;
    t.pause(Scope::Kind(kind("a"))).await;
    t.pause(Scope::Tenant(tenant("them"))).await;
    assert_eq!(t.outbox().await, [id]);
    t.pause(Scope::Queue(queue("default"))).await;
    assert_eq!(t.outbox().await, []);
    for scope in
        [Scope::Kind(kind("a")), Scope::Tenant(tenant("them")), Scope::Queue(queue("default"))]
    {
        t.resume(scope).await;
    }
    assert_eq!(t.outbox().await, [a, theirs, id]);
}

async fn a_suspect_is_not_relayed_while_another_one_runs(t: Bench) {
    t.carry("default", Some("broker")).await;
    let ids = t.submit_jobs(2).await;
    for _ in 0..2 {
        for id in &ids {
            let Opened::Leased(_) = t.open(*id, Hold::Process).await else { panic!("opened") };
        }
        t.reboot().await;
    }
    assert_eq!(t.outbox().await, ids);
    let Opened::Leased(first) = t.open(ids[0], Hold::Process).await else { panic!("opened") };
    assert!(first.isolated);
    assert_eq!(t.outbox().await, []);
    t.end(&first.lease, Verdict::Complete).await;
    assert_eq!(t.outbox().await, ids[1..]);
}

async fn another_broker_is_given_everything(t: Bench) {
    t.carry("default", Some("broker")).await;
    let ids = t.submit_jobs(2).await;
    relay_all(&t).await;
    t.carry("default", Some("another")).await;
    assert_eq!(t.outbox().await, ids);
    assert_eq!(carried(&t).await, []);
}

async fn who_carries_what_is_known(t: Bench) {
    t.carry("default", Some("broker")).await;
    t.carry("other", Some("another")).await;
    t.carry("third", Some("broker")).await;
    t.carry("third", None).await;
    t.reboot().await;
    let known = t.store().controls().await.expect("controls answers").carriers;
    let expected = [("default", "broker"), ("other", "another")];
    assert_eq!(known, expected.map(|(name, carrier)| (queue(name), carrier.to_owned())).into());
}

async fn a_waiting_relay_is_told_at_once(t: Bench) {
    t.carry("default", Some("broker")).await;
    let waiting = Relay { wait: Duration::from_secs(20), ..t.relay() };
    let later = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        t.submit(job()).await
    };
    let began = std::time::Instant::now();
    let (outbox, id) = tokio::join!(t.outbox_with(waiting), later);
    assert_eq!(outbox.marks.iter().map(|mark| mark.id).collect::<Vec<_>>(), [id]);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

async fn a_limit_holds_for_carried_tasks(t: Bench) {
    t.carry("default", Some("broker")).await;
    let ids = t.submit_jobs(3).await;
    relay_all(&t).await;
    let two = || Open { limit: Some(2), ..t.opening(ids.clone()) };
    let answers = t.open_with(two()).await;
    assert!(answers[1].lease().is_some(), "{answers:?}");
    assert_eq!(answers[2], Opened::NoRoom { after: None });
    assert_eq!(carried(&t).await.len(), 1, "the envelope is kept");
    let Opened::Leased(first) = &answers[0] else { panic!("{answers:?}") };
    t.end(&first.lease, Verdict::Complete).await;
    let answers = t.open_with(two()).await;
    assert_eq!(answers[..2], [Opened::Over, Opened::Held]);
    assert!(answers[2].lease().is_some(), "{answers:?}");
}

async fn a_rate_holds_for_carried_tasks_and_claims_together(t: Bench) {
    t.carry("default", Some("broker")).await;
    let ids = t.submit_jobs(3).await;
    relay_all(&t).await;
    let rate = "1/s".parse().ok();
    let slow = || Open { rate, ..t.opening(ids.clone()) };
    let answers = t.open_with(slow()).await;
    assert!(answers[0].lease().is_some(), "{answers:?}");
    assert_eq!(answers[1], Opened::NoRoom { after: Some(secs(1)) });
    t.pass(secs(1));
    assert!(t.open_with(slow()).await[1].lease().is_some());
    t.carry("default", None).await;
    let mut want = t.want("default", 1);
    want.rate = rate;
    let claim = Claim { wants: vec![want], ..t.request(1) };
    assert_eq!(t.claim_with(claim.clone()).await, []);
    t.pass(secs(1));
    assert_eq!(t.claim_with(claim).await.len(), 1);
}
