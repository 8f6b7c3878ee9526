//! What only RabbitMQ has, and what happens to it: exchanges of each kind, questions and answers, queues of somebody
//! else, servers that die, freeze, block and refuse. Faults go only into servers that a test has started for itself.

#![expect(clippy::unwrap_used, reason = "a test fails where it fails")]

mod answers;
mod bench;
mod exchanges;
mod foreign;
mod outage;
mod pipeline;
mod queues;
mod rig;
mod secrecy;
mod settling;

use longshore_conformance::rabbitmq;

longshore_conformance::needy_tests!(needs: rabbitmq::needed, [
    exchanges::a_direct_exchange_goes_by_the_key_itself,
    exchanges::a_fanout_exchange_reaches_everybody,
    exchanges::a_topic_exchange_of_ones_own_has_patterns,
    exchanges::a_headers_exchange_compares_headers,
    exchanges::one_that_is_not_there_is_refused_and_touches_nothing_else,
    exchanges::one_that_is_there_needs_no_type,
    answers::a_question_is_answered,
    answers::a_question_that_nobody_answers_ends_in_time,
    answers::a_question_that_nobody_gets_is_told_at_once,
    answers::many_ask_at_a_time,
    answers::who_was_not_asked_cannot_answer,
    queues::other_arguments_are_told_and_left,
    queues::to_look_makes_nothing,
    queues::a_queue_may_have_another_name_type_and_arguments,
    queues::what_is_unknown_is_refused_by_name,
    queues::a_deleted_queue_comes_back_with_its_subscription,
    queues::a_queue_that_others_delete_and_make_again_at_once_is_read_again,
    queues::a_deleted_queue_that_nobody_reads_comes_back_when_something_is_published,
    queues::a_breaker_puts_aside_and_loses_nothing,
    foreign::a_message_of_a_plain_client_is_received_as_it_is,
    foreign::a_plain_client_reads_what_we_publish,
    foreign::what_fails_of_a_plain_client_keeps_its_identity,
    pipeline::what_nobody_gets_among_a_thousand_is_told_of_each,
    pipeline::callers_at_a_time_are_told_of_their_own,
    pipeline::an_exchange_deleted_meanwhile_does_not_touch_the_others,
    pipeline::too_large_is_told_before_it_is_sent,
    settling::a_pause_takes_the_next_rung,
    settling::a_pause_comes_back_to_a_queue_that_somebody_else_has_made,
    settling::a_pause_longer_than_the_ladder_goes_on,
    settling::what_comes_back_to_nobody_is_parked,
    settling::out_of_order_is_acked_too,
    settling::a_pause_gives_back_what_was_not_taken,
    settling::a_rung_that_was_deleted_is_made_again,
    secrecy::a_server_is_believed_under_its_name_alone,
    secrecy::a_server_may_ask_for_a_certificate,
], needs: rabbitmq::startable, [
    outage::a_killed_server_comes_back_with_all_that_was_confirmed,
    outage::a_frozen_server_is_given_up_and_found_again,
    outage::a_silent_link_is_given_up,
    outage::a_server_that_ends_every_connection_is_not_stormed,
    outage::a_blocked_server_says_so_and_hands_out,
    outage::revoked_credentials_are_told_and_tried_again,
    outage::rights_that_are_missing_are_told,
    outage::endpoints_take_turns,
    outage::a_broker_that_is_not_there_yet_is_found,
    outage::a_link_that_publishes_nothing_rests,
    bench::figures,
], after: rabbitmq::stop_shared);
