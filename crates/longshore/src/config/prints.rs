//! What files said, in short: to tell whether they say something else now.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// Larger files are told apart by their size alone.
const MAX_READ: u64 = 2 << 20;

/// Files, and what each said when it was noted; nothing if it could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Prints(BTreeMap<PathBuf, Option<u64>>);

impl Prints {
    /// Notes a file with what it says now. What was noted first stays.
    pub(super) fn note(&mut self, file: &Path) {
        self.0.entry(file.to_owned()).or_insert_with(|| print(file));
    }

    /// Returns the same files with what they say now.
    pub(super) fn now(&self) -> Self {
        Self(self.0.keys().map(|file| (file.clone(), print(file))).collect())
    }

    /// Returns the files.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }
}

fn print(file: &Path) -> Option<u64> {
    let meta = std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file)?;
    let mut hasher = DefaultHasher::new();
    meta.len().hash(&mut hasher);
    if meta.len() <= MAX_READ {
        std::fs::read(file).ok()?.hash(&mut hasher);
    }
    Some(hasher.finish())
}
