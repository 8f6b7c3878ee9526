//! The model as a store: one lock, one clock, one bell for those who wait.

use super::books::Books;
use async_trait::async_trait;
use longshore_core::store::{Condition, Lifecycle, Result, StoreError};
use longshore_core::{Clock, Timestamp};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// The reference store, in memory.
#[derive(Debug)]
pub struct ModelStore {
    clock: Arc<dyn Clock>,
    /// Nothing once it was closed or its process died.
    books: Mutex<Open>,
    changed: Notify,
    /// How late the answers to claims come.
    late: Mutex<Duration>,
    is_shared: AtomicBool,
}

#[derive(Debug)]
struct Open {
    books: Books,
    is_open: bool,
}

/// A copy of everything that a [`ModelStore`] keeps, as it would lie on a disk.
#[derive(Debug, Clone, Default)]
pub struct Image(Books);

impl ModelStore {
    /// Opens an empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::boot(Image::default(), clock)
    }

    /// Opens what `image` holds, in a new epoch: what was held by the process that wrote it has
    /// crashed.
    pub fn boot(image: Image, clock: Arc<dyn Clock>) -> Self {
        let Image(mut books) = image;
        books.boot(clock.now(), clock.monotonic());
        let books = Mutex::new(Open { books, is_open: true });
        Self {
            clock,
            books,
            changed: Notify::new(),
            late: Mutex::default(),
            is_shared: AtomicBool::new(false),
        }
    }

    /// Lets the answers to claims come so much later than the tasks are handed out, by the clock of leases that are
    /// held by this process.
    pub fn answer_claims_late(&self, late: Duration) {
        *self.late.lock().unwrap_or_else(PoisonError::into_inner) = late;
    }

    /// Says from now on that other servers may use it at the same time.
    pub fn be_shared(&self) {
        self.is_shared.store(true, Ordering::Relaxed);
    }

    pub(super) fn late(&self) -> Duration {
        *self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies everything that is kept.
    pub fn image(&self) -> Image {
        Image(self.lock().books.clone())
    }

    /// Lets the process die without releasing anything, and opens what it left. The old store
    /// answers `Closed` from now on.
    pub fn reboot(&self) -> Self {
        self.shut();
        Self::boot(self.image(), Arc::clone(&self.clock))
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Rings when something has changed.
    pub(super) fn changed(&self) -> &Notify {
        &self.changed
    }

    /// Opens the books to read, unless the store was closed.
    pub(super) fn books(&self) -> Result<BooksGuard<'_>> {
        let open = self.lock();
        if open.is_open { Ok(BooksGuard(open)) } else { Err(StoreError::Closed) }
    }

    /// Changes the books in one transaction, then judges who is ready.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Books, Timestamp) -> T) -> Result<T> {
        let now = self.clock.now();
        let mut books = self.books()?;
        let answer = change(&mut books, now);
        books.refresh(now);
        drop(books);
        self.changed.notify_waiters();
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shut(&self) {
        self.lock().is_open = false;
        self.changed.notify_waiters();
    }
}

/// The books of a store that is open.
pub(super) struct BooksGuard<'a>(MutexGuard<'a, Open>);

impl std::ops::Deref for BooksGuard<'_> {
    type Target = Books;
    fn deref(&self) -> &Books {
        &self.0.books
    }
}

impl std::ops::DerefMut for BooksGuard<'_> {
    fn deref_mut(&mut self) -> &mut Books {
        &mut self.0.books
    }
}

#[async_trait]
impl Lifecycle for ModelStore {
    fn is_shared(&self) -> bool {
        self.is_shared.load(Ordering::Relaxed)
    }

    async fn condition(&self) -> Result<Condition> {
        let used_bytes = self.books()?.used_bytes();
        Ok(Condition { used_bytes, log_bytes: 0, full: false, set_aside: 0 })
    }

    async fn close(&self) -> Result<()> {
        self.shut();
        Ok(())
    }
}
