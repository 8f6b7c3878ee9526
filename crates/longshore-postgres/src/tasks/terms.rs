//! Terms of leaders: judged, as leases are, by who watches.

use super::desk::{Desk, Note, millis};
use crate::error::Trouble;
use longshore_core::store::Term;
use std::time::Duration;

/// One counter of a term's number and its renewals.
pub(crate) fn count(number: i64, renewals: i64) -> i64 {
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
        let (name, holder) = (name.to_owned(), holder.to_owned());
        let count = count(number, 0);
        let note = Note::Term { name: name.clone(), holder: holder.clone(), lasts, count };
        self.after.notes.push(note);
        let number = number.unsigned_abs();
        Ok(Some(Term { name, holder, number }))
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
            let (name, holder) = (term.name.clone(), of);
            self.after.notes.push(Note::Term { name, holder, lasts, count });
        }
        Ok(true)
    }

    /// The same by one statement, for whoever is in office by his own watch: then nobody else can have taken it, unless
    /// he says so here. False says nothing.
    pub(crate) async fn renew_at_once(
        &mut self,
        term: &Term,
        lasts: Duration,
    ) -> Result<bool, Trouble> {
        let number = i64::try_from(term.number).unwrap_or(i64::MAX);
        let renewed = self
            .row(
                "UPDATE terms SET renewals = renewals + 1, lasts = $4
                 WHERE name = $1 AND holder = $2 AND number = $3 RETURNING renewals",
                &[&term.name, &term.holder, &number, &millis(lasts)],
            )
            .await?;
        let Some(renewed) = renewed else { return Ok(false) };
        let count = count(number, renewed.try_get(0)?);
        let (name, holder) = (term.name.clone(), term.holder.clone());
        self.after.notes.push(Note::Term { name, holder, lasts, count });
        self.after.is_written = true;
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
        let (holder, count) = (row.try_get::<_, String>(0)?, count(number, renewals));
        let mut watch = self.base.watches.lock();
        let since = watch.look_at_term(name, &holder, count, lasts, self.tick);
        let is_over = number == 0 || since.saturating_add(lasts) <= self.tick;
        Ok(Some((holder, number, is_over)))
    }

    /// Begins to watch all offices: each term gets its full length from here on.
    pub(crate) async fn look_at_terms(&self) -> Result<(), Trouble> {
        let sql = "SELECT name, holder, number, renewals, lasts FROM terms";
        let rows = self.rows(sql, &[]).await?;
        let mut watch = self.base.watches.lock();
        for row in &rows {
            let count = count(row.try_get(2)?, row.try_get(3)?);
            let lasts = Duration::from_millis(row.try_get::<_, i64>(4)?.max(0).unsigned_abs());
            watch.look_at_term(row.try_get(0)?, row.try_get(1)?, count, lasts, self.tick);
        }
        Ok(())
    }
}
