//! The proofs: the real binary, real HTTP, real kills, power cuts and full disks.
//!
//! Run by `cargo xtask test`, which builds what they start and says where it lies
//! (`LONGSHORE_BIN`, `LONGSHORE_PLAIN_BIN`, `LONGSHORE_POWERCUT_SHIM`). A proof whose need is not
//! met is ignored with the reason. Faults are only ever put into servers that a proof started
//! itself, on a port and data of its own.

mod accounts;
mod bad_inputs;
mod blocked;
mod client;
mod commands;
mod disk;
mod disk_faults;
mod disk_full;
mod disk_tests;
mod failpoints;
mod fleet;
mod journal;
mod kills;
mod ledger;
mod load;
mod messages;
mod mix;
mod observe;
mod openapi;
mod phases;
mod powercut;
mod processes;
mod pull;
mod schedules;
mod server;
mod shutdown;
mod start;
mod stopped;
mod suspects;
mod usage;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::path::Path;
use std::process::ExitCode;

/// A row of proofs, each named after its function.
macro_rules! proofs {
    ($($module:ident :: $name:ident),* $(,)?) => {
        vec![$(Trial::test(concat!(stringify!($module), "::", stringify!($name)), $module::$name)),*]
    };
}

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    // Most of them wait for a server or a disk most of the time.
    args.test_threads.get_or_insert(4);
    let code = libtest_mimic::run(&args, trials()).exit_code();
    longshore_conformance::postgres::stop_shared();
    code
}

fn trials() -> Vec<Trial> {
    // The longest first: they wait most of their time, and the others run meanwhile.
    let mut trials = vec![Trial::ignorable_test(
        "fleet::three_servers_and_three_workers_under_faults",
        fleet::three_servers_and_three_workers_under_faults,
    )];
    trials.push(Trial::ignorable_test(
        "fleet::a_long_outage_is_waited_out",
        fleet::a_long_outage_is_waited_out,
    ));
    trials.push(Trial::ignorable_test(
        "messages::on_the_embedded_store_nothing_confirmed_is_lost",
        messages::on_the_embedded_store,
    ));
    trials.extend(proofs![
        stopped::for_a_minute_and_nothing_is_run_again,
        suspects::two_hundred_deaths_bury_no_healthy_neighbour,
        kills::fifty_random_kills_under_load,
        phases::sigterm_in_each_phase_loses_and_charges_nothing,
    ]);
    // Those of messages wait for each other.
    trials.push(Trial::ignorable_test(
        "messages::on_postgresql_nothing_confirmed_is_lost",
        messages::on_postgresql,
    ));
    trials.extend([
        Trial::ignorable_test(
            "fleet::a_killed_workers_tasks_on_the_store_run_again",
            fleet::a_killed_workers_tasks_on_the_store_run_again,
        ),
        Trial::ignorable_test(
            "fleet::a_stopped_server_comes_back_and_its_late_ends_are_refused",
            fleet::a_stopped_server_comes_back_and_its_late_ends_are_refused,
        ),
        Trial::ignorable_test(
            "fleet::the_duties_of_a_stopped_leader_are_taken_over",
            fleet::the_duties_of_a_stopped_leader_are_taken_over,
        ),
        Trial::ignorable_test(
            "fleet::a_server_stopped_in_a_claim_does_not_begin_it_late",
            fleet::a_server_stopped_in_a_claim_does_not_begin_it_late,
        ),
        Trial::ignorable_test(
            "fleet::a_start_waits_for_its_database",
            fleet::a_start_waits_for_its_database,
        ),
        Trial::ignorable_test(
            "fleet::what_waiting_does_not_mend_fails_at_once",
            fleet::what_waiting_does_not_mend_fails_at_once,
        ),
        Trial::ignorable_test(
            "fleet::a_worker_whose_packets_are_lost_ends_nothing_twice",
            fleet::a_worker_whose_packets_are_lost_ends_nothing_twice,
        ),
        Trial::ignorable_test(
            "messages::twenty_bounces_need_no_hand",
            messages::twenty_bounces_need_no_hand,
        ),
        Trial::ignorable_test(
            "openapi::the_server_does_what_its_document_says",
            openapi::the_server_does_what_its_document_says,
        ),
        with_shim(
            "powercut::two_hundred_cuts_lose_nothing",
            powercut::two_hundred_cuts_lose_nothing,
        ),
        with_shim(
            "powercut::a_second_cut_while_recovering_loses_nothing",
            powercut::a_second_cut_while_recovering_loses_nothing,
        ),
        with_shim(
            "powercut::a_store_that_does_not_sync_is_caught",
            powercut::a_store_that_does_not_sync_is_caught,
        ),
        with_shim(
            "disk_faults::a_failed_sync_of_the_log_is_final",
            disk_faults::a_failed_sync_of_the_log_is_final,
        ),
        with_shim(
            "disk_faults::a_failed_sync_of_the_main_file_is_final",
            disk_faults::a_failed_sync_of_the_main_file_is_final,
        ),
        with_shim(
            "disk_faults::a_first_start_that_died_leaves_nothing_unsynced",
            disk_faults::a_first_start_that_died_leaves_nothing_unsynced,
        ),
        with_shim(
            "disk_faults::a_torn_write_is_recovered_from",
            disk_faults::a_torn_write_is_recovered_from,
        ),
        with_shim("disk_full::as_the_shim_plays_it", disk_full::as_the_shim_plays_it),
        Trial::ignorable_test(
            "disk_full::on_a_small_file_system",
            disk_full::on_a_small_file_system,
        ),
        Trial::ignorable_test(
            "start::the_printed_curl_line_works",
            start::the_printed_curl_line_works,
        ),
    ]);
    trials.extend([
        Trial::ignorable_test(
            "pull::a_killed_poller_swallows_and_charges_nothing",
            pull::a_killed_poller_swallows_and_charges_nothing,
        ),
        Trial::ignorable_test(
            "pull::what_a_killed_worker_held_runs_again_after_its_lease",
            pull::what_a_killed_worker_held_runs_again_after_its_lease,
        ),
    ]);
    trials.extend(failpoints::walk());
    trials.extend(proofs![
        failpoints::a_recorder_that_panics_leaves_no_end_behind,
        suspects::a_killer_is_buried_and_the_others_go_on,
        blocked::the_door_answers_while_handlers_block_their_threads,
        fleet::a_killed_linked_workers_tasks_run_again,
        fleet::a_linked_worker_outlives_its_server,
        fleet::a_signal_ends_the_wait_for_a_database,
        fleet::a_linked_worker_does_not_begin_what_comes_late,
        fleet::sigterm_of_a_linked_worker_gives_back_uncharged,
        shutdown::sigterm_lets_running_work_end_and_keeps_the_rest,
        shutdown::a_second_sigterm_hurries,
        start::from_start_to_the_first_task,
        start::a_second_process_on_the_same_data_is_refused,
        commands::every_way_to_end_is_judged,
        commands::what_cannot_be_run_is_told,
        commands::stdout_is_the_result,
        commands::endless_output_is_cut_short,
        commands::the_environment_is_empty_but_for_the_list,
        commands::limits_hold,
        commands::a_timeout_ends_the_whole_family,
        commands::what_it_left_behind_is_ended_with_it,
        commands::nothing_outlives_a_killed_server,
        commands::nothing_outlives_a_server_killed_in_the_grace,
        commands::a_killed_watcher_takes_the_command_along,
        commands::a_watcher_killed_with_its_server_takes_the_command_along,
        commands::told_to_stop_it_may_tidy_up,
        commands::three_hundred_leave_no_zombie,
        schedules::kills_between_slots_lose_none_and_fire_none_twice,
        bad_inputs::is_refused_and_says_why,
        bad_inputs::a_key_binds_one_answer,
        bad_inputs::an_id_is_taken_once,
        journal::a_record_cut_off_by_a_kill_is_left_out,
        disk_tests::what_was_synced_stays,
        disk_tests::what_was_not_synced_may_be_there_or_not,
        disk_tests::a_sync_covers_only_what_was_written_before_it_began,
        disk_tests::a_sync_that_did_not_complete_promises_nothing,
        disk_tests::a_later_sync_does_not_mend_a_failed_one,
        disk_tests::a_write_is_torn_at_sectors,
        disk_tests::a_name_is_safe_once_its_folder_is_synced,
        disk_tests::a_number_used_again_is_another_file,
        disk_tests::a_file_in_a_folder_that_vanished_is_gone,
    ]);
    trials
}

/// A proof that preloads the shim.
fn with_shim(name: &str, proof: fn(&Path) -> Result<(), Failed>) -> Trial {
    Trial::ignorable_test(name, move || {
        let Some(shim) = server::shim() else {
            return Ok(Completion::ignored_with("needs the shim: cargo xtask test"));
        };
        proof(&shim)?;
        Ok(Completion::Completed)
    })
}
