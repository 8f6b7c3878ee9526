//! Moving the log into the main file, beside the writer and never on the way of an accept.
//!
//! A thread with a connection of its own copies (PASSIVE) when the log has grown, or when nothing
//! was written for half a second. The writer itself steps in only when the log has grown beyond
//! [`BRAKE`]. The same thread keeps a [runway](crate::runway) ahead of the log.

use crate::error::Trouble;
use crate::runway::{self, Runway};
use crate::schema::PAGE_SIZE;
use longshore_core::failpoint;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Pages of log at which copying begins: 8 MiB.
const GROWN: u32 = (8 << 20) / PAGE_SIZE;
/// Pages of log at which the writer waits for all of it to be copied: 256 MiB.
pub(crate) const BRAKE: u32 = (256 << 20) / PAGE_SIZE;
/// Bytes of a page in the log: a header comes before each.
const FRAME: u64 = PAGE_SIZE as u64 + 24;
/// How often the thread looks.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
struct Shared {
    /// Pages in the log, as of the last commit.
    pages: AtomicU32,
    /// Pages of it that are in the main file already.
    copied: AtomicU32,
    /// How long the log's file is; without bound while it cannot be made longer.
    length: AtomicU64,
    over: AtomicBool,
    /// An error after which nothing can be trusted.
    fatal: Mutex<Option<String>>,
}

/// The thread that copies.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread. So many bytes of the disk it leaves to others.
    pub(crate) fn start(path: &Path, kept: u64) -> Result<Self, Trouble> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        crate::open::keep_log(&db)?;
        db.execute_batch(
            "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -64; PRAGMA synchronous = FULL;",
        )?;
        let shared = Arc::new(Shared::default());
        let work = shared.clone();
        // Links are followed in this one.
        let runway = Runway::of(db.path().map_or(path, Path::new), kept);
        let thread = std::thread::Builder::new()
            .name("checkpoint".into())
            .spawn(move || work.run(&db, runway))
            .map_err(|error| Trouble::Failed(error.to_string()))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Returns who is to be told how many pages the log has after each commit.
    pub(crate) fn listener(&self) -> impl Fn(u32) + Send + use<> {
        let shared = self.shared.clone();
        move |pages| shared.note(pages)
    }

    /// Returns how many pages the log had after the last commit.
    pub(crate) fn pages(&self) -> u32 {
        self.shared.pages.load(Ordering::Relaxed)
    }

    /// Tells the thread that the log has grown.
    pub(crate) fn nudge(&self) {
        if (self.shared.news() > GROWN || self.shared.needs_runway())
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
    }

    /// Returns the error after which nothing can be trusted, if there was one.
    pub(crate) fn fatal(&self) -> Option<String> {
        self.shared.fatal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the thread.
    pub(crate) fn stop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// Notes how many pages the log has after a commit. Where it shrinks, it has begun anew.
    fn note(&self, pages: u32) {
        if pages < self.pages.swap(pages, Ordering::Relaxed) {
            self.copied.store(0, Ordering::Relaxed);
        }
    }

    /// Pages that were written since the last copy.
    fn news(&self) -> u32 {
        let pages = self.pages.load(Ordering::Relaxed);
        pages.saturating_sub(self.copied.load(Ordering::Relaxed))
    }

    /// Bytes of log, as of the last commit.
    fn bytes(&self) -> u64 {
        u64::from(self.pages.load(Ordering::Relaxed)) * FRAME
    }

    fn needs_runway(&self) -> bool {
        runway::is_needed(self.bytes(), self.length.load(Ordering::Relaxed))
    }

    /// Makes the log's file longer if need be.
    fn extend(&self, runway: &mut Runway) -> Result<(), Trouble> {
        match self.bytes() {
            0 => Ok(()),
            log => self.extended(runway.extend(log, &self.over)),
        }
    }

    /// Notes what came of it. If it cannot be done commits take longer, and that is all; but a fault of the disk in this
    /// file is one of the log.
    fn extended(&self, length: std::io::Result<u64>) -> Result<(), Trouble> {
        let length = match length {
            Ok(length) => length,
            Err(error) if runway::is_fault(&error) => {
                return Err(Trouble::Fatal(format!("the log cannot be made longer: {error}")));
            }
            Err(error) => {
                tracing::debug!(%error, "the log's file was not made longer in advance");
                u64::MAX
            }
        };
        self.length.store(length, Ordering::Relaxed);
        Ok(())
    }

    fn fail(&self, why: String) {
        *self.fatal.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    fn run(&self, db: &Connection, mut runway: Runway) {
        let mut before = 0;
        loop {
            std::thread::park_timeout(LOOK);
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            if let Err(Trouble::Fatal(why)) = self.extend(&mut runway) {
                return self.fail(why);
            }
            let pages = self.pages.load(Ordering::Relaxed);
            let idle = pages == before;
            before = pages;
            let news = self.news();
            if news == 0 || !(idle || news > GROWN) {
                continue;
            }
            match checkpoint(db) {
                Ok(done) => self.copied.store(done, Ordering::Relaxed),
                Err(Trouble::Fatal(why)) => return self.fail(why),
                // A full disk: the log stays, and is copied when there is room.
                Err(error) => tracing::debug!(%error, "copying the log was put off"),
            }
        }
    }
}

/// Copies what can be copied without waiting for anybody; returns how many pages of the log
/// are in the main file now.
fn checkpoint(db: &Connection) -> Result<u32, Trouble> {
    failpoint::pass("checkpoint.before")?;
    let copied = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(2))?;
    failpoint::pass("checkpoint.after")?;
    Ok(u32::try_from(copied).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Error;

    fn with_a_log() -> Shared {
        let shared = Shared::default();
        shared.note(10);
        shared
    }

    #[test]
    fn a_log_that_cannot_be_made_longer_is_not_asked_for_at_each_commit() {
        let folder = tempfile::tempdir().unwrap();
        let mut runway = Runway::of(&folder.path().join("some.db"), 0);
        let shared = with_a_log();
        assert!(shared.needs_runway());
        shared.extend(&mut runway).unwrap(); // there is no file
        assert!(!shared.needs_runway());
        // The next look finds it.
        std::fs::write(folder.path().join("some.db-wal"), [7]).unwrap();
        shared.extend(&mut runway).unwrap();
        assert!(!shared.needs_runway());
        shared.note(1_000);
        assert!(shared.needs_runway(), "it has the length that it has");
    }

    #[test]
    fn a_fault_of_the_disk_is_final_and_nothing_else_is() {
        let told = |number| with_a_log().extended(Err(Error::from_raw_os_error(number)));
        assert!(matches!(told(5), Err(Trouble::Fatal(_))), "EIO");
        for harmless in [24, 27, 28, 30, 122] {
            told(harmless).unwrap(); // EMFILE, EFBIG, ENOSPC, EROFS, EDQUOT
        }
    }
}
