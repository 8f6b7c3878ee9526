//! The thread that runs round after round.

use super::group::Rounds;
use super::{Inbox, Job};
use crate::checkpoint::{BRAKE, Checkpointer};
use crate::error::Trouble;
use crate::open::{Boot, Opened};
use crate::schema::PAGE_SIZE;
use crate::tasks::Desk;
use longshore_core::store::StoreError;
use longshore_core::{Clock, failpoint};
use rusqlite::Connection;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The longest sleep of an idle writer.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Starts the writer; returns once what the last process held was taken back. Whoever is to be told of its end finds the sender gone.
pub(crate) fn start(
    opened: Opened,
    inbox: Arc<Inbox>,
    clock: Arc<dyn Clock>,
) -> Result<(JoinHandle<()>, watch::Receiver<()>), Trouble> {
    let (tell, told) = mpsc::channel();
    let (ending, ended) = watch::channel(());
    let thread = std::thread::Builder::new().name("writer".into()).spawn(move || {
        let _ending = ending; // the last to be dropped
        let Opened { db, path, names, mut room, mut checkpointer, boot, lock } = opened;
        let mut trusted = true;
        // Whatever ends this thread, nobody must wait for it any more.
        let closing = Closing(inbox.clone());
        {
            let recovered = Desk::new(&db, names, clock).and_then(|mut desk| {
                match recover(&mut desk, boot) {
                    // What died may have filled the disk: then this is what the reserve is for.
                    Err(Trouble::Full) if !room.is_short() => {
                        room.give_up();
                        recover(&mut desk, boot)?;
                    }
                    recovered => recovered?,
                }
                Ok(desk)
            });
            match recovered {
                Ok(desk) => {
                    let _ = tell.send(Ok(()));
                    let (written, closing) =
                        write(Rounds::new(desk, room, path), &inbox, &checkpointer);
                    if let Err(why) = written {
                        trusted = false;
                        checkpointer.stop();
                        tracing::error!(%why, "the store cannot go on");
                        if !closing {
                            refuse_all(&inbox, &why);
                        }
                    }
                }
                Err(trouble) => {
                    trusted = false;
                    let _ = tell.send(Err(trouble));
                }
            }
        }
        drop(closing);
        checkpointer.stop();
        if trusted {
            finish(&db);
        }
        if let Err((_, error)) = db.close() {
            tracing::debug!(%error, "the file was not closed cleanly");
        }
        drop(lock);
    });
    let thread = thread.map_err(|error| Trouble::Failed(error.to_string()))?;
    told.recv().map_err(|_| Trouble::Failed("the writer did not start".into()))??;
    Ok((thread, ended))
}

struct Closing(Arc<Inbox>);

impl Drop for Closing {
    fn drop(&mut self) {
        for job in self.0.close() {
            job.fail(StoreError::Closed);
        }
    }
}

pub(super) fn recover(desk: &mut Desk<'_>, boot: Boot) -> Result<(), Trouble> {
    if !desk.db.is_autocommit() {
        desk.db.execute_batch("ROLLBACK")?;
    }
    desk.memory.epoch = boot.epoch;
    desk.memory.next_seq = boot.next_seq;
    desk.memory.seq_limit = boot.next_seq;
    desk.reload()?;
    desk.db.execute_batch("PRAGMA synchronous = FULL; BEGIN")?;
    desk.begin();
    let moved = desk.recover()?;
    desk.memory.flush(desk.db)?;
    desk.db.execute_batch("COMMIT")?;
    failpoint::pass("boot.recovered")?;
    if !moved.events.is_empty() {
        tracing::warn!(
            tasks = moved.events.len(),
            "the last process died while these ran; they run again"
        );
    }
    Ok(())
}

/// Writes until it is closed, and says whether it was. An error is final: nothing that is written from then on could be
/// trusted, not even a copy of the log.
fn write(
    mut rounds: Rounds<'_>,
    inbox: &Inbox,
    checkpointer: &Checkpointer,
) -> (Result<(), Arc<str>>, bool) {
    let mut jobs: Vec<Job> = Vec::new();
    let mut fatal = None;
    let mut closing = false;
    while fatal.is_none() && !closing {
        let patience = until_next(&rounds);
        inbox.drain(&mut jobs, patience);
        closing = jobs.iter().any(Job::is_close);
        let log_bytes = u64::from(checkpointer.pages()) * u64::from(PAGE_SIZE);
        let asked = std::mem::take(&mut jobs);
        fatal = if closing {
            // Whoever has come in since is served, and nobody comes any more.
            rounds.close(asked.into_iter().chain(inbox.close()), log_bytes).err()
        } else {
            rounds.run(asked, log_bytes).err()
        };
        for queue in rounds.marked() {
            inbox.bells.ring(&queue);
        }
        fatal = fatal.or_else(|| checkpointer.fatal());
        if fatal.is_none() {
            checkpointer.nudge();
        }
        if fatal.is_none() && checkpointer.pages() > BRAKE {
            fatal = brake(rounds.desk.db).err();
        }
    }
    let ended = fatal.map_or(Ok(()), |why| Err(rounds.last_words(&why)));
    rounds.end(&ended);
    (ended, closing)
}

/// Answers everybody with the reason until the store is closed.
fn refuse_all(inbox: &Inbox, why: &Arc<str>) {
    let mut jobs = Vec::new();
    loop {
        inbox.drain(&mut jobs, PATIENCE);
        let closing = jobs.iter().any(Job::is_close);
        for job in jobs.drain(..) {
            job.fail(StoreError::Fatal { why: why.clone() });
        }
        if closing {
            return;
        }
    }
}

fn until_next(rounds: &Rounds<'_>) -> Duration {
    let next = rounds.parked.iter().map(super::parked::Parked::until).min();
    let claims = next.map(|at| at.saturating_duration_since(Instant::now()));
    let messages = rounds.desk.log.patience(rounds.desk.clock.now());
    let homeless = rounds.homeless.patience();
    [claims, messages, homeless].into_iter().flatten().min().unwrap_or(PATIENCE)
}

/// The log has grown too far: waits until all of it is in the main file.
fn brake(db: &Connection) -> Result<(), String> {
    tracing::debug!("the log has grown too far, waiting for it to be copied");
    match db.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).map_err(Trouble::from) {
        Ok(()) | Err(Trouble::Full | Trouble::Failed(_)) => Ok(()),
        Err(Trouble::Fatal(why)) => Err(why),
    }
}

/// Leaves a short log behind, so that the next start is quick.
fn finish(db: &Connection) {
    if let Err(error) = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::debug!(%error, "the log was left as it is");
    }
}
