//! When the times of a cron expression come in a time zone.

use super::{BadCron, Cron};
use crate::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// Why something is no timing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTiming {
    /// The cron expression is wrong.
    #[error(transparent)]
    Cron(#[from] BadCron),
    /// There is no such time zone.
    #[error("is not a known time zone; use an IANA name such as Europe/Berlin")]
    Zone,
}

/// A cron expression in a time zone. Slots are whole seconds.
///
/// ```
/// use longshore_core::{Timestamp, schedule::Timing};
/// let daily = Timing::parse("30 2 * * *", "Europe/Berlin")?;
/// // That night the clock goes from 02:00 to 03:00.
/// let evening = Timestamp::parse("2027-03-27T20:00:00Z").unwrap();
/// assert_eq!(daily.next_after(evening).unwrap().to_string(), "2027-03-28T01:00:00.000Z");
/// # Ok::<(), longshore_core::schedule::BadTiming>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    cron: Cron,
    zone: TimeZone,
}

/// The time during which a zone keeps its offset.
struct Stretch {
    offset: i64,
    /// Its first second, and the offset before it.
    begin: Option<(i64, i64)>,
    /// The first second after it.
    end: Option<i64>,
}

impl Timing {
    /// Reads both texts.
    pub fn parse(cron: &str, timezone: &str) -> Result<Self, BadTiming> {
        Ok(Self { cron: cron.parse()?, zone: zone(timezone).ok_or(BadTiming::Zone)? })
    }

    /// Returns the first slot after a moment; nothing if there is none before the year 9999 ends.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let mut from = after.0.div_euclid(1000).checked_add(1)?;
        loop {
            let stretch = self.stretch(from)?;
            if let Some(slot) = self.next_within(&stretch, from) {
                return Some(Timestamp(slot * 1000)).filter(|slot| *slot <= Timestamp::MAX);
            }
            from = stretch.end?;
        }
    }

    /// Returns the slots after `from`, up to `to` and with it, the first `cap` of them.
    pub fn slots_between(&self, from: Timestamp, to: Timestamp, cap: usize) -> Vec<Timestamp> {
        let next = |slot: &Timestamp| self.next_after(*slot);
        let slots = std::iter::successors(self.next_after(from), next);
        slots.take_while(|slot| *slot <= to).take(cap).collect()
    }

    /// Writes a moment as the zone's clock shows it: RFC 3339 with the zone's offset.
    pub fn local(&self, at: Timestamp) -> String {
        match jiff::Timestamp::from_millisecond(at.0) {
            Ok(moment) => {
                moment.to_zoned(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
            }
            Err(_) => at.to_string(),
        }
    }

    /// Returns the first slot from the second `from` on that lies in its stretch.
    fn next_within(&self, stretch: &Stretch, from: i64) -> Option<i64> {
        let Stretch { offset, begin, end } = *stretch;
        let mut clock = from + offset;
        if let Some((begin, before)) = begin
            && !self.cron.is_every_hour()
        {
            let skipped = self.cron.next(civil(begin + before)?, civil(begin + offset)?);
            if from == begin && before < offset && skipped.is_some() {
                return Some(begin);
            }
            if before > offset {
                clock = clock.max(begin + before); // until then every time was there before
            }
        }
        let until = end.and_then(|end| civil(end + offset)).unwrap_or(DateTime::MAX);
        let next = self.cron.next(civil(clock)?, until)?;
        Offset::UTC.to_timestamp(next).ok().map(|next| next.as_second() - offset)
    }

    fn stretch(&self, second: i64) -> Option<Stretch> {
        let at = |second| jiff::Timestamp::from_second(second).ok();
        let offset = |second| Some(i64::from(self.zone.to_offset(at(second)?).seconds()));
        let begin = self.zone.preceding(at(second + 1)?).next();
        let begin = begin.map(|begin| begin.timestamp().as_second());
        let end = self.zone.following(at(second)?).next();
        Some(Stretch {
            offset: offset(second)?,
            begin: begin.and_then(|begin| Some((begin, offset(begin - 1)?))),
            end: end.map(|end| end.timestamp().as_second()),
        })
    }
}

/// Finds a zone by its IANA name.
fn zone(name: &str) -> Option<TimeZone> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"/_+-".contains(&b);
    let fine = (1..=64).contains(&name.len()) && name.bytes().all(fits);
    fine.then(|| TimeZone::get(name).ok()).flatten()
}

/// The wall clock of so many seconds since 1970, if the zone were UTC.
fn civil(seconds: i64) -> Option<DateTime> {
    let at = jiff::Timestamp::from_second(seconds).ok()?;
    Some(Offset::UTC.to_datetime(at))
}

#[cfg(test)]
mod tests;
