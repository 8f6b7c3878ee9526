//! Terms of leaders.

use super::row::Deadline;
use super::store::ModelStore;
use async_trait::async_trait;
use longshore_core::store::{Leases, Result, Term};
use std::time::Duration;

/// An office that was held at least once.
#[derive(Debug, Clone)]
pub(super) struct Office {
    pub(super) holder: String,
    pub(super) number: u64,
    pub(super) term: Deadline,
}

#[async_trait]
impl Leases for ModelStore {
    async fn acquire(&self, name: &str, holder: &str, lasts: Duration) -> Result<Option<Term>> {
        let monotonic = self.clock().monotonic();
        let mut books = self.books()?;
        let before = books.offices.get(name);
        if before.is_some_and(|o| o.holder != holder && !o.term.is_over(monotonic)) {
            return Ok(None);
        }
        let number = before.map_or(1, |office| office.number + 1);
        let (holder, term) = (holder.to_owned(), Deadline::starting(monotonic, lasts));
        books.offices.insert(name.to_owned(), Office { holder: holder.clone(), number, term });
        Ok(Some(Term { name: name.to_owned(), holder, number }))
    }

    async fn renew(&self, term: &Term, lasts: Duration) -> Result<bool> {
        let monotonic = self.clock().monotonic();
        let mut books = self.books()?;
        let Some(office) = books.offices.get_mut(&term.name) else { return Ok(false) };
        let is_current = office.holder == term.holder && office.number == term.number;
        if !is_current || office.term.is_over(monotonic) {
            return Ok(false);
        }
        office.term = Deadline::starting(monotonic, lasts);
        Ok(true)
    }
}
