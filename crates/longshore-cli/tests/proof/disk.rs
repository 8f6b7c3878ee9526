//! What a disk may hold after the power went away, computed from a journal.
//!
//! Kept for sure is only what was written before a sync that completed before the cut. Every later
//! write is kept, dropped or torn at sectors, each on its own; sizes likewise; a name whose folder
//! was not synced may be gone, and one that was removed may be back. That is harsher than most file
//! systems, and no harsher than POSIX.

use crate::journal::{Record, Synced, What};
use fastrand::Rng;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const SECTOR: usize = 512;

/// The disk as it was told by the journal so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    /// Which file an inode number means now (numbers are used again after an unlink).
    inodes: HashMap<u64, usize>,
    /// Names as the program sees them: a file, or a folder.
    names: BTreeMap<String, Entry>,
    /// Names that are on the disk for sure, and what may have happened to them since.
    synced_names: BTreeMap<String, Entry>,
    pending_names: Vec<NameChange>,
    name_changes: usize,
    /// Syncs under way: what they cover.
    begun: HashMap<u64, Begun>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    File(usize),
    Folder,
}

#[derive(Debug, Clone, Default)]
struct File {
    synced: Vec<u8>,
    pending: Vec<Pending>,
    /// How many changes there were before those in `pending`.
    settled: usize,
}

#[derive(Debug, Clone)]
struct Pending {
    change: Change,
    luck: Luck,
}

/// Whether a change that came before a sync is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Luck {
    /// No sync covers it yet.
    Open,
    /// A sync that covered it completed; it only waits here behind a lost one.
    Kept,
    /// The sync that covered it failed, and the kernel forgot that it was dirty: no later sync helps.
    Lost,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    Truncate(usize),
    Allocate(usize),
}

#[derive(Debug, Clone)]
struct NameChange {
    /// Its place among all changes of names.
    number: usize,
    folder: String,
    /// A rename has two folders; it reaches the disk with either.
    other: Option<String>,
    what: NameWhat,
}

#[derive(Debug, Clone)]
enum NameWhat {
    Add(String, Entry),
    Remove(String),
    Rename(String, String, Entry),
}

#[derive(Debug, Clone)]
enum Begun {
    File { file: usize, upto: usize },
    Folder { path: String, upto: usize },
}

impl Disk {
    /// A disk that holds what is in `folder`, all of it synced.
    pub(crate) fn holding(folder: &Path) -> std::io::Result<Self> {
        let mut disk = Self::default();
        disk.hold(folder, "")?;
        disk.synced_names = disk.names.clone();
        Ok(disk)
    }

    fn hold(&mut self, folder: &Path, prefix: &str) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                self.names.insert(name.clone(), Entry::Folder);
                self.hold(&entry.path(), &format!("{name}/"))?;
            } else {
                let file = self.new_file();
                self.files[file].synced = std::fs::read(entry.path())?;
                self.names.insert(name, Entry::File(file));
            }
        }
        Ok(())
    }

    /// The next thing happens.
    pub(crate) fn apply(&mut self, record: &Record) {
        match &record.what {
            What::Open { path, inode, created } => self.open(path, *inode, *created),
            What::Write { inode, offset, data } => {
                self.change(*inode, Change::Write { offset: *offset as usize, data: data.clone() });
            }
            What::Truncate { inode, size } => self.change(*inode, Change::Truncate(*size as usize)),
            What::Allocate { inode, size } => self.change(*inode, Change::Allocate(*size as usize)),
            What::MakeDir { path } => {
                self.names.insert(path.clone(), Entry::Folder);
                self.rename_later(path, None, NameWhat::Add(path.clone(), Entry::Folder));
            }
            What::Unlink { path } => {
                self.names.remove(path);
                self.rename_later(path, None, NameWhat::Remove(path.clone()));
            }
            What::Rename { from, to } => {
                let Some(entry) = self.names.remove(from) else { return };
                self.names.insert(to.clone(), entry);
                let what = NameWhat::Rename(from.clone(), to.clone(), entry);
                self.rename_later(from, Some(folder_of(to)), what);
            }
            What::SyncBegin { id, of } => self.begin(*id, of),
            What::SyncDone { id, .. } => self.done(*id),
            What::SyncFailed { id, .. } => self.failed(*id),
        }
    }

    /// Writes into the empty folder `to` what could be found there if the power went away now.
    pub(crate) fn cut(&self, rng: &mut Rng, to: &Path) -> std::io::Result<()> {
        let mut names = self.synced_names.clone();
        for change in &self.pending_names {
            if rng.bool() {
                change.what.apply(&mut names);
            }
        }
        std::fs::create_dir_all(to)?;
        for (name, entry) in &names {
            let reachable = folder_of(name).is_empty() || to.join(folder_of(name)).is_dir();
            match entry {
                _ if !reachable => {}
                Entry::Folder => std::fs::create_dir_all(to.join(name))?,
                Entry::File(file) => {
                    std::fs::write(to.join(name), self.files[*file].after_cut(rng))?;
                }
            }
        }
        Ok(())
    }

    fn new_file(&mut self) -> usize {
        self.files.push(File::default());
        self.files.len() - 1
    }

    fn open(&mut self, path: &str, inode: u64, created: bool) {
        let known = match self.names.get(path) {
            Some(Entry::File(file)) if !created => Some(*file),
            _ => None,
        };
        let file = known.unwrap_or_else(|| self.new_file());
        self.inodes.insert(inode, file);
        if known.is_none() {
            self.names.insert(path.to_owned(), Entry::File(file));
            self.rename_later(path, None, NameWhat::Add(path.to_owned(), Entry::File(file)));
        }
    }

    fn change(&mut self, inode: u64, change: Change) {
        if let Some(file) = self.inodes.get(&inode) {
            self.files[*file].pending.push(Pending { change, luck: Luck::Open });
        }
    }

    fn rename_later(&mut self, path: &str, other: Option<String>, what: NameWhat) {
        let number = self.name_changes;
        self.name_changes += 1;
        self.pending_names.push(NameChange { number, folder: folder_of(path), other, what });
    }

    fn begin(&mut self, id: u64, of: &Synced) {
        let begun = match of {
            Synced::File(inode) => {
                let Some(file) = self.inodes.get(inode).copied() else { return };
                let upto = self.files[file].settled + self.files[file].pending.len();
                Begun::File { file, upto }
            }
            Synced::Directory(path) => {
                Begun::Folder { path: path.clone(), upto: self.name_changes }
            }
        };
        self.begun.insert(id, begun);
    }

    fn done(&mut self, id: u64) {
        match self.begun.remove(&id) {
            Some(Begun::File { file, upto }) => self.files[file].settle(upto),
            Some(Begun::Folder { path, upto }) => {
                for change in std::mem::take(&mut self.pending_names) {
                    let here = change.folder == path || change.other.as_ref() == Some(&path);
                    if change.number < upto && here {
                        change.what.apply(&mut self.synced_names);
                    } else {
                        self.pending_names.push(change);
                    }
                }
            }
            None => {}
        }
    }

    fn failed(&mut self, id: u64) {
        if let Some(Begun::File { file, upto }) = self.begun.remove(&id) {
            let file = &mut self.files[file];
            let covered = upto.saturating_sub(file.settled);
            for pending in file.pending.iter_mut().take(covered) {
                if pending.luck == Luck::Open {
                    pending.luck = Luck::Lost;
                }
            }
        }
    }
}

impl File {
    /// A sync that covered the first `upto` changes has completed.
    fn settle(&mut self, upto: usize) {
        let covered = upto.saturating_sub(self.settled);
        for pending in self.pending.iter_mut().take(covered) {
            if pending.luck == Luck::Open {
                pending.luck = Luck::Kept;
            }
        }
        let kept = self.pending.iter().take_while(|pending| pending.luck == Luck::Kept).count();
        for pending in self.pending.drain(..kept) {
            pending.change.apply(&mut self.synced);
        }
        self.settled += kept;
    }

    fn after_cut(&self, rng: &mut Rng) -> Vec<u8> {
        let mut content = self.synced.clone();
        for pending in &self.pending {
            match (pending.luck, rng.u8(0..4)) {
                (Luck::Kept, _) | (Luck::Open, 0 | 1) => pending.change.apply(&mut content),
                (Luck::Open, 2) => pending.change.apply_torn(&mut content, rng),
                (Luck::Open, _) | (Luck::Lost, _) => pending.change.leave_size(&mut content, rng),
            }
        }
        content
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => put(content, *offset, data),
            Self::Truncate(size) => content.resize(*size, 0),
            Self::Allocate(size) => content.resize(content.len().max(*size), 0),
        }
    }

    /// Some sectors of a write, and not others.
    fn apply_torn(&self, content: &mut Vec<u8>, rng: &mut Rng) {
        let Self::Write { offset, data } = self else { return };
        let mut at = 0;
        while at < data.len() {
            let next = ((offset + at) / SECTOR + 1) * SECTOR - offset;
            let next = next.min(data.len());
            if rng.bool() {
                put(content, offset + at, &data[at..next]);
            }
            at = next;
        }
    }

    /// A write whose data did not arrive may have made the file longer: by zeros.
    fn leave_size(&self, content: &mut Vec<u8>, rng: &mut Rng) {
        if let Self::Write { offset, data } = self
            && rng.bool()
        {
            content.resize(content.len().max(offset + data.len()), 0);
        }
    }
}

impl NameWhat {
    fn apply(&self, names: &mut BTreeMap<String, Entry>) {
        match self {
            Self::Add(name, entry) => {
                names.insert(name.clone(), *entry);
            }
            Self::Remove(name) => {
                names.remove(name);
            }
            Self::Rename(from, to, entry) => {
                names.remove(from);
                names.insert(to.clone(), *entry);
            }
        }
    }
}

fn put(content: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if content.len() < offset + data.len() {
        content.resize(offset + data.len(), 0);
    }
    content[offset..offset + data.len()].copy_from_slice(data);
}

fn folder_of(path: &str) -> String {
    path.rsplit_once('/').map_or_else(String::new, |(folder, _)| folder.to_owned())
}
