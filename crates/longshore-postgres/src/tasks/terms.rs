//! Terms of leaders: judged, as leases are, by who watches.

use super::desk::{Desk, Note, millis};
use crate::error::Trouble;
use longshore_core::store::Term;
use std::time::Duration;

/// One counter of a term's number and its renewals.
fn count(number: i64, renewals: i64) -> i64 {
    (number << 32) | renewals
}

impl Desk<'_> {
    pub(crate) async fn acquire(
        &mut self,
        name: &str,
        holder: &str,
        lasts: Duration,
    ) -> Result<Option<Term>, Trouble> {
        self.execute(
            "INSERT INTO terms(name, holder, number, lasts) VALUES ($1, $2, 0, 0)
             ON CONFLICT (name) DO NOTHING",
            &[&name, &holder],
        )
        .await?;
        let Some((of, number, is_over)) = self.term(name).await? else { return Ok(None) };
        if !is_over && of != holder {
            return Ok(None);
        }
        let number = number + 1;
        self.execute(
            "UPDATE terms SET holder = $2, number = $3, lasts = $4, renewals = 0 WHERE name = $1",
            &[&name, &holder, &number, &millis(lasts)],
        )
        .await?;
        let note = Note::Term { name: name.to_owned(), count: count(number, 0) };
        self.after.notes.push(note);
        let number = number.unsigned_abs();
        Ok(Some(Term { name: name.to_owned(), holder: holder.to_owned(), number }))
    }

    pub(crate) async fn renew(&mut self, term: &Term, lasts: Duration) -> Result<bool, Trouble> {
        let Some((of, number, is_over)) = self.term(&term.name).await? else { return Ok(false) };
        if is_over || of != term.holder || number.unsigned_abs() != term.number {
            return Ok(false);
        }
        let renewed = self
            .row(
                "UPDATE terms SET renewals = renewals + 1, lasts = $2 WHERE name = $1 RETURNING renewals",
                &[&term.name, &millis(lasts)],
            )
            .await?;
        if let Some(renewed) = renewed {
            let count = count(number, renewed.try_get(0)?);
            self.after.notes.push(Note::Term { name: term.name.clone(), count });
        }
        Ok(true)
    }

    /// Who is in office, in which term, and whether that is over; the row is locked.
    async fn term(&self, name: &str) -> Result<Option<(String, i64, bool)>, Trouble> {
        let row = self
            .row(
                "SELECT holder, number, lasts, renewals FROM terms WHERE name = $1 FOR UPDATE",
                &[&name],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let (number, renewals): (i64, i64) = (row.try_get(1)?, row.try_get(3)?);
        let lasts = Duration::from_millis(row.try_get::<_, i64>(2)?.max(0).unsigned_abs());
        let mut watch = self.base.watches.lock();
        let since = watch.terms.look(name.to_owned(), count(number, renewals), self.tick);
        let is_over = number == 0 || since.saturating_add(lasts) <= self.tick;
        Ok(Some((row.try_get(0)?, number, is_over)))
    }

    /// Begins to watch all offices: each term gets its full length from here on.
    pub(crate) async fn look_at_terms(&self) -> Result<(), Trouble> {
        let rows = self.rows("SELECT name, number, renewals FROM terms", &[]).await?;
        let mut watch = self.base.watches.lock();
        for row in &rows {
            watch.terms.look(row.try_get(0)?, count(row.try_get(1)?, row.try_get(2)?), self.tick);
        }
        Ok(())
    }
}
