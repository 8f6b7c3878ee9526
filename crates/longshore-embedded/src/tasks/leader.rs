//! Terms of leaders. One process owns the file, so a term is known by memory: at a boot every
//! office is free.

use super::desk::Desk;
use crate::error::Trouble;
use longshore_core::store::Term;
use rusqlite::OptionalExtension;
use std::time::Duration;

impl Desk<'_> {
    pub(crate) fn acquire(
        &mut self,
        name: &str,
        holder: &str,
        lasts: Duration,
    ) -> Result<Option<Term>, Trouble> {
        let taken = self.memory.terms.get(name).is_some_and(|(_, until)| *until > self.tick);
        if taken {
            return Ok(None);
        }
        let number: Option<i64> = self
            .db
            .prepare_cached("SELECT number FROM terms WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        let number = number.unwrap_or(0) + 1;
        self.db
            .prepare_cached(
                "INSERT OR REPLACE INTO terms(name, holder, number) VALUES (?1, ?2, ?3)",
            )?
            .execute((name, holder, number))?;
        let number = number.unsigned_abs();
        self.memory.terms.insert(name.to_owned(), (number, self.tick.saturating_add(lasts)));
        Ok(Some(Term { name: name.to_owned(), holder: holder.to_owned(), number }))
    }

    pub(crate) fn renew(&mut self, term: &Term, lasts: Duration) -> bool {
        let tick = self.tick;
        match self.memory.terms.get_mut(&term.name) {
            Some((number, until)) if *number == term.number && *until > tick => {
                *until = tick.saturating_add(lasts);
                true
            }
            _ => false,
        }
    }
}
