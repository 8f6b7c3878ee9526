//! A message as the file has it.

use super::{GroupId, Position, parcel};
use crate::error::Trouble;
use longshore_core::broker::Envelope;
use rusqlite::{Connection, Row};

const AGAIN: &str = "SELECT m.position, m.topic, m.only, m.payload, coalesce(r.headers, m.headers)
                     FROM messages m LEFT JOIN retries r ON r.grp = ?2 AND r.position = m.position
                     WHERE m.position = ?1";
pub(super) const FRESH: &str = "SELECT position, topic, only, payload, headers FROM messages
                     WHERE position > ?1 ORDER BY position";

/// A message as the file has it.
pub(super) struct Found {
    pub(super) position: Position,
    pub(super) topic: Option<String>,
    pub(super) only: Option<GroupId>,
    pub(super) envelope: Envelope,
    /// Its headers are lost.
    pub(super) damaged: bool,
}

impl Found {
    /// Reads one from a row.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let payload = bytes::Bytes::copy_from_slice(row.get_ref(3)?.as_blob().unwrap_or_default());
        let headers = row.get_ref(4)?.as_str_or_null().ok();
        let headers = headers.and_then(|headers| parcel::unpack(headers).ok());
        let damaged = headers.is_none();
        let envelope = Envelope { headers: headers.unwrap_or_default(), payload };
        let (position, topic, only) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Self { position, topic, only, envelope, damaged })
    }
}

/// Finds what is handed out again to a group, with the headers of its attempt.
pub(super) fn find(
    db: &Connection,
    group: GroupId,
    position: Position,
) -> Result<Option<Found>, Trouble> {
    let mut select = db.prepare_cached(AGAIN)?;
    let mut rows = select.query((position, group))?;
    match rows.next()? {
        Some(row) => Ok(Some(Found::read(row)?)),
        None => Ok(None),
    }
}
