//! Of many servers on one store, one does the duties that one can do for all.
//!
//! It costs the others nothing: what they ask of the store anyhow shows whether the term is renewed. Nothing depends on there being only one: each duty is
//! one transaction that finds what is left to do, so two leaders at a time, one of them stopped past its
//! term, do no harm.

use longshore_core::store::{Store, StoreError, Term};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// The office.
const OFFICE: &str = "upkeep";
/// How long a term lasts without being renewed.
const LASTS: Duration = Duration::from_secs(15);
/// How often it is renewed.
const EVERY: Duration = Duration::from_secs(5);
/// How often it is asked for: a store that has seen somebody renew it answers without a look.
const ASKED: Duration = Duration::from_secs(1);

/// Whether this server is the one.
#[derive(Debug, Clone)]
pub(crate) struct Leader(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    office: String,
    store: Arc<dyn Store>,
    holder: Arc<str>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    term: Option<Term>,
    asked: Option<Instant>,
}

impl Leader {
    pub(crate) fn new(store: Arc<dyn Store>, holder: Arc<str>) -> Self {
        Self::of(OFFICE.to_owned(), store, holder)
    }

    /// The same, for an office of its own.
    pub(crate) fn of(office: String, store: Arc<dyn Store>, holder: Arc<str>) -> Self {
        Self(Arc::new(Shared { office, store, holder, seen: Mutex::default() }))
    }

    /// Returns nothing if this server is to do the duties now, else how long to wait before asking again. A
    /// store that is ours alone has no other.
    pub(crate) async fn wait(&self) -> Result<Option<Duration>, StoreError> {
        let Shared { office, store, holder, seen } = &*self.0;
        if !store.is_shared() {
            return Ok(None);
        }
        let mut seen = seen.lock().await;
        let every = if seen.term.is_some() { EVERY } else { ASKED };
        if seen.asked.is_none_or(|asked| asked.elapsed() >= every) {
            seen.asked = Some(Instant::now());
            let kept = match seen.term.take() {
                Some(term) => store.renew(&term, LASTS).await?.then_some(term),
                None => None,
            };
            seen.term = match kept {
                Some(term) => Some(term),
                None => store.acquire(office, holder, LASTS).await?,
            };
        }
        Ok(if seen.term.is_some() { None } else { Some(ASKED) })
    }
}
