//! The model of a disk is itself tried: what must be there, what may be, what may not.

use crate::disk::Disk;
use crate::journal::{Record, Synced, What};
use fastrand::Rng;
use libtest_mimic::Failed;
use std::collections::BTreeSet;

/// Everything that a cut may leave of the file `f`, over many seeds; `None`: it is not there.
fn outcomes(story: &[What]) -> Result<BTreeSet<Option<Vec<u8>>>, Failed> {
    let mut disk = Disk::default();
    for what in story {
        disk.apply(&Record { end: 0, what: what.clone() });
    }
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let folder = tempfile::tempdir()?;
        disk.cut(&mut Rng::with_seed(seed), folder.path())?;
        seen.insert(std::fs::read(folder.path().join("f")).ok());
    }
    Ok(seen)
}

fn created() -> What {
    What::Open { path: "f".into(), inode: 7, created: true }
}

fn write(offset: u64, data: &[u8]) -> What {
    What::Write { inode: 7, offset, data: data.to_vec() }
}

fn sync(id: u64, of: Synced) -> [What; 2] {
    [What::SyncBegin { id, of: of.clone() }, What::SyncDone { id, of }]
}

/// A story that begins with a file `f` whose name is on the disk.
fn named(then: Vec<What>) -> Vec<What> {
    let mut story = vec![created()];
    story.extend(sync(900, Synced::Directory(String::new())));
    story.extend(then);
    story
}

fn some(data: &[u8]) -> Option<Vec<u8>> {
    Some(data.to_vec())
}

pub(crate) fn what_was_synced_stays() -> Result<(), Failed> {
    let mut story = named(vec![write(0, b"one")]);
    story.extend(sync(1, Synced::File(7)));
    assert_eq!(outcomes(&story)?, [some(b"one")].into());
    Ok(())
}

pub(crate) fn what_was_not_synced_may_be_there_or_not() -> Result<(), Failed> {
    let mut story = named(vec![write(0, b"one")]);
    story.extend(sync(1, Synced::File(7)));
    story.push(write(3, b"two"));
    let expected = [some(b"one"), some(b"onetwo"), some(b"one\0\0\0")];
    assert_eq!(outcomes(&story)?, expected.into());
    Ok(())
}

pub(crate) fn a_sync_covers_only_what_was_written_before_it_began() -> Result<(), Failed> {
    let story = named(vec![
        write(0, b"a"),
        What::SyncBegin { id: 1, of: Synced::File(7) },
        write(0, b"b"),
        What::SyncDone { id: 1, of: Synced::File(7) },
    ]);
    assert_eq!(outcomes(&story)?, [some(b"a"), some(b"b")].into());
    Ok(())
}

pub(crate) fn a_sync_that_did_not_complete_promises_nothing() -> Result<(), Failed> {
    let story = named(vec![write(0, b"a"), What::SyncBegin { id: 1, of: Synced::File(7) }]);
    assert!(outcomes(&story)?.contains(&some(b"")));
    Ok(())
}

pub(crate) fn a_later_sync_does_not_mend_a_failed_one() -> Result<(), Failed> {
    let mut story = named(vec![
        write(0, b"lost"),
        What::SyncBegin { id: 1, of: Synced::File(7) },
        What::SyncFailed { id: 1, of: Synced::File(7) },
        write(4, b"kept"),
    ]);
    story.extend(sync(2, Synced::File(7)));
    for outcome in outcomes(&story)? {
        let content = outcome.ok_or("the file is gone")?;
        assert_eq!(&content[..], b"\0\0\0\0kept");
    }
    Ok(())
}

pub(crate) fn a_write_is_torn_at_sectors() -> Result<(), Failed> {
    let story = named(vec![write(0, &[1; 1024])]);
    let torn = [vec![1; 512], vec![0; 512]].concat();
    let seen = outcomes(&story)?;
    assert!(seen.contains(&Some(vec![1; 512])) || seen.contains(&Some(torn)));
    for content in seen.into_iter().flatten() {
        for sector in content.chunks(512) {
            assert!(sector.iter().all(|byte| *byte == sector[0]), "torn inside a sector");
        }
    }
    Ok(())
}

pub(crate) fn a_name_is_safe_once_its_folder_is_synced() -> Result<(), Failed> {
    let mut story = vec![created(), write(0, b"x")];
    story.extend(sync(1, Synced::File(7)));
    assert_eq!(outcomes(&story)?, [None, some(b"x")].into());
    story.extend(sync(2, Synced::Directory(String::new())));
    assert_eq!(outcomes(&story)?, [some(b"x")].into());
    story.push(What::Unlink { path: "f".into() });
    assert_eq!(outcomes(&story)?, [None, some(b"x")].into());
    Ok(())
}

pub(crate) fn a_number_used_again_is_another_file() -> Result<(), Failed> {
    let mut story = named(vec![write(0, b"old")]);
    story.extend(sync(1, Synced::File(7)));
    story.push(What::Unlink { path: "f".into() });
    story.extend([created(), write(0, b"new")]);
    story.extend(sync(2, Synced::File(7)));
    let seen = outcomes(&story)?;
    assert!(seen.is_subset(&[None, some(b"old"), some(b"new")].into()), "{seen:?}");
    Ok(())
}

pub(crate) fn a_file_in_a_folder_that_vanished_is_gone() -> Result<(), Failed> {
    let mut story = vec![
        What::MakeDir { path: "d".into() },
        What::Open { path: "d/g".into(), inode: 8, created: true },
    ];
    story.extend(sync(1, Synced::Directory("d".into())));
    let mut disk = Disk::default();
    for what in story {
        disk.apply(&Record { end: 0, what });
    }
    let mut seen = BTreeSet::new();
    for seed in 0..50 {
        let folder = tempfile::tempdir()?;
        disk.cut(&mut Rng::with_seed(seed), folder.path())?;
        seen.insert(folder.path().join("d/g").exists());
    }
    assert_eq!(seen, [false, true].into());
    Ok(())
}
