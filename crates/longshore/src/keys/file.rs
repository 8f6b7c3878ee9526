//! Reading a key file, and changing it so that nobody ever sees half of it.

use super::document;
use longshore_http::auth::Key;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 8 << 20;
/// How long is waited for another writer, which needs a moment only.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks whether it is done.
const LOOK: Duration = Duration::from_millis(20);
/// Read and written by its owner alone.
const MODE: u32 = 0o600;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It is not there.
    #[error("there is no file {file}; make the first key: longshore key new --keys {file} …", file = file.display())]
    Missing {
        /// Where it should be.
        file: PathBuf,
    },
    /// The system does not give it.
    #[error("{file} cannot be read: {source}", file = file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What it says is wrong; nothing of it holds.
    #[error("{file}{place}: {why}", file = file.display(), place = place(*line))]
    Wrong {
        /// Which.
        file: PathBuf,
        /// The line, if it is known.
        line: Option<usize>,
        /// What is wrong.
        why: String,
    },
    /// It was not written; it is as it was.
    #[error("{file} cannot be written: {source}", file = file.display())]
    Unwritable {
        /// Which.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn place(line: Option<usize>) -> String {
    line.map(|line| format!(":{line}")).unwrap_or_default()
}

/// A key file.
#[derive(Debug, Clone)]
pub struct KeyFile(PathBuf);

impl KeyFile {
    /// Names it. Nothing is opened yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Reads all keys. With one fault in the file there are none.
    ///
    /// Reads a file, as [`KeyFile::change`] does: call it where blocking is fine.
    pub fn read(&self) -> Result<Vec<Key>, KeyFileError> {
        let file = || self.0.clone();
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => KeyFileError::Missing { file: file() },
            _ => KeyFileError::Unreadable { file: file(), source },
        };
        let wrong = |line, why| KeyFileError::Wrong { file: file(), line, why };
        // Opening a pipe would wait for somebody.
        if !fs::metadata(&self.0).map_err(unreadable)?.is_file() {
            return Err(wrong(None, "is no regular file".into()));
        }
        let mut bytes = Vec::new();
        let opened = File::open(&self.0).map_err(unreadable)?;
        opened.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(wrong(None, "is too large".into()));
        }
        let text = String::from_utf8(bytes).map_err(|_| wrong(None, "is not UTF-8".into()))?;
        document::read(&text).map_err(|bad| wrong(bad.line, bad.why))
    }

    /// Changes it: reads the keys (none if there is no file), lets `change` have them, and writes what it
    /// leaves. Writers wait for each other. When it returns, the new file is on disk in place of the
    /// old one; if `change` fails, the old one stays.
    pub fn change<T, E: From<KeyFileError>>(
        &self,
        change: impl FnOnce(&mut Vec<Key>) -> Result<T, E>,
    ) -> Result<T, E> {
        let unwritable = |source| KeyFileError::Unwritable { file: self.0.clone(), source };
        let _alone = self.lock().map_err(unwritable)?;
        let mut keys = match self.read() {
            Err(KeyFileError::Missing { .. }) => Vec::new(),
            read => read?,
        };
        let done = change(&mut keys)?;
        self.write(&document::write(&keys)).map_err(unwritable)?;
        Ok(done)
    }

    /// Keeps other writers out until it is dropped. The lock is a file of its own, for the other one is
    /// replaced.
    fn lock(&self) -> io::Result<File> {
        let path = beside(&self.target(), ".lock");
        let lock = OpenOptions::new().create(true).append(true).mode(MODE).open(path)?;
        let until = Instant::now() + PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() > until => {
                    let why = "another program is changing it, and does not end";
                    return Err(io::Error::new(io::ErrorKind::WouldBlock, why));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
            }
        }
    }

    /// The file itself, if it is named by a link: the link must not be what is replaced.
    fn target(&self) -> PathBuf {
        fs::canonicalize(&self.0).unwrap_or_else(|_| self.0.clone())
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let target = self.target();
        let fresh = beside(&target, ".new");
        // What a writer left behind that died here. We hold the lock.
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &target)?;
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

/// A file of the same name with more at its end, in the same folder.
fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(end);
    file.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::{TenantName, Timestamp};
    use longshore_http::auth::{Grant, QueueGlob, Role};
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn key() -> Key {
        let grant = Grant {
            name: None,
            tenant: TenantName::default(),
            roles: vec![Role::Read],
            queues: vec![QueueGlob::any()],
        };
        Key::new("live", grant, Timestamp(0), None).unwrap().0
    }

    fn add(file: &KeyFile) -> Result<(), KeyFileError> {
        file.change(|keys| {
            keys.push(key());
            Ok(())
        })
    }

    #[test]
    fn a_new_file_is_its_owners_alone_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::new(folder.path().join("keys"));
        assert!(matches!(file.read(), Err(KeyFileError::Missing { .. })));
        add(&file).unwrap();
        let mode = fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!((file.read().unwrap().len(), mode & 0o777), (1, 0o600));
        assert!(!folder.path().join("keys.new").exists());
    }

    #[test]
    fn many_writers_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::new(folder.path().join("keys"));
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| add(&file).unwrap());
            }
        });
        assert_eq!(file.read().unwrap().len(), 8);
    }

    #[test]
    fn a_change_that_fails_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::new(folder.path().join("keys"));
        add(&file).unwrap();
        let before = fs::read(file.path()).unwrap();
        let failed = file.change(|keys| -> Result<(), KeyFileError> {
            keys.clear();
            Err(KeyFileError::Missing { file: "x".into() })
        });
        assert!(failed.is_err() && fs::read(file.path()).unwrap() == before);
        fs::write(file.path(), "version = 9\n").unwrap();
        assert!(matches!(add(&file), Err(KeyFileError::Wrong { .. })));
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "version = 9\n");
    }

    #[test]
    fn a_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        add(&KeyFile::new(&real)).unwrap();
        symlink(&real, &link).unwrap();
        add(&KeyFile::new(&link)).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(KeyFile::new(&real).read().unwrap().len(), 2);
    }
}
