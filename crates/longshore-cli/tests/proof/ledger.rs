//! What the witnesses write down: clients what they were told, handlers what they did, an observer
//! what he saw, and whoever breaks things when he did. Nobody here believes the store.

use crate::observe::Tasks;
use libtest_mimic::Failed;
use longshore_conformance::accounting::Wanted;
use serde_json::Value;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// Everything that was written down in one proof, but for the effects.
#[derive(Debug)]
pub(crate) struct Ledger {
    began: Instant,
    /// The same moment by the wall clock, by which handlers in other processes date what they do.
    began_wall: SystemTime,
    entries: Mutex<Vec<Entry>>,
    acts: Mutex<Vec<Act>>,
    faults: Mutex<Vec<(String, Duration)>>,
    looks: Mutex<Vec<(Duration, Tasks)>>,
    /// The journal of the shim, if there is one: its length dates an answer.
    journal: Option<PathBuf>,
}

/// One request to submit a task, and what was answered.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// Where it was sent to.
    pub(crate) path: String,
    pub(crate) body: Value,
    /// The lane that the task is in.
    pub(crate) lane: Option<String>,
    pub(crate) sent: Duration,
    /// When it was answered, or given up.
    pub(crate) answered: Duration,
    pub(crate) told: Told,
    /// The task, if it was accepted.
    pub(crate) id: Option<String>,
    /// Whether the answer said that it is an earlier one again.
    pub(crate) replayed: bool,
    /// Whether the answer was a task that was active already under its unique key.
    pub(crate) existing: bool,
    /// Length of the journal when the answer had come.
    pub(crate) journal: u64,
}

/// One request to do something to a task, and what was answered.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    pub(crate) id: String,
    pub(crate) wanted: Wanted,
    pub(crate) told: Told,
    /// The run that was shown.
    pub(crate) run: Option<u32>,
    /// Whether it was shown as ended.
    pub(crate) ended: bool,
    pub(crate) sent: Duration,
    pub(crate) answered: Duration,
    /// Length of the journal when the answer had come.
    pub(crate) journal: u64,
}

/// A task that was accepted not long ago.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) id: String,
    pub(crate) lane: Option<String>,
}

/// How many of the last tasks are remembered for acts.
const KNOWN: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Accepted,
    /// Refused for good: with a status below 500.
    Refused(u16),
    /// An answer of 500 and more, which promises nothing.
    Broken(u16),
    /// No answer.
    Nothing,
}

impl Told {
    pub(crate) fn is_unknown(self) -> bool {
        matches!(self, Self::Broken(_) | Self::Nothing)
    }
}

impl Ledger {
    pub(crate) fn new(journal: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            began_wall: SystemTime::now(),
            entries: Mutex::default(),
            acts: Mutex::default(),
            faults: Mutex::default(),
            looks: Mutex::default(),
            journal,
        })
    }

    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// What a time in nanoseconds since 1970 is here.
    fn at(&self, since_1970: u64) -> Duration {
        let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(since_1970);
        at.duration_since(self.began_wall).unwrap_or_default()
    }

    /// How long the journal is now: what happened before this call lies below it.
    pub(crate) fn journal_len(&self) -> u64 {
        let journal = self.journal.as_ref();
        journal.and_then(|path| path.metadata().ok()).map_or(0, |metadata| metadata.len())
    }

    pub(crate) fn add(&self, entry: Entry) {
        locked(&self.entries).push(entry);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        locked(&self.entries).clone()
    }

    pub(crate) fn add_act(&self, act: Act) {
        locked(&self.acts).push(act);
    }

    pub(crate) fn acts(&self) -> Vec<Act> {
        locked(&self.acts).clone()
    }

    /// The last tasks that were accepted, the latest at the end.
    pub(crate) fn known(&self) -> Vec<Known> {
        let entries = locked(&self.entries);
        let last = entries.iter().rev().take(KNOWN).rev();
        let known = last.filter_map(|Entry { id, lane, .. }| {
            Some(Known { id: id.clone()?, lane: lane.clone() })
        });
        known.collect()
    }

    /// Every task that was accepted, as often as that was answered.
    pub(crate) fn accepted(&self) -> Vec<Entry> {
        let mut entries = self.entries();
        entries.retain(|entry| entry.told == Told::Accepted);
        entries
    }

    /// Something was broken just now.
    pub(crate) fn fault(&self, name: &str) {
        locked(&self.faults).push((name.to_owned(), self.now()));
    }

    pub(crate) fn faults(&self) -> Vec<(String, Duration)> {
        locked(&self.faults).clone()
    }

    /// An observer saw these tasks.
    pub(crate) fn look(&self, at: Duration, tasks: Tasks) {
        locked(&self.looks).push((at, tasks));
    }

    pub(crate) fn looks(&self) -> Vec<(Duration, Tasks)> {
        locked(&self.looks).clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One thing that a handler did, as it said itself.
#[derive(Debug, Clone)]
pub(crate) struct Effect {
    /// When it was done.
    pub(crate) at: Duration,
    pub(crate) journal: u64,
    pub(crate) told: Value,
}

/// Collects effects on a socket; it lives in the test's process, which nothing is done to.
#[derive(Debug)]
pub(crate) struct Effects {
    pub(crate) socket: PathBuf,
    collected: Arc<Mutex<Vec<Effect>>>,
    over: Arc<AtomicBool>,
    collector: Option<JoinHandle<()>>,
}

impl Effects {
    pub(crate) fn collect(folder: &Path, clients: &Arc<Ledger>) -> Result<Self, Failed> {
        let socket = folder.join("effects.sock");
        let receiver = UnixDatagram::bind(&socket)?;
        receiver.set_read_timeout(Some(Duration::from_millis(50)))?;
        let collected = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let collector = std::thread::spawn({
            let (collected, over, clients) =
                (Arc::clone(&collected), Arc::clone(&over), Arc::clone(clients));
            move || {
                let mut buffer = vec![0; 64 * 1024];
                while !over.load(Ordering::Relaxed) {
                    let Ok(len) = receiver.recv(&mut buffer) else { continue };
                    let told = serde_json::from_slice(&buffer[..len]).unwrap_or(Value::Null);
                    let journal = clients.journal_len();
                    let at = told["at"].as_u64().map_or_else(|| clients.now(), |at| clients.at(at));
                    let effect = Effect { at, journal, told };
                    locked(&collected).push(effect);
                }
            }
        });
        Ok(Self { socket, collected, over, collector: Some(collector) })
    }

    pub(crate) fn all(&self) -> Vec<Effect> {
        locked(&self.collected).clone()
    }

    /// How often a handler began to run this task.
    pub(crate) fn starts_of(&self, id: &str) -> usize {
        self.all().iter().filter(|effect| effect.is_start() && effect.id() == id).count()
    }
}

impl Drop for Effects {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(collector) = self.collector.take() {
            let _ = collector.join();
        }
    }
}

impl Effect {
    pub(crate) fn id(&self) -> &str {
        self.told["id"].as_str().unwrap_or_default()
    }

    pub(crate) fn is_start(&self) -> bool {
        self.told["event"] == "start"
    }

    /// The fencing token, which grows from opening to opening.
    pub(crate) fn token(&self) -> Option<i64> {
        let token = &self.told["token"];
        token.as_i64().or_else(|| token.as_str()?.parse().ok())
    }
}
