//! Putting aside what cannot, or must not, be handed out any more.

use super::found::Found;
use super::group::Group;
use super::log::Log;
use super::{Position, parcel};
use crate::error::Trouble;
use longshore_core::broker::{Dead, Origin, TopicName};
use longshore_core::{FaultClass, Timestamp};
use rusqlite::Connection;

impl Log {
    /// Puts among the dead letters what is damaged, or was handed out too often without an end.
    pub(super) fn put_aside(
        &mut self,
        db: &Connection,
        now: Timestamp,
        group: &mut Group,
        found: Found,
    ) -> Result<(), Trouble> {
        let position = found.position;
        let dead = if found.damaged {
            tracing::error!(group = %group.name, position, "the headers of a message are lost: it was set aside; check the disk");
            self.set_aside += 1;
            let reason = "the file has lost the headers of this message".to_owned();
            Dead { class: FaultClass::BadData, reason }
        } else {
            tracing::warn!(group = %group.name, position, "a message was handed out too often and never settled: it was set aside");
            let count = group.find(position).map_or(0, |held| held.count);
            let reason = format!("it was handed out {count} times and never settled");
            Dead { class: FaultClass::Crash, reason }
        };
        let topic = found.topic.as_deref().and_then(|topic| TopicName::new(topic).ok());
        let group_name = Some(group.name.clone());
        let origin = Origin { topic, group: group_name, message_id: None, position: None };
        let letter = found.envelope.dead_letter(&origin, &dead, now);
        if let Some(name) = &group.dead {
            let dead = self.dead_group(db, name)?;
            let headers = parcel::pack(&letter.headers);
            let from = (found.topic.as_deref(), dead);
            self.put_before(db, now, from, headers.as_deref(), &letter.payload)?;
            self.more = true;
        }
        self.forget(db, group, position)
    }

    /// The file has lost a message: the others go on.
    pub(super) fn lose(
        &mut self,
        db: &Connection,
        group: &mut Group,
        position: Position,
    ) -> Result<(), Trouble> {
        tracing::error!(group = %group.name, position, "a message is lost; check the disk");
        self.set_aside += 1;
        self.forget(db, group, position)
    }
}
