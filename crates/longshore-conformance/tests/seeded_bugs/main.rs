//! The accounting checker is tested with stores that have a bug: it must name each of them, and
//! must find nothing wrong with the healthy one, whatever dies around it.

mod buggy;
mod server;
mod workload;

use buggy::Bug;
use longshore_conformance::accounting::{ActEntry, Ledgers, Report, Rules, Told, check};

/// Runs the workload against a store with `bug`, for a few seeds, and checks the ledgers.
fn reports(bug: Bug) -> Vec<(Ledgers, Report)> {
    let rules = Rules { max_attempts: workload::MAX_ATTEMPTS, ..Rules::default() };
    let run = |seed| {
        let ledgers = workload::run(bug, seed);
        let report = check(&ledgers, &rules);
        (ledgers, report)
    };
    (1..=3).map(run).collect()
}

/// The bug is found under that name in every run.
fn is_caught(bug: Bug, name: &str) {
    for (_, report) in reports(bug) {
        let findings = report.findings();
        let (_, finding) = findings.iter().find(|(n, _)| *n == name).expect("a finding's name");
        assert!(finding.count > 0, "{bug:?} is not caught as {name}: {}", report.to_json());
        assert!(!finding.examples.is_empty() && finding.examples.len() <= 10);
        assert!(!report.is_clean());
    }
}

#[test]
fn a_healthy_store_is_clean_whatever_dies_around_it() {
    for (ledgers, report) in reports(Bug::None) {
        assert!(report.is_clean(), "{}", report.to_json());
        assert!(report.accepted > 300 && report.ended == report.accepted, "{}", report.to_json());
        assert!(report.unknown_in > 0 && report.duplicates_explained.count > 0);
        let done = |act: &&ActEntry| act.told == Told::Ok;
        assert!(ledgers.acts.iter().filter(done).count() > 30);
        let existing = ledgers.clients.iter().filter(|entry| entry.existing).count();
        assert!(existing > 10, "{existing} met a unique key");
        assert!(ledgers.faults.len() > 20 && ledgers.effects.len() > 300);
    }
}

#[test]
fn a_skipped_fsync_is_caught_as_lost() {
    is_caught(Bug::SkippedFsync, "lost");
}

#[test]
fn an_ack_without_a_commit_is_caught_as_lost() {
    is_caught(Bug::AckWithoutCommit, "lost");
}

#[test]
fn a_second_end_that_changes_the_first_is_caught_as_split() {
    is_caught(Bug::DoubleRecord, "split");
}

#[test]
fn an_end_under_an_old_token_is_caught_as_stale() {
    is_caught(Bug::DoubleRecord, "stale_ends");
}

#[test]
fn a_token_that_starts_again_at_boot_is_caught_as_reused() {
    is_caught(Bug::ReusedToken, "token_reused");
}

#[test]
fn leases_on_the_wall_clock_are_caught_as_duplicates() {
    is_caught(Bug::WallClockLease, "duplicates_unexplained");
}

#[test]
fn two_ids_for_one_key_are_caught_as_double_accept() {
    is_caught(Bug::ForgottenKey, "double_accept");
}

#[test]
fn a_lane_that_is_not_kept_is_caught_as_inversion() {
    is_caught(Bug::IgnoredLane, "order_inversions");
}

#[test]
fn a_lane_that_is_not_kept_is_caught_as_overlap() {
    is_caught(Bug::IgnoredLane, "lane_overlaps");
}

#[test]
fn a_unique_key_that_is_not_kept_is_caught_as_overlap() {
    is_caught(Bug::IgnoredUnique, "unique_overlaps");
}

#[test]
fn a_run_after_its_cancel_is_caught() {
    is_caught(Bug::ForgottenCancel, "after_end");
}

#[test]
fn a_retry_that_is_forgotten_is_caught_as_lost() {
    is_caught(Bug::ForgottenRetry, "lost");
}

#[test]
fn a_replay_that_changes_the_old_task_is_caught() {
    is_caught(Bug::ReplayReopens, "unasked");
}

#[test]
fn a_cancel_of_another_task_is_caught() {
    is_caught(Bug::WrongOneCancelled, "unasked");
}

#[test]
fn attempts_that_are_not_counted_are_caught_as_over_run() {
    is_caught(Bug::UncountedAttempt, "over_run");
}

#[test]
fn a_failure_that_is_called_success_is_caught_as_ghost() {
    is_caught(Bug::FailureCalledSuccess, "ghost_success");
}

#[test]
fn a_refused_task_that_runs_is_caught_as_unexpected() {
    is_caught(Bug::RefusedButStored, "unexpected");
}

#[test]
fn ledgers_are_read_as_they_were_written_and_a_torn_last_line_is_left_out() {
    let ledgers = workload::run(Bug::None, 7);
    let dir = tempfile::tempdir().expect("a directory");
    ledgers.write_dir(dir.path()).expect("written");
    assert_eq!(Ledgers::read_dir(dir.path()).expect("read"), ledgers);

    let path = dir.path().join("clients.jsonl");
    let whole = std::fs::read(&path).expect("read");
    std::fs::write(&path, &whole[..whole.len() - 5]).expect("torn");
    let torn = Ledgers::read_dir(dir.path()).expect("read");
    assert_eq!(torn.clients, ledgers.clients[..ledgers.clients.len() - 1]);

    let middle = [b"{\n", whole.as_slice()].concat();
    std::fs::write(&path, middle).expect("broken");
    let error = Ledgers::read_dir(dir.path()).expect_err("a bad line in the middle");
    assert!(error.to_string().contains("clients.jsonl, line 1"), "{error}");

    std::fs::remove_file(&path).expect("removed");
    Ledgers::read_dir(dir.path()).expect_err("a ledger is missing");
}

#[test]
fn a_report_is_one_json_object() {
    let report = check(&Ledgers::default(), &Rules::default());
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).expect("JSON");
    assert_eq!(json["lost"]["count"], 0);
    assert!(json.is_object() && report.is_clean());
}
