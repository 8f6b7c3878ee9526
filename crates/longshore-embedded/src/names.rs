//! Names as numbers: rows and indexes stay small, and comparing is cheap.
//!
//! The writer gives the numbers; readers translate them back.

use longshore_core::{KindName, QueueName, TenantName};
use rusqlite::Connection;
use rustc_hash::FxHashMap as HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// A name's number.
pub(crate) type NameId = i64;

/// Kinds, queues, tenants and workers that were ever seen.
#[derive(Debug, Default)]
pub(crate) struct Names(RwLock<Table>);

#[derive(Debug, Default)]
struct Table {
    ids: HashMap<Arc<str>, NameId>,
    entries: Vec<Option<Entry>>,
}

/// One text in each of the shapes it is asked for.
#[derive(Debug, Clone)]
struct Entry {
    text: Arc<str>,
    kind: Option<KindName>,
    queue: Option<QueueName>,
    tenant: Option<TenantName>,
}

impl Entry {
    fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            kind: KindName::new(text).ok(),
            queue: QueueName::new(text).ok(),
            tenant: TenantName::new(text).ok(),
        }
    }
}

impl Table {
    fn insert(&mut self, id: NameId, text: &str) {
        let place = usize::try_from(id).unwrap_or(0);
        if self.entries.len() <= place {
            self.entries.resize(place + 1, None);
        }
        let entry = Entry::new(text);
        self.ids.insert(entry.text.clone(), id);
        self.entries[place] = Some(entry);
    }
}

impl Names {
    /// Reads all names again: at the start, and after a transaction was rolled back.
    pub(crate) fn load(&self, db: &Connection) -> rusqlite::Result<()> {
        let mut table = Table::default();
        let mut select = db.prepare("SELECT id, name FROM names")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            table.insert(row.get(0)?, row.get_ref(1)?.as_str()?);
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = table;
        Ok(())
    }

    /// Returns a name's number, if it has one.
    pub(crate) fn find(&self, name: &str) -> Option<NameId> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).ids.get(name).copied()
    }

    /// Returns a name's number; a new name gets one. For the writer, inside its transaction.
    pub(crate) fn intern(&self, db: &Connection, name: &str) -> rusqlite::Result<NameId> {
        if let Some(id) = self.find(name) {
            return Ok(id);
        }
        db.prepare_cached("INSERT INTO names(name) VALUES (?1)")?.execute([name])?;
        let id = db.last_insert_rowid();
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(id, name);
        Ok(id)
    }

    fn entry<T>(&self, id: NameId, pick: impl FnOnce(&Entry) -> Option<T>) -> Option<T> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let entry = table.entries.get(usize::try_from(id).ok()?)?.as_ref()?;
        pick(entry)
    }

    pub(crate) fn kind(&self, id: NameId) -> rusqlite::Result<KindName> {
        self.entry(id, |entry| entry.kind.clone()).ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    pub(crate) fn queue(&self, id: NameId) -> rusqlite::Result<QueueName> {
        self.entry(id, |entry| entry.queue.clone()).ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    pub(crate) fn tenant(&self, id: NameId) -> rusqlite::Result<TenantName> {
        self.entry(id, |entry| entry.tenant.clone()).ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    pub(crate) fn text(&self, id: NameId) -> Option<Arc<str>> {
        self.entry(id, |entry| Some(entry.text.clone()))
    }
}
