//! Room for the log, made before it is needed.
//!
//! A sync of bytes that made their file longer also has to write down where the file ends now: it takes
//! half as long again as a sync of bytes that were there. So zeros are put behind what is in the log, as much
//! as there is log. SQLite reads a log up to the first frame that is not its own, and zeros are none.
//!
//! They are appended: whatever the writer does meanwhile, no byte that is there is written over. And each piece
//! is synced by itself (`O_DSYNC`), so that no commit waits for it, and a fault in it is no fault of a commit.

use rustix::fs::{OFlags, fstatvfs};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How far ahead of the log's end there is room, at least and at most.
const AHEAD: (u64, u64) = (1 << 20, 32 << 20);
/// What is appended at once. The writer waits as long as it takes to copy it.
const PIECE: usize = 512 << 10;
/// What is appended before something else is looked at.
const TURN: u64 = 8 << 20;
/// A disk with less left than so many times what is to be appended is left alone.
const SPARE: u64 = 4;

/// How far ahead of its end a log of so many bytes has room.
fn ahead(log: u64) -> u64 {
    log.clamp(AHEAD.0, AHEAD.1)
}

/// Whether a log of so many bytes in a file of `length` will soon be at its end.
pub(crate) fn is_short(log: u64, length: u64) -> bool {
    log > 0 && length < log + ahead(log) / 2
}

/// The file of the log, as it is made longer.
#[derive(Debug)]
pub(crate) struct Runway {
    path: PathBuf,
    file: Option<File>,
}

impl Runway {
    /// Takes the log of a main file. SQLite makes it when it first writes.
    pub(crate) fn of(main: &Path) -> Self {
        let mut path = main.as_os_str().to_owned();
        path.push("-wal");
        Self { path: path.into(), file: None }
    }

    /// Makes room ahead of a log of so many bytes, not necessarily all of it. Returns the length of the file; or an error
    /// where the disk has no room for more than is needed.
    pub(crate) fn extend(&mut self, log: u64) -> io::Result<u64> {
        let file = self.open()?;
        let mut length = file.metadata()?.len();
        let wanted = (log + ahead(log)).min(length + TURN);
        if length >= wanted {
            return Ok(length);
        }
        let disk = fstatvfs(&*file)?;
        if disk.f_bavail.saturating_mul(disk.f_frsize) < SPARE * (wanted - length) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let zeros = vec![0; PIECE];
        while length < wanted {
            file.write_all(&zeros)?;
            length += PIECE as u64;
        }
        Ok(length)
    }

    fn open(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            let synced = OFlags::DSYNC.bits().cast_signed();
            let file = File::options().append(true).custom_flags(synced).open(&self.path)?;
            self.file = Some(file);
        }
        self.file.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use super::{AHEAD, PIECE, Runway, is_short};
    use std::io::{Read, Seek, SeekFrom, Write};

    const MIB: u64 = 1 << 20;

    /// A log of that many bytes, none of which is zero.
    fn log(of: u64) -> (tempfile::TempDir, Runway, std::fs::File) {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("some.db");
        let mut file = std::fs::File::options()
            .create_new(true)
            .read(true)
            .write(true)
            .open(folder.path().join("some.db-wal"))
            .unwrap();
        file.write_all(&vec![7; usize::try_from(of).unwrap()]).unwrap();
        (folder, Runway::of(&main), file)
    }

    fn bytes(file: &mut std::fs::File) -> Vec<u8> {
        let mut all = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut all).unwrap();
        all
    }

    #[test]
    fn zeros_come_behind_what_is_there() {
        let (_folder, mut runway, mut file) = log(3 * MIB);
        let length = runway.extend(3 * MIB).unwrap();
        assert!((6 * MIB..6 * MIB + PIECE as u64).contains(&length), "{length}");
        let all = bytes(&mut file);
        assert_eq!(all.len() as u64, length);
        let (log, room) = all.split_at(3 << 20);
        assert!(log.iter().all(|byte| *byte == 7));
        assert!(room.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn what_was_written_meanwhile_is_not_touched() {
        let (_folder, mut runway, mut file) = log(MIB);
        runway.extend(MIB).unwrap();
        // The log has come further than who makes room believes.
        file.seek(SeekFrom::Start(MIB)).unwrap();
        file.write_all(&vec![8; 5 << 20]).unwrap();
        let length = runway.extend(2 * MIB).unwrap();
        assert_eq!(length, 6 * MIB);
        let length = runway.extend(6 * MIB).unwrap();
        let all = bytes(&mut file);
        assert_eq!(all.len() as u64, length);
        assert!(all[1 << 20..6 << 20].iter().all(|byte| *byte == 8));
    }

    #[test]
    fn a_log_has_as_much_room_as_it_is_long_within_bounds() {
        assert!(!is_short(0, 0), "a log that is not there needs none");
        assert!(is_short(1, 1));
        assert!(!is_short(1, 1 + AHEAD.0));
        assert!(!is_short(8 * MIB, 16 * MIB));
        assert!(is_short(8 * MIB, 11 * MIB));
        assert!(!is_short(200 * MIB, 200 * MIB + AHEAD.1 / 2));
    }

    #[test]
    fn without_a_log_there_is_nothing_to_extend() {
        let folder = tempfile::tempdir().unwrap();
        let error = Runway::of(&folder.path().join("some.db")).extend(MIB).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    }
}
