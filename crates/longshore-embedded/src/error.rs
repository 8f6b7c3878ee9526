//! What SQLite's errors mean for the store.

use longshore_core::failpoint::Injected;
use longshore_core::store::StoreError;
use rusqlite::ffi;

/// Why a transaction did not come about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// No room on the disk: nothing was changed.
    #[error("no room on the disk")]
    Full,
    /// What was written may not be on the disk, or what is there cannot be trusted.
    #[error("{0}")]
    Fatal(String),
    /// This request cannot be served; others can.
    #[error("{0}")]
    Failed(String),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        let Some(code) = error.sqlite_error().map(|error| error.extended_code) else {
            return Self::Failed(error.to_string());
        };
        match (code & 0xff, code) {
            (ffi::SQLITE_FULL, _)
            | (
                _,
                ffi::SQLITE_IOERR_SHMSIZE | ffi::SQLITE_IOERR_SHMMAP | ffi::SQLITE_IOERR_SHMOPEN,
            ) => Self::Full,
            (_, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => {
                Self::Fatal(format!("a sync (fsync) failed: {error} (code {code})"))
            }
            (ffi::SQLITE_IOERR | ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB, _) => {
                Self::Fatal(format!("{error} (code {code})"))
            }
            _ => Self::Failed(format!("{error} (code {code})")),
        }
    }
}

impl From<Injected> for Trouble {
    fn from(injected: Injected) -> Self {
        Self::Failed(injected.to_string())
    }
}

impl From<serde_json::Error> for Trouble {
    fn from(error: serde_json::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Full => Self::Full,
            Trouble::Fatal(why) => Self::Fatal { why: why.into() },
            Trouble::Failed(why) => Self::Unavailable { why },
        }
    }
}
