//! Many servers on one PostgreSQL, and workers beside them: under faults all together, and one by one.

mod away;
mod blows;
mod late;
mod member;
mod outage;
mod partition;
mod rig;
mod singles;
mod soak;

pub(crate) use away::{
    a_signal_ends_the_wait_for_a_database, a_start_waits_for_its_database,
    what_waiting_does_not_mend_fails_at_once,
};
pub(crate) use late::{
    a_linked_worker_does_not_begin_what_comes_late,
    a_server_stopped_in_a_claim_does_not_begin_it_late,
};
pub(crate) use outage::a_long_outage_is_waited_out;
pub(crate) use partition::a_worker_whose_packets_are_lost_ends_nothing_twice;
pub(crate) use singles::store_of;
pub(crate) use singles::{
    a_killed_linked_workers_tasks_run_again, a_killed_workers_tasks_on_the_store_run_again,
    a_linked_worker_outlives_its_server, a_stopped_server_comes_back_and_its_late_ends_are_refused,
    sigterm_of_a_linked_worker_gives_back_uncharged, the_duties_of_a_stopped_leader_are_taken_over,
};
pub(crate) use soak::three_servers_and_three_workers_under_faults;
