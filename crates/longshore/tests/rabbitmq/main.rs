//! Tasks that a real RabbitMQ carries, whatever is done to it: everything accepted ends once.

mod house;
mod losses;

use longshore_conformance::{postgres, rabbitmq};

fn both() -> Result<(), String> {
    rabbitmq::startable()?;
    postgres::needed()
}

longshore_conformance::needy_tests!(needs: rabbitmq::startable, [
    losses::what_is_purged_deleted_or_restored_over_there_ends_once,
    losses::tasks_are_accepted_while_it_is_away_and_run_when_it_is_back,
], needs: both, [
    losses::two_servers_on_postgresql_share_the_work,
], after: postgres::stop_shared);
