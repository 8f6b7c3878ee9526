//! Several servers on one database, a database that goes away, and what callers do in their own
//! transactions. Faults go only into servers that a test has started for itself.

mod bench;
mod crowd;
mod cut;
mod death;
mod duties;
mod inside;
mod opening;
mod outage;
mod overview;
mod pair;
mod places;
mod rows;
mod strays;

use longshore_conformance::postgres;

longshore_conformance::needy_tests!(needs: postgres::needed, [
    pair::claims_of_two_servers_never_overlap,
    pair::a_limit_holds_over_two_servers,
    pair::a_lane_runs_one_at_a_time_in_order_over_two_servers,
    pair::one_key_asked_for_at_two_servers_makes_one_task,
    pair::a_unique_key_is_taken_by_one_of_two_servers,
    pair::a_child_is_not_forgotten_by_a_parent_that_ends_at_the_same_moment,
    pair::a_claim_that_waits_is_woken_by_another_server,
    pair::tokens_grow_over_servers,
    death::what_a_dead_server_held_is_taken_back_after_its_lease,
    death::a_line_of_what_was_handed_out_goes_with_the_last_of_it,
    death::what_is_handed_out_to_a_server_that_is_buried_already_is_taken_back,
    death::several_that_fall_silent_together_are_charged_nothing,
    death::a_server_that_lives_keeps_what_it_holds,
    death::the_same_name_opened_again_takes_back_at_once,
    death::a_closed_server_that_holds_nothing_is_not_missed,
    death::who_was_taken_for_dead_begins_anew,
    death::what_nobody_waits_for_any_more_is_given_back,
    death::a_close_gives_back_what_nobody_waits_for_any_more,
    death::a_close_hands_nobody_what_could_not_be_ended_any_more,
    death::a_close_that_was_dropped_is_finished_by_the_next,
    death::a_close_that_takes_its_time_is_not_taken_for_a_death,
    duties::a_schedule_is_written_over_by_who_has_read_it,
    duties::a_slot_fires_once_whoever_asks,
    duties::a_worker_that_falls_silent_is_shown_as_lost,
    duties::a_kind_is_known_for_long_after_its_workers,
    overview::an_overview_says_what_each_question_says,
    overview::what_a_later_version_wrote_does_not_hide_the_rest,
    overview::what_is_set_at_one_server_stirs_the_others,
    overview::a_word_of_a_worker_is_a_sign_of_life_of_its_server,
    overview::a_leader_that_stopped_is_succeeded_after_its_term,
    inside::what_is_submitted_in_a_transaction_is_there_if_it_is_kept,
    inside::a_step_is_done_once,
    inside::an_end_is_kept_with_the_transaction,
    inside::a_function_submits_from_any_language,
    inside::texts_with_a_nul_are_taken,
    places::the_database_reads_the_place_of_an_id_as_we_do,
    places::of_two_tasks_whose_ids_lead_to_one_place_both_are_found,
    places::a_child_finds_parents_that_lie_apart,
    places::an_id_that_lies_apart_is_not_taken_twice_when_its_place_becomes_free,
    places::a_child_that_lies_below_its_parent_is_purged_with_it,
    places::young_tasks_at_old_places_keep_nothing_behind_them_from_being_pruned,
    places::the_function_submits_beside_a_task_at_the_same_place,
    rows::a_row_that_has_moved_is_found,
    rows::an_end_that_had_to_wait_for_its_row_keeps_what_was_changed,
    rows::an_end_that_had_to_wait_while_its_task_was_handed_on_is_stale,
    rows::another_row_that_lies_there_by_now_is_left_alone,
    rows::ends_of_what_is_held_ask_no_index_even_behind_words_of_progress,
    rows::ends_of_several_kinds_with_results_and_without_are_counted,
    opening::a_schema_of_a_later_version_is_refused,
    opening::a_table_of_somebody_else_is_left_alone,
    opening::a_schema_is_brought_up_beside_its_servers_and_settled_when_they_are_gone,
    opening::a_schema_that_is_read_for_long_is_settled_later,
    opening::what_an_older_program_held_is_taken_back,
    opening::a_schema_that_was_just_brought_up_can_still_be_served_by_the_program_before,
    opening::a_schema_of_version_1_is_brought_up_beside_its_servers,
    opening::a_schema_of_version_4_is_brought_up_beside_its_servers,
    opening::a_schema_is_settled_as_far_as_the_oldest_program_that_is_open,
    opening::leases_of_a_program_before_are_judged_beside_it_and_after_it,
    opening::a_table_that_is_there_keeps_the_order_of_its_columns_and_is_the_same_otherwise,
    opening::two_servers_make_the_schema_at_the_same_time,
], needs: postgres::startable, [
    crowd::a_server_without_a_connection_left_refuses_and_nothing_is_lost,
    crowd::a_pool_whose_sessions_stand_still_refuses_and_goes_on_by_itself,
    cut::an_accept_that_is_cut_off_says_whether_it_may_be_there,
    cut::an_end_that_is_cut_off_says_whether_it_may_be_stored,
    outage::a_killed_database_loses_nothing_that_was_answered,
    outage::leases_get_a_full_length_of_grace_after_an_outage,
    outage::who_watches_hears_at_once_that_the_database_is_away,
    outage::calls_fail_at_once_while_the_database_is_away,
    opening::each_way_to_fail_is_told_apart,
    strays::what_was_claimed_without_an_answer_is_given_back,
    strays::what_was_claimed_without_an_answer_is_given_back_by_the_close,
], after: postgres::stop_shared);
