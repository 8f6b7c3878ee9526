//! Opening the data folder: one owner, the right file, nothing lost, a new epoch.
//!
//! In this order, and each step is on the disk before the next: the lock; the file (made and its
//! folders synced, or checked by its marker, and brought up to this version's format); everything that the last process wrote ahead is
//! moved into the main file, which syncs what only the page cache may have had; the boot epoch
//! grows; what the last process held is taken back. Only then anything is answered.

use crate::checkpoint::Checkpointer;
use crate::error::Trouble;
use crate::names::Names;
use crate::room::Room;
use crate::schema;
use longshore_core::{Clock, SystemClock, failpoint};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::fs::{DirBuilder, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How a data folder is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder; made if it is not there.
    pub dir: PathBuf,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Bytes kept aside so that ends can be recorded on a full disk. Default: 8 MiB.
    pub reserve: u64,
}

impl Options {
    /// Opens that folder, with every default.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), clock: Arc::new(SystemClock), reserve: 8 << 20 }
    }
}

/// Why a data folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process owns it.
    #[error("the data folder {} is in use by process {owner}; one process owns it: stop that one, or name another folder", dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
        /// Its owner, as it wrote itself down.
        owner: String,
    },
    /// The folder or a file in it cannot be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a store of this program, or is damaged.
    #[error("{}: {why}", path.display())]
    NotOurs {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A later version wrote it.
    #[error("{} was written by a later version (format {found}, this program knows {known}); use that version", path.display())]
    TooNew {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: i32,
        /// The newest format this program knows.
        known: i32,
    },
    /// There is no room on the disk.
    #[error("{}: no room on the disk", dir.display())]
    Full {
        /// The folder.
        dir: PathBuf,
    },
}

/// An opened folder, ready for the writer.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) db: Connection,
    pub(crate) path: PathBuf,
    pub(crate) names: Arc<Names>,
    pub(crate) room: Room,
    pub(crate) checkpointer: Checkpointer,
    pub(crate) boot: Boot,
    pub(crate) lock: File,
}

/// What a boot gave out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Boot {
    pub(crate) epoch: u32,
    pub(crate) next_seq: i64,
}

/// How long the writer waits for a checkpoint to get out of its way.
const BUSY: Duration = Duration::from_secs(5);

pub(crate) fn open(options: &Options) -> Result<Opened, OpenError> {
    let dir = &options.dir;
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| OpenError::Io { path, source }
    };
    // Payloads are nobody else's business.
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io(dir))?;
    let lock = lock(dir)?;
    let path = dir.join("longshore.db");
    let trouble = |trouble: Trouble| match trouble {
        Trouble::Full => OpenError::Full { dir: dir.clone() },
        Trouble::Fatal(why) | Trouble::Failed(why) => {
            OpenError::NotOurs { path: path.clone(), why }
        }
    };
    let mut db = connect(&path).map_err(trouble)?;
    prepare(&mut db, &path, options, trouble)?;
    let mut room = Room::reserve(dir, options.reserve).map_err(io(dir))?;
    // At every start: the one that made the folder may have died before it came to this.
    for folder in dir.canonicalize().map_err(io(dir))?.ancestors() {
        match sync_folder(folder) {
            // Not ours to read, so not ours to have made.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => break,
            synced => synced.map_err(io(folder))?,
        }
    }
    match migrate(&mut db) {
        Err(Trouble::Full) => {
            room.give_up();
            migrate(&mut db)
        }
        migrated => migrated,
    }
    .map_err(trouble)?;
    injected("boot.migrated").map_err(trouble)?;
    let boot = match settle_log(&db).and_then(|()| new_epoch(&mut db)) {
        Err(Trouble::Full) => {
            room.give_up();
            settle_log(&db).and_then(|()| new_epoch(&mut db))
        }
        boot => boot,
    }
    .map_err(trouble)?;
    injected("boot.epoch_synced").map_err(trouble)?;
    let checkpointer = Checkpointer::start(&path, 2 * options.reserve).map_err(trouble)?;
    let listener = checkpointer.listener();
    db.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count: i32| {
        listener(count.unsigned_abs());
        Ok(())
    }))
    .map_err(|error| trouble(error.into()))?;
    let names = Arc::new(Names::default());
    Ok(Opened { db, path, names, room, checkpointer, boot, lock })
}

/// A fail point between two durable steps.
fn injected(point: &'static str) -> Result<(), Trouble> {
    Ok(failpoint::pass(point)?)
}

/// Takes the folder. The lock is a file of its own: closing a second descriptor of the database
/// would drop SQLite's locks.
fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("lock");
    let io = |source| OpenError::Io { path: path.clone(), source };
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            file.read_to_string(&mut owner).map_err(io)?;
            let owner = owner.trim().to_owned();
            return Err(OpenError::InUse { dir: dir.to_path_buf(), owner });
        }
        Err(TryLockError::Error(error)) => return Err(io(error)),
    }
    file.set_len(0).map_err(io)?;
    file.rewind().map_err(io)?;
    writeln!(file, "{}", std::process::id()).map_err(io)?;
    Ok(file)
}

fn sync_folder(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

fn connect(path: &Path) -> Result<Connection, Trouble> {
    let db = Connection::open(path)?;
    keep_log(&db)?;
    plan_once(&db)?;
    db.busy_timeout(BUSY)?;
    db.execute_batch(
        "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768; PRAGMA foreign_keys = OFF;",
    )?;
    Ok(db)
}

/// Closing never copies or removes the log. After a failed sync it is the only whole copy: SQLite
/// syncs the main file only when all of the log is in it, and a sync that is tried again may
/// succeed although pages were dropped.
pub(crate) fn keep_log(db: &Connection) -> rusqlite::Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

/// A statement is planned once, whatever it is asked about. Otherwise SQLite plans each one that has a
/// variable in its `LIMIT` anew whenever that is bound, which was a seventh of the writer's time.
pub(crate) fn plan_once(db: &Connection) -> rusqlite::Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Makes a new file ours, or makes sure that an old one is.
fn prepare(
    db: &mut Connection,
    path: &Path,
    options: &Options,
    trouble: impl Fn(Trouble) -> OpenError,
) -> Result<(), OpenError> {
    let not_ours = |why: &str| OpenError::NotOurs { path: path.to_path_buf(), why: why.into() };
    let number = |db: &Connection, name: &str| {
        db.pragma_query_value(None, name, |row| row.get::<_, i32>(0))
            .map_err(|error| trouble(error.into()))
    };
    let version = number(db, "user_version")?;
    let application = number(db, "application_id")?;
    if version == 0 && application == 0 {
        let tables: i64 = db
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(|error| trouble(error.into()))?;
        if tables > 0 {
            return Err(not_ours("this is a database of another program"));
        }
        return create(db, options).map_err(trouble);
    }
    if application != schema::APPLICATION_ID {
        return Err(not_ours("this is a database of another program"));
    }
    if version > schema::VERSION {
        let path = path.to_path_buf();
        return Err(OpenError::TooNew { path, found: version, known: schema::VERSION });
    }
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL;",
    )
    .map_err(|error| trouble(error.into()))?;
    let marker: (String, u32) = db
        .query_row(
            "SELECT value, (SELECT value FROM meta WHERE key = 'marker_sum') FROM meta WHERE key = 'marker'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .map_err(|_| not_ours("the marker row is missing: the file is damaged; restore a backup"))?;
    if crc32fast::hash(marker.0.as_bytes()) != marker.1 {
        return Err(not_ours("the marker row is damaged; restore a backup"));
    }
    Ok(())
}

/// The page size and `auto_vacuum` are chosen here, and cannot be changed later.
fn create(db: &mut Connection, options: &Options) -> Result<(), Trouble> {
    db.execute_batch(&format!(
        "PRAGMA page_size = {}; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
         PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL;",
        schema::PAGE_SIZE
    ))?;
    let marker =
        format!("longshore store, format {}, made {}", schema::VERSION, options.clock.now());
    let sum = crc32fast::hash(marker.as_bytes());
    let create = db.transaction()?;
    create.execute_batch(schema::CREATE)?;
    let mut insert = create.prepare("INSERT INTO meta(key, value) VALUES (?1, ?2)")?;
    insert.execute(("marker", marker))?;
    insert.execute(("marker_sum", sum))?;
    insert.execute(("epoch", 0))?;
    insert.execute(("seq_limit", 0))?;
    drop(insert);
    create.pragma_update(None, "application_id", schema::APPLICATION_ID)?;
    create.pragma_update(None, "user_version", schema::VERSION)?;
    create.commit()?;
    Ok(())
}

/// Brings a file of an earlier version up to this one, in one synced transaction: a death in the
/// middle leaves it as it was.
fn migrate(db: &mut Connection) -> Result<(), Trouble> {
    let version: i32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(version - 1).unwrap_or(0);
    let steps = schema::STEPS.get(done..).unwrap_or_default();
    if steps.is_empty() {
        return Ok(());
    }
    let migration = db.transaction()?;
    for step in steps {
        migration.execute_batch(step)?;
    }
    migration.pragma_update(None, "user_version", schema::VERSION)?;
    migration.commit()?;
    tracing::info!(
        from = version,
        to = schema::VERSION,
        "the file's format was brought up to date"
    );
    Ok(())
}

/// Moves what was written ahead into the main file and syncs both: what recovery found may have
/// been in the page cache only.
fn settle_log(db: &Connection) -> Result<(), Trouble> {
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

/// Starts a new epoch, synced, and the places in the order of accepting after all that were ever
/// given out.
fn new_epoch(db: &mut Connection) -> Result<Boot, Trouble> {
    let next = db.transaction()?;
    next.execute("UPDATE meta SET value = value + 1 WHERE key = 'epoch'", [])?;
    let get = |key: &str| {
        next.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get::<_, i64>(0))
    };
    let newest: Option<i64> = next.query_row("SELECT max(seq) FROM tasks", [], |row| row.get(0))?;
    let (epoch, next_seq) = (get("epoch")?, get("seq_limit")?.max(newest.unwrap_or(0)));
    next.commit()?;
    let epoch = u32::try_from(epoch)
        .map_err(|_| Trouble::Fatal(format!("the boot epoch {epoch} is out of range")))?;
    Ok(Boot { epoch, next_seq })
}
