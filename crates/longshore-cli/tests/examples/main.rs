//! The examples that are no crates, run as a reader would run them.

mod command;
mod orders;
mod script;

use longshore_conformance::rabbitmq;

fn nothing() -> Result<(), String> {
    Ok(())
}

longshore_conformance::needy_tests!(needs: nothing, [
    command::a_script_runs_tasks_and_its_exit_codes_decide_what_follows,
    orders::it_runs_without_any_other_server,
], needs: rabbitmq::needed, [
    orders::it_runs_on_rabbitmq_by_changing_one_line,
], after: rabbitmq::stop_shared);
