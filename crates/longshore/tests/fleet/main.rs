//! Several services on one PostgreSQL: what they ask of it while they have nothing to do, who does what one can do
//! for all, and what they keep together.

mod bench;
mod duties;
mod idle;
mod rates;

use longshore_conformance::postgres;

longshore_conformance::needy_tests!(needs: postgres::needed, [
    duties::what_a_server_left_behind_is_made_ready_when_it_is_due,
    duties::what_is_set_at_one_server_holds_at_another_within_a_second,
    rates::a_rate_is_kept_by_two_servers_together,
], needs: postgres::startable, [
    idle::ten_servers_at_rest_ask_ten_things_a_second_at_most,
], after: postgres::stop_shared);
