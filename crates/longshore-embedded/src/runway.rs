//! A runway for the log: bytes that are there before they are needed.
//!
//! A sync of bytes that made their file longer also has to write down where the file ends now: on ext4 it takes
//! half as long again as a sync of bytes that were there. So zeros are put behind what is in the log, as much
//! as there is log. SQLite reads a log up to the first frame that is not its own, and zeros are none.
//!
//! They are appended: whatever the writer does meanwhile, no byte that is there is written over. They go in small
//! pieces, each synced by itself (`O_DSYNC`): a commit that comes in between waits for one piece at most.

use rustix::fs::{OFlags, fstatvfs};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// How far ahead of the log's end the runway reaches, at least.
const SHORTEST: u64 = 1 << 20;
/// And at most.
const LONGEST: u64 = 32 << 20;
/// What is appended at once.
const PIECE: usize = 512 << 10;
/// What is appended before something else is looked at.
const TURN: u64 = 8 << 20;
/// A turn is not begun unless so many times as much is free.
const SPARE: u64 = 4;

/// How far ahead of its end a log of so many bytes has a runway.
fn ahead(log: u64) -> u64 {
    log.clamp(SHORTEST, LONGEST)
}

/// Whether a log of so many bytes in a file of `length` will soon be at its end.
pub(crate) fn is_needed(log: u64, length: u64) -> bool {
    log > 0 && length < log + ahead(log) / 2
}

/// Whether the disk, with so many bytes free, can do without what is missing; `kept` is for others.
fn can_spare(free: u64, missing: u64, kept: u64) -> bool {
    free >= missing.saturating_mul(SPARE).saturating_add(kept)
}

/// Whether it was the disk that failed, and not that something was short: then the log's file cannot be trusted. Every
/// descriptor of a file is told of such a fault, so the next commit would hear of it.
pub(crate) fn is_fault(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

/// The file of the log, as it is made longer.
#[derive(Debug)]
pub(crate) struct Runway {
    path: PathBuf,
    /// Bytes of the disk that are not taken.
    kept: u64,
    file: Option<File>,
}

impl Runway {
    /// Takes the log of a main file. SQLite makes it when it first writes.
    pub(crate) fn of(main: &Path, kept: u64) -> Self {
        let mut path = main.as_os_str().to_owned();
        path.push("-wal");
        Self { path: path.into(), kept, file: None }
    }

    /// Appends a turn of what a log of so many bytes lacks, or less if it is `over`. Returns the length of the file.
    pub(crate) fn extend(&mut self, log: u64, over: &AtomicBool) -> io::Result<u64> {
        let kept = self.kept;
        let file = self.open()?;
        let mut length = file.metadata()?.len();
        let wanted = (log + ahead(log)).min(length + TURN);
        if length >= wanted {
            return Ok(length);
        }
        let disk = fstatvfs(&*file)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if !can_spare(free, wanted - length, kept) {
            return Err(ErrorKind::StorageFull.into());
        }
        let zeros = vec![0; PIECE];
        while length < wanted && !over.load(Ordering::Relaxed) {
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
        self.file.as_mut().ok_or_else(|| ErrorKind::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, PIECE, Runway, SHORTEST, can_spare, is_fault, is_needed};
    use std::io::{Read, Seek, SeekFrom, Write};
    use std::sync::atomic::AtomicBool;

    const MIB: u64 = 1 << 20;
    static GOES_ON: AtomicBool = AtomicBool::new(false);

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
        (folder, Runway::of(&main, 0), file)
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
        let length = runway.extend(3 * MIB, &GOES_ON).unwrap();
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
        runway.extend(MIB, &GOES_ON).unwrap();
        // The log has come further than who makes room believes.
        file.seek(SeekFrom::Start(MIB)).unwrap();
        file.write_all(&vec![8; 5 << 20]).unwrap();
        let length = runway.extend(2 * MIB, &GOES_ON).unwrap();
        assert_eq!(length, 6 * MIB);
        let length = runway.extend(6 * MIB, &GOES_ON).unwrap();
        let all = bytes(&mut file);
        assert_eq!(all.len() as u64, length);
        assert!(all[1 << 20..6 << 20].iter().all(|byte| *byte == 8));
    }

    #[test]
    fn a_log_has_a_runway_as_long_as_itself_within_bounds() {
        assert!(!is_needed(0, 0), "a log that is not there needs none");
        assert!(is_needed(1, 1));
        assert!(!is_needed(1, 1 + SHORTEST));
        assert!(!is_needed(8 * MIB, 16 * MIB));
        assert!(is_needed(8 * MIB, 11 * MIB));
        assert!(!is_needed(200 * MIB, 200 * MIB + LONGEST / 2));
    }

    #[test]
    fn a_full_disk_is_left_to_others() {
        assert!(can_spare(20 * MIB, MIB, 16 * MIB));
        assert!(!can_spare(19 * MIB, MIB, 16 * MIB));
        let (_folder, mut runway, mut file) = log(MIB);
        runway.kept = u64::MAX;
        let error = runway.extend(MIB, &GOES_ON).unwrap_err();
        assert!(!is_fault(&error), "{error}");
        assert_eq!(bytes(&mut file).len() as u64, MIB);
    }

    #[test]
    fn one_that_is_over_appends_nothing() {
        let (_folder, mut runway, mut file) = log(MIB);
        assert_eq!(runway.extend(MIB, &AtomicBool::new(true)).unwrap(), MIB);
        assert_eq!(bytes(&mut file).len() as u64, MIB);
    }

    #[test]
    fn without_a_log_there_is_nothing_to_extend() {
        let folder = tempfile::tempdir().unwrap();
        let mut runway = Runway::of(&folder.path().join("some.db"), 0);
        let error = runway.extend(MIB, &GOES_ON).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    }
}
