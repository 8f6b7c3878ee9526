//! What leads to a task: the words of the indexes of `tasks` that are more than columns.
//!
//! A life writes three versions of a row, and each of them an entry into every index that has the row, so there are as
//! few as can be, and short ones. What is ready lies in lines by numbers that stand for the names. An id leads to a row by
//! the [place](longshore_core::TaskId::place) that it carries; those rows alone have an index of ids that lie elsewhere.

use longshore_core::TaskId;

/// The number of a queue and a kind: the first column of `tasks_lines`. Different names may have one number, so the
/// names have to be compared as well.
macro_rules! sort_number {
    ($queue:literal, $kind:literal) => {
        concat!("hashtextextended(", $kind, ", hashtext(", $queue, ")::int8)")
    };
}
pub(crate) use sort_number;

/// Whether something of a queue and a kind is ready.
macro_rules! is_ready {
    ($queue:literal, $kind:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM tasks WHERE ",
            $crate::index::sort_number!("tasks.queue", "tasks.kind"),
            " = ",
            $crate::index::sort_number!($queue, $kind),
            " AND ready > 0 AND tasks.queue = ",
            $queue,
            " AND tasks.kind = ",
            $kind,
            ")"
        )
    };
}
pub(crate) use is_ready;

/// The number of a line of a sort: the second column of `tasks_lines`. It has 64 bits: two lines of a sort hardly ever share one.
macro_rules! line_number {
    ($tenant:literal, $ready:literal) => {
        concat!("hashtextextended(", $tenant, ", ", $ready, "::int8)")
    };
}
pub(crate) use line_number;

/// Whether a row is ready in the line of these names.
macro_rules! in_line {
    ($queue:literal, $kind:literal, $tenant:literal, $ready:literal) => {
        concat!(
            $crate::index::sort_number!("tasks.queue", "tasks.kind"),
            " = ",
            $crate::index::sort_number!($queue, $kind),
            " AND ",
            $crate::index::line_number!("tasks.tenant", "tasks.ready"),
            " = ",
            $crate::index::line_number!($tenant, $ready),
            " AND tasks.ready > 0 AND tasks.queue = ",
            $queue,
            " AND tasks.kind = ",
            $kind,
            " AND tasks.tenant = ",
            $tenant,
            " AND tasks.ready = ",
            $ready
        )
    };
}
pub(crate) use in_line;

/// Whether a row lies apart from where its id leads, and so is in `tasks_apart`: its place was drawn, or given by a program of a
/// version before 4.
macro_rules! apart {
    () => {
        "(seq < 2199023255552 OR seq & 2097152 <> 0)"
    };
}
pub(crate) use apart;

/// Finds the place of the row whose id is $1; $2 is the place that the id carries.
macro_rules! find_by_id {
    () => {
        concat!(
            "SELECT seq FROM tasks WHERE seq = $2 AND id = $1 UNION ALL SELECT seq FROM tasks WHERE id = $1 AND ",
            $crate::index::apart!()
        )
    };
}
pub(crate) use find_by_id;

/// Finds the places of the rows whose ids are $1; $2 are the places that the ids carry.
macro_rules! find_by_ids {
    () => {
        concat!(
            "SELECT seq FROM tasks WHERE seq = ANY($2) AND id = ANY($1)
             UNION ALL SELECT seq FROM tasks WHERE id = ANY($1) AND ",
            $crate::index::apart!()
        )
    };
}
pub(crate) use find_by_ids;

/// Whether nothing of a line of `holds` is held. A line is written with the rows of its tasks, so that one look sees both or none.
macro_rules! nothing_held {
    () => {
        "NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.seq = ANY(holds.seqs) AND tasks.state = 2
            AND tasks.instance = holds.instance)"
    };
}
pub(crate) use nothing_held;

/// Whether a row waits for a time, or is leased for one, and so is in `tasks_timed`: by `due`, which those that are leased have not.
macro_rules! timed {
    () => {
        "coalesce(tasks.due, tasks.lease) IS NOT NULL"
    };
}
pub(crate) use timed;

/// The first moment that something waits for.
macro_rules! first_due {
    () => {
        concat!("SELECT min(due) FROM tasks WHERE due IS NOT NULL AND ", $crate::index::timed!())
    };
}
pub(crate) use first_due;

/// The place that an id carries.
pub(crate) fn own_place(id: TaskId) -> Option<i64> {
    id.place().map(|seq| seq.0)
}

/// Ids, and the places that they carry.
pub(crate) fn own_places(ids: &[TaskId]) -> (Vec<uuid::Uuid>, Vec<i64>) {
    let places = ids.iter().filter_map(|id| own_place(*id)).collect();
    (ids.iter().map(|id| id.0).collect(), places)
}
