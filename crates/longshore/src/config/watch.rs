//! Noticing that the files of a configuration have changed.
//!
//! Folders are watched rather than files: editors and ConfigMaps put a new file or link in the
//! place of the old one. What counts in the end is what the files say, so a touch is no change.

use super::model::Config;
use super::prints::Prints;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// It must have been quiet so long before the files are looked at.
const QUIET: Duration = Duration::from_millis(200);
/// They are looked at after this even if it does not become quiet.
const PATIENCE: Duration = Duration::from_secs(2);

/// The system does not watch a folder.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch {folder} for changes: {source}; SIGHUP still reloads", folder = folder.display())]
pub struct WatchError {
    folder: PathBuf,
    source: notify::Error,
}

/// Tells when files may have changed.
#[derive(Debug)]
pub struct Watch {
    watcher: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
    prints: Prints,
    signal: Arc<Signal>,
    /// Something happened that was not looked at yet: it outlives a [`Watch::changed`] that was
    /// dropped in the middle.
    stirred: bool,
}

#[derive(Debug, Default)]
struct Signal {
    woken: Notify,
    poked: AtomicBool,
}

/// Asks a [`Watch`] to report a change, whether there is one or not: for SIGHUP.
#[derive(Debug, Clone)]
pub struct Poke(Arc<Signal>);

impl Poke {
    /// Makes the watch report a change.
    pub fn poke(&self) {
        self.0.poked.store(true, Ordering::Release);
        self.0.woken.notify_one();
    }
}

impl Watch {
    /// Watches the files of a configuration, from the moment on when they were read.
    pub fn of(config: &Config) -> Result<Self, WatchError> {
        let signal = Arc::new(Signal::default());
        let wake = signal.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading is no change, and we read. An error may have cost us an event: look.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                wake.woken.notify_one();
            }
        });
        let watcher = watcher.map_err(|source| WatchError { folder: PathBuf::new(), source })?;
        let (folders, prints) = (BTreeSet::new(), Prints::default());
        let mut watch = Self { watcher, folders, prints, signal, stirred: false };
        watch.follow(config)?;
        Ok(watch)
    }

    /// Watches the files of this configuration instead: after a reload others may have a part.
    ///
    /// Asks the system about files: call it where blocking is fine.
    pub fn follow(&mut self, config: &Config) -> Result<(), WatchError> {
        let folders: BTreeSet<PathBuf> = config.files().flat_map(folders).collect();
        for gone in self.folders.difference(&folders) {
            // A folder that went away is not watched any more anyway.
            let _ = self.watcher.unwatch(gone);
        }
        for folder in folders.difference(&self.folders) {
            self.watcher
                .watch(folder, RecursiveMode::NonRecursive)
                .map_err(|source| WatchError { folder: folder.clone(), source })?;
        }
        self.folders = folders;
        self.prints = config.files.clone();
        // They may have changed since they were read, before anybody watched.
        self.stirred = true;
        Ok(())
    }

    /// Returns a handle that makes the watch report a change.
    pub fn poke(&self) -> Poke {
        Poke(self.signal.clone())
    }

    /// Returns once a file says something else than before, or somebody poked. Several changes in
    /// a short time are one. May be dropped and called again: nothing is lost.
    pub async fn changed(&mut self) {
        loop {
            if !self.stirred {
                self.signal.woken.notified().await;
                self.stirred = true;
            }
            self.settle().await;
            let before = self.prints.clone();
            let now = tokio::task::spawn_blocking(move || before.now()).await;
            self.stirred = false;
            let poked = self.signal.poked.swap(false, Ordering::AcqRel);
            let changed = match now {
                Ok(now) if now == self.prints => false,
                Ok(now) => {
                    self.prints = now;
                    true
                }
                // The runtime is going down.
                Err(_) => false,
            };
            if poked || changed {
                return;
            }
        }
    }

    /// Waits until nothing has happened for a moment. A poke does not wait.
    async fn settle(&self) {
        let end = Instant::now() + PATIENCE;
        while !self.signal.poked.load(Ordering::Acquire) && Instant::now() < end {
            if tokio::time::timeout(QUIET, self.signal.woken.notified()).await.is_err() {
                return;
            }
        }
    }
}

/// The folder of a file, and that of the file behind its links.
fn folders(file: &Path) -> Vec<PathBuf> {
    let parent = |file: &Path| match file.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Some(PathBuf::from(".")),
        folder => folder.map(Path::to_owned),
    };
    let real = std::fs::canonicalize(file).ok().and_then(|file| parent(&file));
    let named = parent(file);
    let same = named.as_ref().and_then(|folder| std::fs::canonicalize(folder).ok()) == real;
    named.into_iter().chain(real.filter(|_| !same)).collect()
}
