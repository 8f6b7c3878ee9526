//! Room on the disk: a file kept aside, and given up when space runs out.
//!
//! On a full disk accepting is refused, but what runs must still be able to end. So a reserve is
//! allocated at the start and given up at the first "no space"; once there is room for it again,
//! accepting goes on.

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The reserve of a data folder.
#[derive(Debug)]
pub(crate) struct Room {
    path: PathBuf,
    size: u64,
    given_up: bool,
}

impl Room {
    /// Allocates the reserve. A disk that is full from the start is not an error: then it has to
    /// be allocated before anything is accepted.
    pub(crate) fn reserve(dir: &Path, size: u64) -> io::Result<Self> {
        let mut room = Self { path: dir.join("reserve"), size, given_up: true };
        room.recover();
        Ok(room)
    }

    /// Whether accepting has to be refused.
    pub(crate) fn is_short(&self) -> bool {
        self.given_up
    }

    /// Gives the reserve up.
    pub(crate) fn give_up(&mut self) {
        self.given_up = true;
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::error!(%error, "the reserve could not be given up");
        }
    }

    /// Tries to allocate the reserve, with as much left over again, and returns whether there
    /// was room.
    pub(crate) fn recover(&mut self) -> bool {
        if self.given_up && self.allocate().unwrap_or(false) {
            self.given_up = false;
        }
        !self.given_up
    }

    fn allocate(&self) -> io::Result<bool> {
        let kept = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        if kept >= self.size {
            return Ok(true);
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let disk = statvfs(folder)?;
        // Enough for the reserve, and as much again to go on with.
        if disk.f_bavail.saturating_mul(disk.f_frsize) < 2 * self.size {
            return Ok(false);
        }
        let file = File::options().create(true).truncate(false).write(true).open(&self.path)?;
        match fallocate(&file, FallocateFlags::empty(), 0, self.size) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::OPNOTSUPP) => {
                // Some file systems cannot allocate ahead; then there is no reserve to give up.
                file.set_len(self.size)?;
                Ok(true)
            }
            Err(error) => {
                drop(file);
                let _ = std::fs::remove_file(&self.path);
                Err(error.into())
            }
        }
    }
}
