//! When tasks were accepted, block by block of places: so that a list of a certain time passes over what
//! is older or newer, without an index that each accept would pay for.
//!
//! Places grow with time, but for a clock that was set back; so each block keeps its own oldest
//! and newest time, once it is full. Of a block that is not kept (the last one, or what a file of format 1 had
//! before) nothing is known, and it is looked at.

use rusqlite::Connection;

/// Places of a block; a part of what is reserved at once, so that each boot begins a new one.
const PLACES: i64 = 4_096;

/// Whether `place` is the last one of its block.
pub(crate) fn is_full(place: i64) -> bool {
    place > 0 && place % PLACES == 0
}

/// Keeps the times of the block that `place` is the last one of.
pub(crate) fn keep(db: &Connection, place: i64) -> rusqlite::Result<()> {
    let block = block_of(place);
    let mut insert = db.prepare_cached(
        "INSERT OR REPLACE INTO spans(block, oldest, newest)
         SELECT ?1, min(created_at), max(created_at) FROM tasks WHERE seq > ?2 AND seq <= ?3
         HAVING count(*) > 0",
    )?;
    insert.execute((block, block * PLACES, (block + 1) * PLACES))?;
    Ok(())
}

/// Returns the place below which a list goes on that has come down to `below`, and wants what was
/// accepted from one time on and before another: further down, if the next blocks hold nothing of it.
pub(crate) fn pass_over(
    db: &Connection,
    below: i64,
    from: Option<i64>,
    until: Option<i64>,
) -> rusqlite::Result<i64> {
    let mut on = below;
    let mut select = db.prepare_cached(
        "SELECT block, oldest, newest FROM spans WHERE block <= ?1 ORDER BY block DESC",
    )?;
    let mut rows = select.query([block_of(below - 1)])?;
    while let Some(row) = rows.next()? {
        let (block, oldest, newest): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let fits = from.is_none_or(|from| newest >= from) && until.is_none_or(|at| oldest < at);
        if fits || block != block_of(on - 1) {
            break;
        }
        on = block * PLACES + 1;
    }
    Ok(on)
}

/// Returns the block of a place; places begin at 1.
fn block_of(place: i64) -> i64 {
    (place - 1).div_euclid(PLACES)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with tasks at these places and times, all blocks before `place` kept.
    fn file(tasks: &[(i64, i64)], place: i64) -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(crate::schema::CREATE).unwrap();
        db.execute_batch(
            "DROP TABLE tasks; CREATE TABLE tasks(seq INTEGER PRIMARY KEY, created_at)",
        )
        .unwrap();
        for task in tasks {
            db.execute("INSERT INTO tasks VALUES (?1, ?2)", *task).unwrap();
        }
        for place in (1..place).filter(|place| is_full(*place)) {
            keep(&db, place).unwrap();
        }
        db
    }

    #[test]
    fn blocks_that_are_too_old_or_too_young_are_passed_over() {
        let tasks =
            [(1, 10), (PLACES, 20), (PLACES + 1, 30), (2 * PLACES, 40), (2 * PLACES + 1, 50)];
        let db = file(&tasks, 2 * PLACES + 1);
        let below = 2 * PLACES + 1;
        let pass = |from, until| pass_over(&db, below, from, until).unwrap();
        assert_eq!(pass(Some(41), None), 1, "all is older");
        assert_eq!(pass(Some(40), None), below);
        assert_eq!(pass(None, Some(30)), PLACES + 1, "one block is younger");
        assert_eq!(pass(None, Some(31)), below);
        assert_eq!(pass(Some(21), Some(30)), 1, "between two blocks");
        assert_eq!(pass_over(&db, PLACES - 5, Some(21), None).unwrap(), 1, "from within a block");
    }

    #[test]
    fn a_block_that_is_not_kept_is_looked_at() {
        let tasks = [(1, 10), (PLACES + 1, 30), (2 * PLACES + 1, 50)];
        let db = file(&tasks, 2 * PLACES + 1);
        db.execute("DELETE FROM spans WHERE block = 1", []).unwrap();
        assert_eq!(pass_over(&db, 2 * PLACES + 1, Some(60), None).unwrap(), 2 * PLACES + 1);
        assert_eq!(pass_over(&db, 2 * PLACES + 2, Some(60), None).unwrap(), 2 * PLACES + 2);
        assert_eq!(pass_over(&db, PLACES + 1, Some(60), None).unwrap(), 1);
    }

    #[test]
    fn a_clock_that_was_set_back_hides_nothing() {
        let tasks = [(1, 90), (PLACES, 100), (PLACES + 1, 10), (PLACES + 2, 20)];
        let db = file(&tasks, 2 * PLACES + 1);
        assert_eq!(pass_over(&db, 2 * PLACES + 1, Some(95), None).unwrap(), PLACES + 1);
    }
}
