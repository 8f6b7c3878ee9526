//! What operators have set and done, and how long tasks wait.

use super::bench::{Bench, job, kind, queue, secs, tenant};
use super::case_list;
use longshore_core::queue::{QueueSettings, Scope};
use longshore_core::store::{ActKind, AuditLine, QueueAge, Refused};
use longshore_core::{NewTask, Payload, State, TaskId};
use sha2::{Digest, Sha256};

case_list![
    controls_are_what_was_set_and_not_yet_taken_back,
    controls_outlive_the_process,
    every_act_leaves_a_line_with_what_was_before_and_after,
    a_refused_act_leaves_no_line,
    a_note_is_a_line_and_nothing_else,
    lines_are_newest_first_page_by_page,
    each_line_seals_the_one_before,
    an_age_is_that_of_the_task_that_goes_next,
    ages_leave_out_what_is_not_ready,
];

async fn configure(t: &Bench, name: &str, settings: Option<QueueSettings>) {
    t.act(ActKind::Configure { queue: queue(name), settings }).await.expect("configured");
}

fn settings() -> QueueSettings {
    let rate = Some("500/s".parse().expect("a rate"));
    QueueSettings { slots: Some(8), limit: None, rate, backlog: Some(1_000) }
}

async fn lines(t: &Bench) -> Vec<AuditLine> {
    t.store().audit(None, 1_000).await.expect("audit answers")
}

fn verify(lines: &[AuditLine]) {
    let mut before = None;
    for line in lines.iter().rev() {
        let hash: [u8; 32] = Sha256::digest(line.sealed(before.as_ref())).into();
        assert_eq!(line.hash, hash, "line {}", line.number);
        before = Some(hash);
    }
}

async fn controls_are_what_was_set_and_not_yet_taken_back(t: Bench) {
    assert_eq!(t.store().controls().await.expect("controls answer"), Default::default());
    let scopes = [Scope::Queue(queue("q")), Scope::Kind(kind("a")), Scope::Tenant(tenant("other"))];
    for scope in scopes.iter().chain(&scopes).rev() {
        t.pause(scope.clone()).await;
    }
    configure(&t, "q", Some(QueueSettings::default())).await;
    configure(&t, "q", Some(settings())).await;
    configure(&t, "gone", Some(settings())).await;
    configure(&t, "gone", None).await;
    let controls = t.store().controls().await.expect("controls answer");
    assert_eq!(controls.paused, scopes);
    assert_eq!(controls.queues, [(queue("q"), settings())].into());
    t.resume(scopes[1].clone()).await;
    let controls = t.store().controls().await.expect("controls answer");
    assert_eq!(controls.paused, [scopes[0].clone(), scopes[2].clone()]);
}

async fn controls_outlive_the_process(t: Bench) {
    t.pause(Scope::Queue(queue("q"))).await;
    configure(&t, "q", Some(settings())).await;
    let (controls, audit) = (t.store().controls().await.expect("controls answer"), lines(&t).await);
    t.reboot().await;
    assert_eq!(t.store().controls().await.expect("controls answer"), controls);
    assert_eq!(lines(&t).await, audit);
    configure(&t, "q", None).await;
    verify(&lines(&t).await);
}

/// Act, target, before, after, count.
type Said = (String, Option<String>, Option<String>, Option<String>, u64);

async fn said(t: &Bench) -> Said {
    let line = lines(t).await.remove(0);
    assert_eq!((line.at, line.by.as_str()), (t.now(), "the suite"));
    let text = |payload: Option<Payload>| payload.map(|json| json.as_str().to_owned());
    (line.act, line.target, text(line.before), text(line.after), line.count)
}

fn says(act: &str, target: &str, before: &str, after: &str, count: u64) -> Said {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    (act.to_owned(), text(target), text(before), text(after), count)
}

async fn every_act_leaves_a_line_with_what_was_before_and_after(t: Bench) {
    let id = t.submit(job()).await;
    let name = id.to_string();
    t.act(ActKind::Reprioritise { id, priority: 7 }).await.expect("done");
    let expected = says("reprioritise", &name, r#"{"priority":4}"#, r#"{"priority":7}"#, 1);
    assert_eq!(said(&t).await, expected);
    t.cancel(id).await.expect("cancelled");
    let (pending, cancelled) = (r#"{"state":"pending"}"#, r#"{"state":"cancelled"}"#);
    assert_eq!(said(&t).await, says("cancel", &name, pending, cancelled, 1));
    t.reopen(id).await.expect("reopened");
    assert_eq!(said(&t).await, says("retry", &name, cancelled, pending, 1));
    t.discard(id).await.expect("discarded");
    assert_eq!(said(&t).await, says("discard", &name, pending, cancelled, 1));
    let (no, yes) = (r#"{"paused":false}"#, r#"{"paused":true}"#);
    t.pause(Scope::Kind(kind("a"))).await;
    assert_eq!(said(&t).await, says("pause", "kind a", no, yes, 0));
    t.pause(Scope::Kind(kind("a"))).await;
    assert_eq!(said(&t).await, says("pause", "kind a", yes, yes, 0));
    t.resume(Scope::Kind(kind("a"))).await;
    assert_eq!(said(&t).await, says("resume", "kind a", yes, no, 0));
    configure(&t, "q", Some(settings())).await;
    let set = r#"{"slots":8,"rate":"500/s","backlog":1000}"#;
    assert_eq!(said(&t).await, says("configure", "q", "", set, 0));
    configure(&t, "q", None).await;
    assert_eq!(said(&t).await, says("configure", "q", set, "", 0));
    t.carry("q", Some("broker")).await;
    let (without, with) = (r#"{"carrier":null}"#, r#"{"carrier":"broker"}"#);
    assert_eq!(said(&t).await, says("carry", "q", without, with, 0));
    t.submit_jobs(3).await;
    t.act(ActKind::Purge(queue("default"))).await.expect("purged");
    assert_eq!(said(&t).await, says("purge", "default", "", "", 3));
}

async fn a_refused_act_leaves_no_line(t: Bench) {
    assert_eq!(t.cancel(TaskId::fresh()).await, Err(Refused::NotFound));
    let id = t.submit(job()).await;
    let state = State::Pending;
    assert_eq!(t.reopen(id).await, Err(Refused::WrongState { state }));
    assert_eq!(lines(&t).await, []);
}

async fn a_note_is_a_line_and_nothing_else(t: Bench) {
    let json = |text: &str| Some(Payload::from_json(text));
    let note = ActKind::Note {
        act: "reload".to_owned(),
        target: Some("longshore.toml".to_owned()),
        before: json("1"),
        after: json("{ }"),
    };
    let acted = t.act(note).await.expect("noted");
    assert_eq!((acted.task, acted.count, acted.events.len()), (None, 0, 0));
    assert_eq!(said(&t).await, says("reload", "longshore.toml", "1", "{ }", 0));
}

async fn lines_are_newest_first_page_by_page(t: Bench) {
    for n in 0..7 {
        configure(&t, &format!("q{n}"), Some(settings())).await;
    }
    let mut read = Vec::new();
    let mut before = None;
    loop {
        let page = t.store().audit(before, 3).await.expect("audit answers");
        before = page.last().map(|line| line.number);
        read.extend(page.into_iter().map(|line| (line.number, line.target)));
        if before == Some(1) || before.is_none() {
            break;
        }
    }
    let expected = (1..=7).rev().map(|n: u64| (n, Some(format!("q{}", n - 1))));
    assert_eq!(read, expected.collect::<Vec<_>>());
    assert_eq!(t.store().audit(Some(1), 3).await.expect("audit answers"), []);
}

async fn each_line_seals_the_one_before(t: Bench) {
    t.pause(Scope::Queue(queue("q"))).await;
    t.pass(secs(1));
    t.act(ActKind::Purge(queue("q"))).await.expect("purged");
    let id = t.submit(job()).await;
    t.cancel(id).await.expect("cancelled");
    configure(&t, "q", Some(settings())).await;
    let lines = lines(&t).await;
    assert_eq!(lines.len(), 4);
    verify(&lines);
}

async fn ages(t: &Bench) -> Vec<QueueAge> {
    t.store().ages().await.expect("ages answer")
}

async fn an_age_is_that_of_the_task_that_goes_next(t: Bench) {
    let begin = t.now();
    t.submit(job()).await;
    t.pass(secs(1));
    t.submit(NewTask { kind: kind("a"), ..job() }).await;
    t.submit(NewTask { tenant: tenant("other"), priority: 9, ..job() }).await;
    t.submit(NewTask { queue: queue("other"), priority: 0, ..job() }).await;
    t.pause(Scope::Queue(queue("other"))).await;
    let age = |owner, name, oldest_ready, ready| QueueAge {
        tenant: tenant(owner),
        queue: queue(name),
        oldest_ready,
        ready,
    };
    let later = begin.after(secs(1));
    let expected = [
        age("default", "default", begin, 2),
        age("default", "other", later, 1),
        age("other", "default", later, 1),
    ];
    assert_eq!(ages(&t).await, expected);
    assert_eq!(t.claim(2).await.len(), 2, "the urgent one goes, and the oldest");
    assert_eq!(ages(&t).await[0], age("default", "default", later, 1));
}

async fn ages_leave_out_what_is_not_ready(t: Bench) {
    t.submit(NewTask { run_at: Some(t.now().after(secs(5))), ..job() }).await;
    let parent = t.submit(NewTask { kind: kind("a"), ..job() }).await;
    t.submit(NewTask { after: vec![parent], ..job() }).await;
    t.claim_one().await;
    assert_eq!(ages(&t).await, []);
    let due = t.now().after(secs(5));
    t.pass_and_make_ready(secs(9)).await;
    assert_eq!(ages(&t).await[0].oldest_ready, due);
}
