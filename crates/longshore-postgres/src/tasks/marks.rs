//! What changed of how many there are, until it is written at the end of the transaction.

use super::Sort;
use std::collections::HashMap;

/// The number of ready tasks, among the states of [`Marks`].
pub(super) const READY: u8 = 8;

/// What a row weighs beside its bodies, as a guess, in bytes.
pub(super) const ROW_BYTES: i64 = 400;

/// Changes of counters, by sort and state.
#[derive(Debug, Default)]
pub(crate) struct Marks(HashMap<(Sort, u8), (i64, i64)>);

impl Marks {
    /// Counts tasks of a sort in a state.
    pub(crate) fn count(&mut self, sort: &Sort, state: u8, by: i64) {
        self.0.entry((sort.clone(), state)).or_default().0 += by;
    }

    /// Counts bytes.
    pub(crate) fn weigh(&mut self, sort: &Sort, state: u8, by: i64) {
        self.0.entry((sort.clone(), state)).or_default().1 += by;
    }

    /// Counts tasks that are ready, or are not any more; `ready` as in their row.
    pub(crate) fn count_ready(&mut self, sort: &Sort, ready: u8, by: i64) {
        if ready > 0 {
            self.count(sort, READY + ready - 1, by);
        }
    }

    /// Returns what changed of the number that waits in a queue.
    pub(super) fn waiting(&self, queue: &longshore_core::QueueName) -> i64 {
        let waits =
            |(sort, state): &&(Sort, u8)| sort.queue == *queue && matches!(state, 0 | 1 | 3);
        self.0.iter().filter(|(key, _)| waits(key)).map(|(_, (n, _))| n).sum()
    }

    /// Returns what changed of the bytes.
    pub(super) fn bytes(&self) -> i64 {
        self.0.values().map(|(_, bytes)| bytes).sum()
    }

    /// Takes out all that is not nothing, column by column.
    pub(crate) fn take(&mut self) -> Columns {
        let mut columns = Columns::default();
        for ((sort, state), (n, bytes)) in self.0.drain() {
            if n != 0 || bytes != 0 {
                columns.n.push(n);
                columns.bytes.push(bytes);
                columns.states.push(i16::from(state));
                columns.tenants.push(sort.tenant.as_str().to_owned());
                columns.queues.push(sort.queue.as_str().to_owned());
                columns.kinds.push(sort.kind.as_str().to_owned());
            }
        }
        columns
    }
}

/// Lines for the table of counters.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub(crate) n: Vec<i64>,
    pub(crate) bytes: Vec<i64>,
    pub(crate) states: Vec<i16>,
    pub(crate) tenants: Vec<String>,
    pub(crate) queues: Vec<String>,
    pub(crate) kinds: Vec<String>,
}

impl Columns {
    /// Writes the lines.
    pub(crate) const INSERT: &'static str =
        "INSERT INTO counts(n, bytes, state, tenant, queue, kind)
         SELECT * FROM unnest($1::int8[], $2::int8[], $3::int2[], $4::text[], $5::text[], $6::text[])";

    pub(crate) fn is_empty(&self) -> bool {
        self.n.is_empty()
    }

    /// The values of [`Columns::INSERT`].
    pub(crate) fn values(&self) -> [&(dyn tokio_postgres::types::ToSql + Sync); 6] {
        [&self.n, &self.bytes, &self.states, &self.tenants, &self.queues, &self.kinds]
    }
}
