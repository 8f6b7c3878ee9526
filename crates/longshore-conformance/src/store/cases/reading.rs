//! Pages, counters and single tasks.

use super::bench::{Bench, error, job, kind, queue, retry, secs, tenant};
use super::case_list;
use longshore_core::attempt::TaskError;
use longshore_core::retry::BuryReason;
use longshore_core::store::{ActKind, Count, Ending, Filter, Page};
use longshore_core::{FaultClass, NewTask, Payload, State, Task, TaskId, TenantName, Verdict};
use std::collections::BTreeMap;
use std::time::Duration;

case_list![
    a_page_is_newest_first,
    pages_follow_each_other_without_gaps,
    pages_are_stable_while_tasks_come_in,
    filters_are_all_applied,
    lists_are_narrowed_by_tag_time_and_error,
    a_long_list_is_narrowed_by_time,
    lists_leave_payload_and_result_out,
    a_task_of_another_tenant_is_not_read,
    counters_agree_with_a_count_by_listing,
    what_was_answered_is_seen,
    an_empty_store_has_empty_pages,
];

async fn page(t: &Bench, filter: Filter) -> Page {
    t.store().page(filter).await.expect("page answers")
}

/// Walks all pages of at most `limit`.
async fn walk(t: &Bench, filter: Filter) -> Vec<Task> {
    let mut items = Vec::new();
    let mut before = filter.before;
    loop {
        let page = page(t, Filter { before, ..filter.clone() }).await;
        assert!(page.items.len() <= filter.limit);
        items.extend(page.items);
        match page.next {
            Some(next) => {
                assert!(before.is_none_or(|before| next < before), "the walk goes on");
                before = Some(next);
            }
            None => return items,
        }
    }
}

fn ids(tasks: &[Task]) -> Vec<TaskId> {
    tasks.iter().map(|task| task.id).collect()
}

fn all(limit: usize) -> Filter {
    Filter { limit, ..Filter::default() }
}

/// Tasks of several tenants, queues, kinds and states; in accept order.
async fn a_mixture(t: &Bench) -> Vec<Task> {
    let mut ids = Vec::new();
    for n in 0..24 {
        let task = NewTask {
            kind: kind(["job", "a", "b"][n % 3]),
            queue: queue(["default", "other"][n / 3 % 2]),
            tenant: tenant(["default", "them"][n / 6 % 2]),
            payload: Payload::from_json("[1]"),
            ..job()
        };
        let owner = task.tenant.clone();
        ids.push((owner, t.submit(task).await));
    }
    let leased = t.claim(9).await;
    t.end(&leased[0].lease, Verdict::Complete).await;
    t.end(&leased[1].lease, Verdict::Bury(longshore_core::retry::BuryReason::BadData)).await;
    t.end(&leased[2].lease, super::bench::retry(Duration::from_secs(60))).await;
    t.act(ActKind::Purge(queue("other"))).await.expect("purged");
    let mut tasks = Vec::new();
    for (owner, id) in ids {
        let task = t.store().get(owner, id).await.expect("get answers").expect("it is there");
        tasks.push(Task { payload: None, result: None, ..task });
    }
    tasks
}

async fn a_page_is_newest_first(t: Bench) {
    let mut submitted = t.submit_jobs(5).await;
    submitted.reverse();
    let page = page(&t, all(10)).await;
    assert_eq!((ids(&page.items), page.next), (submitted, None));
}

async fn pages_follow_each_other_without_gaps(t: Bench) {
    let mut expected = a_mixture(&t).await;
    expected.reverse();
    for limit in [1, 5, 12, 24, 100] {
        assert_eq!(walk(&t, all(limit)).await, expected);
    }
    let before = Some(expected[9].seq);
    let rest = walk(&t, Filter { before, ..all(7) }).await;
    assert_eq!(rest, expected[10..]);
}

async fn pages_are_stable_while_tasks_come_in(t: Bench) {
    let mut submitted = t.submit_jobs(10).await;
    submitted.reverse();
    let first = page(&t, all(4)).await;
    t.submit_jobs(3).await;
    t.work_off().await;
    let rest = walk(&t, Filter { before: first.next, ..all(4) }).await;
    assert_eq!([ids(&first.items), ids(&rest)].concat(), submitted);
}

async fn filters_are_all_applied(t: Bench) {
    let mixture = a_mixture(&t).await;
    let tenants = [None, Some(tenant("default")), Some(tenant("them")), Some(tenant("nobody"))];
    let queues = [None, Some(queue("other")), Some(queue("none"))];
    let kinds = [None, Some(kind("a"))];
    let states: [&[State]; 4] =
        [&[], &[State::Pending], &[State::Success, State::Cancelled], &[State::Expired]];
    for tenant in &tenants {
        for queue in &queues {
            for kind in &kinds {
                for states in states {
                    let fits = |task: &&Task| {
                        tenant.as_ref().is_none_or(|tenant| task.tenant == *tenant)
                            && queue.as_ref().is_none_or(|queue| task.queue == *queue)
                            && kind.as_ref().is_none_or(|kind| task.kind == *kind)
                            && (states.is_empty() || states.contains(&task.state))
                    };
                    let expected: Vec<Task> = mixture.iter().rev().filter(fits).cloned().collect();
                    let filter = Filter {
                        tenant: tenant.clone(),
                        queue: queue.clone(),
                        kind: kind.clone(),
                        states: states.to_vec(),
                        ..all(3)
                    };
                    assert_eq!(walk(&t, filter.clone()).await, expected, "{filter:?}");
                }
            }
        }
    }
}

async fn lists_are_narrowed_by_tag_time_and_error(t: Bench) {
    let begin = t.now();
    let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
    for n in 0..12 {
        let tags = tags([&[][..], &["red"], &["blue", "red"], &["redder"]][n % 4]);
        t.submit(NewTask { tags, name: Some("red".to_owned()), ..job() }).await;
        t.pass(secs(1));
    }
    let leased = t.claim(6).await;
    let failed = |class, code: &str| {
        Some(TaskError { class, code: Some(code.to_owned()), ..error("transient") })
    };
    let errors = [
        (failed(FaultClass::Transient, "smtp.421"), retry(secs(60))),
        (failed(FaultClass::Timeout, "smtp.421"), Verdict::Bury(BuryReason::Exhausted)),
        (failed(FaultClass::BadData, "transient"), Verdict::Bury(BuryReason::BadData)),
    ];
    for (leased, (error, verdict)) in leased.iter().zip(errors) {
        let (lease, result, then) = (leased.lease, None, Vec::new());
        t.record(Ending { lease, verdict, result, error, then }).await;
    }
    let mut every = walk(&t, all(100)).await;
    every.sort_by_key(|task| std::cmp::Reverse(task.seq));
    let times = [None, Some(begin), Some(begin.after(secs(3))), Some(begin.after(secs(8)))];
    let words = [None, Some("transient"), Some("smtp.421"), Some("timeout"), Some("nothing")];
    let states: [&[State]; 3] = [&[], &[State::Failed], &[State::Pending, State::Failed]];
    for tag in [None, Some("red"), Some("blue"), Some("none")] {
        for (from, until) in times.iter().flat_map(|from| times.map(|until| (*from, until))) {
            for (word, states) in words.iter().flat_map(|w| states.map(|states| (*w, states))) {
                let fits = |task: &&Task| {
                    tag.is_none_or(|tag| task.tags.iter().any(|other| other == tag))
                        && from.is_none_or(|from| task.created_at >= from)
                        && until.is_none_or(|until| task.created_at < until)
                        && (states.is_empty() || states.contains(&task.state))
                        && word.is_none_or(|word| {
                            task.error.as_ref().is_some_and(|error| {
                                error.class.as_str() == word || error.code.as_deref() == Some(word)
                            })
                        })
                };
                let expected: Vec<Task> = every.iter().filter(fits).cloned().collect();
                let filter = Filter {
                    tag: tag.map(str::to_owned),
                    created: (from, until),
                    error: word.map(str::to_owned),
                    states: states.to_vec(),
                    ..all(2)
                };
                assert_eq!(walk(&t, filter.clone()).await, expected, "{filter:?}");
            }
        }
    }
}

async fn a_long_list_is_narrowed_by_time(t: Bench) {
    const EACH: usize = 3_000;
    let begin = t.now();
    let mut submitted = Vec::new();
    for _ in 0..4 {
        submitted.push(t.submit_jobs(EACH).await);
        t.pass(secs(10));
    }
    let at = |seconds| Some(begin.after(secs(seconds)));
    for (created, batches) in [
        ((None, at(10)), 0..1),
        ((at(30), None), 3..4),
        ((at(5), at(25)), 1..3),
        ((at(31), None), 4..4),
        ((None, at(0)), 0..0),
    ] {
        let listed = walk(&t, Filter { created, ..all(EACH / 2) }).await;
        let expected: Vec<TaskId> = submitted[batches].iter().flatten().rev().copied().collect();
        assert_eq!(ids(&listed), expected, "{created:?}");
    }
}

async fn lists_leave_payload_and_result_out(t: Bench) {
    for payload in ["[1]".to_owned(), format!("\"{}\"", "x".repeat(5_000))] {
        t.submit(job().payload(Payload::from_json(payload))).await;
        let lease = t.claim_one().await.lease;
        let result = Some(Payload::from_json("2"));
        let (verdict, error, then) = (Verdict::Complete, None, Vec::new());
        let ending = longshore_core::store::Ending { lease, verdict, result, error, then };
        t.record(ending).await;
    }
    for task in page(&t, all(10)).await.items {
        assert_eq!((task.payload, task.result), (None, None));
        let task = t.task(task.id).await;
        assert!(task.payload.is_some() && task.result.is_some());
    }
}

async fn a_task_of_another_tenant_is_not_read(t: Bench) {
    let id = t.submit(job()).await;
    assert_eq!(t.store().get(tenant("other"), id).await.expect("get answers"), None);
    let filter = Filter { tenant: Some(tenant("other")), ..all(10) };
    assert_eq!(page(&t, filter).await, Page::default());
}

/// Counts what the pages list.
pub(super) async fn count_by_listing(t: &Bench) -> Vec<Count> {
    let mut counts: BTreeMap<_, u64> = BTreeMap::new();
    for task in walk(t, all(100)).await {
        *counts.entry((task.tenant, task.queue, task.kind, task.state)).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|((tenant, queue, kind, state), count)| Count { tenant, queue, kind, state, count })
        .collect()
}

async fn counters_agree_with_a_count_by_listing(t: Bench) {
    assert_eq!(t.store().counters().await.expect("counters answer"), []);
    a_mixture(&t).await;
    for _ in 0..2 {
        let mut counters = t.store().counters().await.expect("counters answer");
        counters.sort();
        assert_eq!(counters, count_by_listing(&t).await);
        assert!(counters.iter().all(|count| count.count > 0), "sorts with none are left out");
        t.reboot().await;
        t.work_off().await;
    }
}

async fn what_was_answered_is_seen(t: Bench) {
    for _ in 0..20 {
        let id = t.submit(job()).await;
        assert_eq!(ids(&page(&t, all(1)).await.items), [id]);
        let leased = t.claim_one().await;
        assert_eq!(t.state(id).await, State::Running);
        t.end(&leased.lease, Verdict::Complete).await;
        assert_eq!(t.state(id).await, State::Success);
    }
    let counters = t.store().counters().await.expect("counters answer");
    assert_eq!(counters.iter().map(|count| count.count).collect::<Vec<_>>(), [20]);
}

async fn an_empty_store_has_empty_pages(t: Bench) {
    assert_eq!(page(&t, all(10)).await, Page::default());
    let id = TaskId::fresh();
    assert_eq!(t.store().get(TenantName::default(), id).await.expect("get answers"), None);
}
