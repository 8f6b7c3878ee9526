//! Reading beside the writer: connections of their own, each question bounded in time, so that
//! none holds the log for long.

use crate::error::Trouble;
use crate::names::Names;
use crate::store;
use longshore_core::State;
use longshore_core::store::{Count, StoreError};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};

/// Threads that read.
const READERS: usize = 2;
/// Questions that may wait at a time; whoever has more waits outside.
const ROOM: usize = 256;
/// How long one question may take.
const DEADLINE: Duration = Duration::from_secs(1);

type Question = Box<dyn FnOnce(&Connection) + Send>;

/// The readers of one file.
#[derive(Debug)]
pub(crate) struct Readers {
    ask: Mutex<Option<mpsc::SyncSender<Question>>>,
    room: Arc<Semaphore>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    pub(crate) fn start(path: &Path) -> Result<Self, Trouble> {
        let (ask, asked) = mpsc::sync_channel::<Question>(ROOM);
        let asked = Arc::new(Mutex::new(asked));
        let mut threads = Vec::new();
        for number in 0..READERS {
            let mut db = Connection::open_with_flags(
                path,
                OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            )?;
            crate::open::keep_log(&db)?;
            crate::open::plan_once(&db)?;
            db.execute_batch(
                "PRAGMA query_only = ON; PRAGMA cache_size = -4096; PRAGMA busy_timeout = 500;",
            )?;
            db.set_prepared_statement_cache_capacity(64);
            let deadline = bound(&mut db)?;
            let asked = asked.clone();
            let thread = std::thread::Builder::new()
                .name(format!("reader-{number}"))
                .spawn(move || {
                    loop {
                        let next = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        let Ok(question) = next else { return };
                        deadline.arm(DEADLINE);
                        question(&db);
                        deadline.disarm();
                    }
                })
                .map_err(|error| Trouble::Failed(error.to_string()))?;
            threads.push(thread);
        }
        let room = Arc::new(Semaphore::new(ROOM));
        Ok(Self { ask: Mutex::new(Some(ask)), room, threads: Mutex::new(threads) })
    }

    /// Asks one question.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let until = tokio::time::Instant::now() + store::DEADLINE;
        let late = StoreError::Deadline { waited: store::DEADLINE };
        let room = self.room.clone().acquire_owned();
        let Ok(room) = tokio::time::timeout_at(until, room).await else { return Err(late) };
        let (tell, told) = oneshot::channel();
        let asked = {
            let ask = self.ask.lock().unwrap_or_else(PoisonError::into_inner);
            ask.as_ref().is_some_and(|ask| {
                // There is room: each question in the channel has its share.
                ask.try_send(Box::new(move |db| {
                    drop(room);
                    if !tell.is_closed() {
                        let _ = tell.send(question(db)); // who has left meanwhile does not care
                    }
                }))
                .is_ok()
            })
        };
        if !asked {
            return Err(StoreError::Closed);
        }
        let Ok(told) = tokio::time::timeout_at(until, told).await else { return Err(late) };
        match told {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error))
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) =>
            {
                Err(StoreError::Deadline { waited: DEADLINE })
            }
            Ok(Err(error)) => Err(StoreError::Unavailable { why: error.to_string() }),
            Err(_) => Err(StoreError::Closed),
        }
    }

    /// Takes no more questions; the threads end after what was asked.
    pub(crate) fn close(&self) {
        self.ask.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Takes no more questions, and waits for the threads.
    pub(crate) fn stop(&self) {
        self.close();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

/// The end of the time that the present question has.
#[derive(Debug, Clone)]
struct Deadline {
    began: Instant,
    /// Milliseconds after `began`.
    at: Arc<AtomicU64>,
}

impl Deadline {
    fn arm(&self, allowed: Duration) {
        let at = (self.began.elapsed() + allowed).as_millis();
        self.at.store(u64::try_from(at).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn disarm(&self) {
        self.at.store(u64::MAX, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.began.elapsed().as_millis() > u128::from(self.at.load(Ordering::Relaxed))
    }
}

/// Interrupts questions that take too long.
fn bound(db: &mut Connection) -> rusqlite::Result<Deadline> {
    let deadline = Deadline { began: Instant::now(), at: Arc::new(AtomicU64::new(u64::MAX)) };
    let watched = deadline.clone();
    db.progress_handler(10_000, Some(move || watched.is_over()))?;
    Ok(deadline)
}

/// Reads the counters.
pub(crate) fn counters(db: &Connection, names: &Names) -> rusqlite::Result<Vec<Count>> {
    let mut select = db.prepare_cached(
        "SELECT tenant, queue, kind, state, count FROM counts WHERE count > 0 AND state < 8",
    )?;
    let mut rows = select.query([])?;
    let mut counts = Vec::new();
    while let Some(row) = rows.next()? {
        let state: u8 = row.get(3)?;
        counts.push(Count {
            tenant: names.tenant(row.get(0)?)?,
            queue: names.queue(row.get(1)?)?,
            kind: names.kind(row.get(2)?)?,
            state: State::from_number(state)
                .ok_or(rusqlite::Error::IntegralValueOutOfRange(3, i64::from(state)))?,
            count: row.get::<_, i64>(4)?.unsigned_abs(),
        });
    }
    counts.sort();
    Ok(counts)
}
