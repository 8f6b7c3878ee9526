//! Ledgers as files of JSON lines.

use super::{Ledgers, Report};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

const CLIENTS: &str = "clients.jsonl";
const ACTS: &str = "acts.jsonl";
const EFFECTS: &str = "effects.jsonl";
const OBSERVATIONS: &str = "observations.jsonl";
const FAULTS: &str = "faults.jsonl";

/// A ledger could not be read or written.
#[derive(Debug)]
pub enum LedgerError {
    /// The file could not be read or written.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is no entry.
    Line {
        /// In which file.
        path: PathBuf,
        /// Which, from 1.
        number: usize,
        /// Why.
        source: serde_json::Error,
    },
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Line { path, number, source } => {
                write!(f, "{}, line {number}: {source}", path.display())
            }
        }
    }
}

impl std::error::Error for LedgerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { source, .. } => Some(source),
            Self::Line { source, .. } => Some(source),
        }
    }
}

impl Ledgers {
    /// Reads `clients.jsonl`, `effects.jsonl`, `observations.jsonl` and, if they are there,
    /// `acts.jsonl` and `faults.jsonl`. A torn last line (no newline, no JSON) is left out: its writer was killed.
    /// Any other bad line is an error, and so is a missing ledger: nothing passes unread.
    pub fn read_dir(dir: &Path) -> Result<Self, LedgerError> {
        Ok(Self {
            clients: read(&dir.join(CLIENTS))?,
            acts: read_if_there(&dir.join(ACTS))?,
            effects: read(&dir.join(EFFECTS))?,
            observations: read(&dir.join(OBSERVATIONS))?,
            faults: read_if_there(&dir.join(FAULTS))?,
        })
    }

    /// Writes all five files, as [`Ledgers::read_dir`] reads them.
    pub fn write_dir(&self, dir: &Path) -> Result<(), LedgerError> {
        write(&dir.join(CLIENTS), &self.clients)?;
        write(&dir.join(ACTS), &self.acts)?;
        write(&dir.join(EFFECTS), &self.effects)?;
        write(&dir.join(OBSERVATIONS), &self.observations)?;
        write(&dir.join(FAULTS), &self.faults)
    }
}

impl Report {
    /// Returns the report as one JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report holds numbers and texts only")
    }
}

fn read_if_there<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, LedgerError> {
    match read(path) {
        Err(LedgerError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
            Ok(Vec::new())
        }
        read => read,
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, LedgerError> {
    let path_of = || path.to_owned();
    let bytes =
        std::fs::read(path).map_err(|source| LedgerError::File { path: path_of(), source })?;
    let mut entries = Vec::new();
    for (n, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        match serde_json::from_slice(line) {
            Ok(entry) => entries.push(entry),
            Err(_) if !line.ends_with(b"\n") || line == b"\n" => {}
            Err(source) => {
                return Err(LedgerError::Line { path: path_of(), number: n + 1, source });
            }
        }
    }
    Ok(entries)
}

fn write<T: Serialize>(path: &Path, entries: &[T]) -> Result<(), LedgerError> {
    let write = || {
        let mut file = BufWriter::new(File::create(path)?);
        for entry in entries {
            serde_json::to_writer(&mut file, entry)?;
            file.write_all(b"\n")?;
        }
        file.flush()
    };
    write().map_err(|source| LedgerError::File { path: path.to_owned(), source })
}
