//! The journal that the preloaded shim writes (`xtask/shim/powercut.c` has the format): what a
//! program did to its files, in the order in which it happened. What that leaves on a disk is
//! [`crate::disk`]'s business.

use libtest_mimic::Failed;
use std::path::Path;

/// One thing that happened, and where in the journal it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Length of the journal up to and with this record: it happened before a cut at that length.
    pub(crate) end: u64,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Open { path: String, inode: u64, created: bool },
    Write { inode: u64, offset: u64, data: Vec<u8> },
    Truncate { inode: u64, size: u64 },
    Allocate { inode: u64, size: u64 },
    Unlink { path: String },
    Rename { from: String, to: String },
    MakeDir { path: String },
    SyncBegin { id: u64, of: Synced },
    SyncDone { id: u64, of: Synced },
    SyncFailed { id: u64, of: Synced },
}

/// What a sync was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Synced {
    File(u64),
    Directory(String),
}

const MAGIC: u32 = 0x5455_4350;
const HEADER: usize = 48;

/// Reads a journal. A record that was cut off at the end, by a kill, is left out.
pub(crate) fn read(path: &Path) -> std::io::Result<Vec<Record>> {
    Ok(parse(&std::fs::read(path)?))
}

pub(crate) fn parse(bytes: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    let mut at = 0;
    while let Some((what, len)) = one(&bytes[at..]) {
        at += len;
        records.push(Record { end: at as u64, what });
    }
    records
}

fn one(bytes: &[u8]) -> Option<(What, usize)> {
    let header = bytes.get(..HEADER)?;
    let u32_at = |at: usize| Some(u32::from_le_bytes(header[at..at + 4].try_into().ok()?));
    let u64_at = |at: usize| Some(u64::from_le_bytes(header[at..at + 8].try_into().ok()?));
    assert_eq!(u32_at(0)?, MAGIC, "not a record of the journal");
    let (inode, offset, id) = (u64_at(8)?, u64_at(16)?, u64_at(24)?);
    let (path_len, to_len, data_len) =
        (u32_at(32)? as usize, u32_at(36)? as usize, u32_at(40)? as usize);

    let rest = &bytes[HEADER..];
    let text = |from: usize, len: usize| {
        Some(String::from_utf8_lossy(rest.get(from..from + len)?).into_owned())
    };
    let path = text(0, path_len)?;
    let to = text(path_len, to_len)?;
    let data = rest.get(path_len + to_len..path_len + to_len + data_len)?;
    let of = if offset == 1 { Synced::Directory(path.clone()) } else { Synced::File(inode) };
    let what = match u32_at(4)? {
        1 => What::Open { path, inode, created: offset == 1 },
        2 => What::Write { inode, offset, data: data.to_vec() },
        3 => What::Truncate { inode, size: offset },
        4 => What::Allocate { inode, size: offset },
        5 => What::Unlink { path },
        6 => What::Rename { from: path, to },
        7 => What::MakeDir { path },
        8 => What::SyncBegin { id, of },
        9 => What::SyncDone { id, of },
        10 => What::SyncFailed { id, of },
        other => panic!("the journal has an operation {other} that nobody knows"),
    };
    Some((what, HEADER + path_len + to_len + data_len))
}

pub(crate) fn a_record_cut_off_by_a_kill_is_left_out() -> Result<(), Failed> {
    let mut bytes = Vec::new();
    for path in ["a", "b"] {
        let mut header = Vec::new();
        header.extend(MAGIC.to_le_bytes());
        header.extend(7u32.to_le_bytes());
        header.extend([0; 24]);
        header.extend(1u32.to_le_bytes());
        header.extend([0; 12]);
        bytes.extend(header);
        bytes.extend(path.as_bytes());
    }
    let whole = parse(&bytes);
    assert_eq!(whole.len(), 2);
    assert_eq!(whole[1].end, bytes.len() as u64);
    assert_eq!(whole[0].what, What::MakeDir { path: "a".into() });
    assert_eq!(parse(&bytes[..bytes.len() - 1]).len(), 1);
    assert_eq!(parse(&bytes[..60]).len(), 1);
    Ok(())
}
