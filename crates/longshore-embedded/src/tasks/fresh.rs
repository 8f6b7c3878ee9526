//! The rows of new tasks, written several at a time: a statement opens the table and all of its indexes once,
//! whatever the number of its rows.

use super::desk::Desk;
use super::row::TaskRow;
use crate::error::Trouble;
use crate::schema::INLINE;
use longshore_core::{NewTask, State};
use rusqlite::types::ToSql;
use rusqlite::{Connection, Statement};
use std::ops::Range;

/// The columns of which each row has a value of its own.
const OWN: &str = "id, tenant, queue, kind, rank, priority, max_attempts, created_at, run_at, timeout, spec, payload";
/// How many they are.
const OWN_WIDTH: usize = 12;
/// The others, each with the value that it mostly has. Then it is a part of the statement, which is quicker than to
/// fill it in.
const OTHERS: [(&str, &str); 24] = [
    ("state", "1"),
    ("ready", "1"),
    ("due", "NULL"),
    ("blocked", "0"),
    ("expires_at", "NULL"),
    ("openings", "0"),
    ("token", "NULL"),
    ("worker", "NULL"),
    ("lease", "NULL"),
    ("began_at", "NULL"),
    ("started_at", "NULL"),
    ("finished_at", "NULL"),
    ("total_timeout", "NULL"),
    ("expires_in", "NULL"),
    ("order_key", "NULL"),
    ("lane_place", "NULL"),
    ("open_parents", "0"),
    ("on_parent_failure", "0"),
    ("group_id", "NULL"),
    ("reason", "NULL"),
    ("big", "0"),
    ("isolated", "0"),
    ("run", "1"),
    ("attempt", "1"),
];
/// Most rows of one statement, as a power of two. Of each power up to it there is a statement.
const MOST: usize = 6;

/// Room for so many rows is kept from round to round.
const KEPT: usize = 1_024;

/// A new task's row, with all that goes into it.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewRow<'n> {
    pub(super) row: &'n TaskRow,
    pub(super) group: Option<[u8; 16]>,
    /// The payload, unless it has a row of its own.
    pub(super) body: Option<&'n [u8]>,
}

/// One that waits to be written.
#[derive(Debug)]
struct Fresh {
    row: TaskRow,
    group: Option<[u8; 16]>,
    /// Where the payload is among those that wait.
    body: Option<Range<usize>>,
}

impl Fresh {
    fn new_row<'n>(&'n self, bodies: &'n [u8]) -> NewRow<'n> {
        let body = self.body.clone().and_then(|place| bodies.get(place));
        NewRow { row: &self.row, group: self.group, body }
    }
}

impl NewRow<'_> {
    /// Whether it has the value that it mostly has in each of [`OTHERS`].
    fn is_usual(&self) -> bool {
        let row = self.row;
        row.state == State::Pending
            && row.ready == 1
            && row.due.is_none()
            && row.blocked == 0
            && row.expires_at.is_none()
            && row.openings == 0
            && row.token.is_none()
            && row.worker.is_none()
            && row.lease.is_none()
            && row.began_at.is_none()
            && row.started_at.is_none()
            && row.finished_at.is_none()
            && row.total_timeout.is_none()
            && row.expires_in.is_none()
            && row.order_key.is_none()
            && row.lane_place.is_none()
            && row.open_parents == 0
            && row.on_parent_failure == 0
            && self.group.is_none()
            && row.reason.is_none()
            && row.big == 0
            && row.runs.number() == 0
            && row.run == 1
            && row.attempt == 1
    }
}

/// The statements, made when they are first needed, and what waits for them.
#[derive(Debug, Default)]
pub(super) struct FreshRows<'c> {
    /// Writes a row at its place.
    one: Option<Statement<'c>>,
    /// Write rows at the places that follow the last one; the ones of index 0 are not used.
    runs: [Option<Statement<'c>>; MOST + 1],
    /// The same, for [usual](NewRow::is_usual) ones.
    usual: [Option<Statement<'c>>; MOST + 1],
    /// The place of the table's last row, where that is known.
    last: Option<i64>,
    waiting: Vec<Fresh>,
    /// Their payloads: a copy costs less than to hold what another thread has made.
    bodies: Vec<u8>,
    /// An id that should have been nobody else's was there.
    collided: bool,
    /// Because of that each row is written at once.
    careful: bool,
}

impl<'c> FreshRows<'c> {
    /// Writes a row, with its payload unless that has a row of its own, together with others that follow: see
    /// [`Desk::write_fresh`].
    pub(super) fn add(&mut self, row: TaskRow, group: Option<[u8; 16]>, body: Option<&[u8]>) {
        let body = body.map(|body| {
            let from = self.bodies.len();
            self.bodies.extend_from_slice(body);
            from..self.bodies.len()
        });
        self.waiting.push(Fresh { row, group, body });
    }

    /// Forgets what was not written: the transaction was rolled back.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.bodies.clear();
        self.last = None;
    }

    /// Whether the transaction failed because of an id. It is to be repeated then, and finds whose.
    fn take_collision(&mut self) -> bool {
        self.careful |= self.collided;
        std::mem::take(&mut self.collided)
    }

    /// Rows were removed; perhaps the last one was among them.
    pub(super) fn forget_last(&mut self) {
        self.last = None;
    }

    /// Writes it at once; false if its id is taken.
    pub(super) fn write(&mut self, db: &'c Connection, new: NewRow<'_>) -> Result<bool, Trouble> {
        self.flush(db)?; // so that the places of what is written only grow
        self.insert_one(db, new)
    }

    /// Writes all that waits.
    fn flush(&mut self, db: &'c Connection) -> Result<(), Trouble> {
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut bodies = std::mem::take(&mut self.bodies);
        let mut rest = waiting.as_slice();
        while let Some(first) = rest.first() {
            let follows = self.last == Some(first.row.seq - 1);
            let power = if follows { MOST.min(rest.len().ilog2() as usize) } else { 0 };
            let (now, later) = rest.split_at(1 << power);
            let written = if power == 0 {
                self.insert_one(db, first.new_row(&bodies))?
            } else {
                self.insert_run(db, power, now, &bodies)?
            };
            if !written {
                self.collided = true;
                return Err(Trouble::Failed("a new task was not written".into()));
            }
            rest = later;
        }
        waiting.clear();
        waiting.shrink_to(KEPT);
        bodies.clear();
        bodies.shrink_to(KEPT * INLINE);
        (self.waiting, self.bodies) = (waiting, bodies);
        Ok(())
    }

    fn insert_one(&mut self, db: &'c Connection, new: NewRow<'_>) -> Result<bool, Trouble> {
        let insert = prepared(&mut self.one, || {
            let (columns, row) = (columns(), values(false));
            db.prepare(&format!(
                "INSERT INTO tasks(seq, {columns}) VALUES (?, {row}) ON CONFLICT(id) DO NOTHING"
            ))
        })?;
        let mut values = Values::of(insert);
        values.value(new.row.seq)?;
        values.own(new)?;
        values.others(new)?;
        let written = insert.raw_execute()? == 1;
        if written {
            self.last = Some(new.row.seq);
        }
        Ok(written)
    }

    /// Inserts two to the power of `power` rows. Their places are not told but follow from the last row: a place
    /// that is told may be of a wrong type, so SQLite would keep what it needs to undo a part of them. For the same
    /// reason a row that fails is left out.
    fn insert_run(
        &mut self,
        db: &'c Connection,
        power: usize,
        rows: &[Fresh],
        bodies: &[u8],
    ) -> Result<bool, Trouble> {
        let usual = rows.iter().all(|fresh| fresh.new_row(bodies).is_usual());
        let kept = if usual { &mut self.usual } else { &mut self.runs };
        let insert = prepared(&mut kept[power], || {
            let row = format!("({})", values(usual));
            let (columns, rows) = (columns(), vec![row; rows.len()].join(", "));
            db.prepare(&format!("INSERT OR IGNORE INTO tasks({columns}) VALUES {rows}"))
        })?;
        let mut values = Values::of(insert);
        for new in rows.iter().map(|fresh| fresh.new_row(bodies)) {
            values.own(new)?;
            if !usual {
                values.others(new)?;
            }
        }
        let all = insert.raw_execute()? == rows.len();
        let last = rows.last().map(|fresh| fresh.row.seq);
        if all && last != Some(db.last_insert_rowid()) {
            return Err(Trouble::Failed("new tasks did not get the places meant for them".into()));
        }
        self.last = last;
        Ok(all)
    }
}

/// All columns but the place.
fn columns() -> String {
    let others = OTHERS.map(|(column, _)| column).join(", ");
    format!("{OWN}, {others}")
}

/// What [`columns`] are given: a variable each, or what they mostly have.
fn values(usual: bool) -> String {
    let others = OTHERS.map(|(_, value)| if usual { value } else { "?" }).join(", ");
    format!("{}, {others}", ["?"; OWN_WIDTH].join(", "))
}

fn prepared<'s, 'c>(
    kept: &'s mut Option<Statement<'c>>,
    prepare: impl FnOnce() -> rusqlite::Result<Statement<'c>>,
) -> rusqlite::Result<&'s mut Statement<'c>> {
    match kept {
        Some(statement) => Ok(statement),
        none => Ok(none.insert(prepare()?)),
    }
}

/// The variables of a statement, filled one after the other.
struct Values<'s, 'c> {
    insert: &'s mut Statement<'c>,
    next: usize,
}

impl<'s, 'c> Values<'s, 'c> {
    /// Begins with all of them being nothing, which most are.
    fn of(insert: &'s mut Statement<'c>) -> Self {
        insert.clear_bindings();
        Self { insert, next: 1 }
    }

    fn value(&mut self, value: impl ToSql) -> rusqlite::Result<()> {
        self.insert.raw_bind_parameter(self.next, value)?;
        self.next += 1;
        Ok(())
    }

    fn maybe(&mut self, value: Option<impl ToSql>) -> rusqlite::Result<()> {
        match value {
            Some(value) => self.value(value),
            None => {
                self.next += 1;
                Ok(())
            }
        }
    }

    /// In the order of [`OWN`].
    fn own(&mut self, NewRow { row, body, .. }: NewRow<'_>) -> rusqlite::Result<()> {
        self.value(row.id.0.as_bytes())?;
        self.value(row.sort.tenant)?;
        self.value(row.sort.queue)?;
        self.value(row.sort.kind)?;
        self.maybe(row.rank)?;
        self.value(row.priority)?;
        self.value(row.max_attempts)?;
        self.value(row.created_at)?;
        self.value(row.run_at)?;
        self.value(row.timeout)?;
        self.maybe(row.spec.as_deref())?;
        self.maybe(body)
    }

    /// In the order of [`OTHERS`].
    fn others(&mut self, NewRow { row, group, .. }: NewRow<'_>) -> rusqlite::Result<()> {
        self.value(row.state as u8)?;
        self.value(row.ready)?;
        self.maybe(row.due)?;
        self.value(row.blocked)?;
        self.maybe(row.expires_at)?;
        self.value(row.openings)?;
        self.maybe(row.token)?;
        self.maybe(row.worker)?;
        self.maybe(row.lease)?;
        self.maybe(row.began_at)?;
        self.maybe(row.started_at)?;
        self.maybe(row.finished_at)?;
        self.maybe(row.total_timeout)?;
        self.maybe(row.expires_in)?;
        self.maybe(row.order_key.as_deref())?;
        self.maybe(row.lane_place)?;
        self.value(row.open_parents)?;
        self.value(row.on_parent_failure)?;
        self.maybe(group.as_ref().map(<[u8; 16]>::as_slice))?;
        self.maybe(row.reason.as_deref())?;
        self.value(row.big)?;
        self.value(row.runs.number())?;
        self.value(row.run)?;
        self.value(row.attempt)
    }
}

impl Desk<'_> {
    /// Writes the rows that wait. Whatever asks for tasks calls it before.
    pub(crate) fn write_fresh(&mut self) -> Result<(), Trouble> {
        self.fresh.flush(self.db)
    }

    /// Whether a row of this task has to be written before it is known to be accepted.
    pub(super) fn may_be_taken(&self, task: &NewTask) -> bool {
        task.id_is_chosen || self.fresh.careful
    }

    /// Whether the transaction failed because an id that was said to be drawn is another task's, too. Repeated, it
    /// refuses that one alone.
    pub(crate) fn is_to_be_repeated(&mut self) -> bool {
        self.fresh.take_collision()
    }

    /// The transaction is committed.
    pub(crate) fn trust_again(&mut self) {
        self.fresh.careful = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;
    use longshore_core::{KindName, SystemClock};
    use std::sync::Arc;

    fn file() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(schema::CREATE).unwrap();
        db.execute("INSERT INTO meta(key, value) VALUES ('seq_limit', 0)", []).unwrap();
        db
    }

    fn desk(db: &Connection) -> Desk<'_> {
        let mut desk = Desk::new(db, Arc::default(), Arc::new(SystemClock)).unwrap();
        desk.reload().unwrap();
        desk
    }

    fn task(number: usize) -> NewTask {
        let mut task = NewTask::new(KindName::new("job").unwrap());
        task.id_is_chosen = false;
        task.priority = u8::try_from(number % 10).unwrap();
        task.name = number.is_multiple_of(3).then(|| format!("task {number}"));
        // The first of a lane asks who else is in it; later some are not as most are.
        let in_lane = number == 0 || (number > 70 && number.is_multiple_of(4));
        task.order_key = in_lane.then(|| "lane".to_owned());
        task
    }

    /// All columns of all tasks, as text.
    fn rows(db: &Connection) -> Vec<String> {
        let mut select = db.prepare("SELECT * FROM tasks ORDER BY seq").unwrap();
        let width = select.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            let columns = (0..width).map(|column| row.get_ref(column).map(|v| format!("{v:?}")));
            Ok(columns.collect::<rusqlite::Result<Vec<_>>>()?.join(", "))
        };
        select.query_map([], row).unwrap().collect::<rusqlite::Result<_>>().unwrap()
    }

    #[test]
    fn rows_are_the_same_whether_written_alone_or_with_others() {
        let tasks: Vec<NewTask> = (0..150).map(task).collect();
        let (together, alone) = (file(), file());
        let (mut many, mut one) = (desk(&together), desk(&alone));
        one.now = many.now;
        for task in &tasks {
            many.accept(task).unwrap().unwrap();
            one.accept(task).unwrap().unwrap();
            one.write_fresh().unwrap();
        }
        assert!(rows(&together).is_empty(), "they wait");
        many.write_fresh().unwrap();
        assert_eq!(rows(&together), rows(&alone));
    }

    #[test]
    fn a_row_gets_its_place_when_the_last_one_was_removed() {
        let db = file();
        let mut desk = desk(&db);
        for number in 0..20 {
            desk.accept(&task(number)).unwrap().unwrap();
        }
        desk.write_fresh().unwrap();
        db.execute("DELETE FROM tasks WHERE seq > 10", []).unwrap();
        desk.fresh.forget_last();
        for number in 20..24 {
            desk.accept(&task(number)).unwrap().unwrap();
        }
        desk.write_fresh().unwrap();
        let last: i64 = db.query_row("SELECT max(seq) FROM tasks", [], |row| row.get(0)).unwrap();
        assert_eq!((last, rows(&db).len()), (24, 14));
    }

    #[test]
    fn a_row_is_not_written_at_another_place_than_its_own() {
        let db = file();
        let mut desk = desk(&db);
        desk.accept(&task(0)).unwrap().unwrap();
        desk.write_fresh().unwrap();
        db.execute("DELETE FROM tasks", []).unwrap(); // and nobody says so
        for number in 1..3 {
            desk.accept(&task(number)).unwrap().unwrap();
        }
        let trouble = desk.write_fresh();
        assert!(matches!(trouble, Err(Trouble::Failed(_))), "{trouble:?}");
    }

    #[test]
    fn an_id_that_is_there_before_repeats_the_round() {
        let db = file();
        let mut desk = desk(&db);
        let twice = task(0);
        for task in [&task(1), &twice, &task(2), &twice, &task(3)] {
            desk.accept(task).unwrap().unwrap();
        }
        let trouble = desk.write_fresh();
        assert!(matches!(trouble, Err(Trouble::Failed(_))), "{trouble:?}");
        assert!(desk.is_to_be_repeated());
    }
}
