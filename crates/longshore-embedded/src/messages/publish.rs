//! Taking messages in.

use super::GroupId;
use super::log::Log;
use super::parcel::Parcel;
use super::route::Way;
use crate::error::Trouble;
use longshore_core::Timestamp;
use longshore_core::broker::{PublishError, Receipt, To};
use rusqlite::Connection;

/// Largest payload in bytes.
pub(super) const MAX_PAYLOAD: usize = 16 << 20;

const INSERT: &str = "INSERT INTO messages(position, topic, only, at, headers, payload)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

impl Log {
    /// Stores a batch, in order.
    pub(crate) fn publish(
        &mut self,
        db: &Connection,
        now: Timestamp,
        parcels: &[Parcel],
    ) -> Result<Vec<Result<Receipt, PublishError>>, Trouble> {
        let mut answers = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            answers.push(self.take_in(db, now, parcel)?);
        }
        Ok(answers)
    }

    fn take_in(
        &mut self,
        db: &Connection,
        now: Timestamp,
        parcel: &Parcel,
    ) -> Result<Result<Receipt, PublishError>, Trouble> {
        let size = parcel.payload.len();
        if size > MAX_PAYLOAD {
            return Ok(Err(PublishError::TooLarge { size, limit: MAX_PAYLOAD }));
        }
        let (topic, only) = match &parcel.to {
            To::Topic(topic) => (Some(topic.as_str()), None),
            To::Group(group) => match self.find(group) {
                Some(group) => (None, Some(group)),
                None => return Ok(Err(PublishError::Unroutable { to: parcel.to.clone() })),
            },
        };
        let way = Way::of(&mut self.routes, topic, only);
        if !self.expect(&way) {
            return Ok(Err(PublishError::Unroutable { to: parcel.to.clone() }));
        }
        let headers = parcel.headers.as_deref();
        self.append(db, now, (topic, only), headers, &parcel.payload)?;
        Ok(Ok(Receipt))
    }

    /// Counts the message that comes next for all who get it; false if nobody does.
    fn expect(&mut self, way: &Way) -> bool {
        let end = self.end;
        let mut count = |group: GroupId| {
            if let Some(group) = self.groups.get_mut(&group) {
                if group.ready == 0 {
                    group.cursor = end; // whatever lies between is for others
                }
                group.ready += 1;
                group.dirty = true;
            }
        };
        let mut taken = false;
        match way {
            Way::Only(group) => {
                count(*group);
                taken = true;
            }
            Way::Topic(route) => route.takers(end + 1).for_each(|group| {
                count(group);
                taken = true;
            }),
        }
        taken
    }

    /// Stores a message for one group alone, from whatever topic it came.
    pub(super) fn put_before(
        &mut self,
        db: &Connection,
        now: Timestamp,
        (topic, group): (Option<&str>, GroupId),
        headers: Option<&str>,
        payload: &[u8],
    ) -> Result<(), Trouble> {
        self.expect(&Way::Only(group));
        self.append(db, now, (topic, Some(group)), headers, payload)
    }

    fn append(
        &mut self,
        db: &Connection,
        now: Timestamp,
        (topic, only): (Option<&str>, Option<GroupId>),
        headers: Option<&str>,
        payload: &[u8],
    ) -> Result<(), Trouble> {
        let position = self.next(db)?;
        let mut insert = db.prepare_cached(INSERT)?;
        insert.execute((position, topic, only, now.0, headers, payload))?;
        Ok(())
    }
}
