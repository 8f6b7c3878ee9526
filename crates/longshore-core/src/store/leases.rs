//! Terms of leaders: duties of which there must be one at a time.

use super::Result;
use std::time::Duration;

/// A time in office. Terms of one name grow and never repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The office.
    pub name: String,
    /// Who holds it.
    pub holder: String,
    /// Which term of that office this is.
    pub number: u64,
}

/// Gives out terms.
#[async_trait::async_trait]
pub trait Leases: Send + Sync {
    /// Takes the office if it is free or its term is over; nothing if somebody else is in it.
    async fn acquire(&self, name: &str, holder: &str, lasts: Duration) -> Result<Option<Term>>;

    /// Stays in office; false if the term is over.
    async fn renew(&self, term: &Term, lasts: Duration) -> Result<bool>;
}
