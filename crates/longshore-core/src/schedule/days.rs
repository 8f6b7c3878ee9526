//! The days that a cron expression means.

use super::BadCron;
use super::field::{DAY, Shape, WEEKDAY};
use jiff::civil::Date;

/// The days of a month and of a week; with both, a day that fits either is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Days {
    of_month: Option<OfMonth>,
    of_week: Option<OfWeek>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct OfMonth {
    days: u64,
    last: bool,
    last_workday: bool,
    /// The workdays nearest to these.
    near: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct OfWeek {
    weekdays: u64,
    /// The first to the fifth of a month.
    nth: [u64; 5],
    last: u64,
}

const EVERY_DAY: u64 = 0xFFFF_FFFE;
const EVERY_WEEKDAY: u64 = 0x7F;

impl Days {
    /// Reads the two fields; `months` are those in which the days lie.
    pub(super) fn read(month: &str, week: &str, months: u64) -> Result<Self, BadCron> {
        let (of_month, of_week) = (OfMonth::read(month)?, OfWeek::read(week)?);
        let plain = OfMonth { days: EVERY_DAY, ..OfMonth::default() };
        let of_month = (of_month != plain).then_some(of_month);
        let plain = OfWeek { weekdays: EVERY_WEEKDAY, ..OfWeek::default() };
        let of_week = (of_week != plain).then_some(of_week);
        if let (Some(days), None) = (&of_month, &of_week)
            && !days.ever_come(months)
        {
            return Err(DAY.bad("these days never come in these months"));
        }
        Ok(Self { of_month, of_week })
    }

    pub(super) fn mean(&self, date: Date) -> bool {
        match (&self.of_month, &self.of_week) {
            (None, None) => true,
            (Some(month), None) => month.means(date),
            (None, Some(week)) => week.means(date),
            (Some(month), Some(week)) => month.means(date) || week.means(date),
        }
    }
}

/// Reads `text`, item by item; `special` takes those that are not plain.
fn read(
    shape: &Shape,
    text: &str,
    mut special: impl FnMut(&str) -> Result<bool, BadCron>,
) -> Result<u64, BadCron> {
    let mut plain = 0;
    for item in text.split(',') {
        if item == "?" {
            plain |= shape.item("*")?;
        } else if !special(&item.to_ascii_uppercase())? {
            plain |= shape.item(item)?;
        }
    }
    Ok(plain)
}

impl OfMonth {
    fn read(text: &str) -> Result<Self, BadCron> {
        let mut these = Self::default();
        let days = read(&DAY, text, |item| {
            match (item, item.strip_suffix('W')) {
                ("L", _) => these.last = true,
                ("LW", _) => these.last_workday = true,
                (_, Some(day)) => these.near |= 1 << DAY.value(day)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self { days, ..these })
    }

    fn ever_come(&self, months: u64) -> bool {
        const LONGEST: [u32; 13] = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let named = self.days | self.near;
        let within = |(month, longest): (usize, &u32)| {
            months & 1 << month != 0 && named & ((1 << (longest + 1)) - 1) != 0
        };
        self.last || self.last_workday || LONGEST.iter().enumerate().any(within)
    }

    fn means(&self, date: Date) -> bool {
        let (day, length) = (date.day(), date.days_in_month());
        has(self.days, day)
            || (self.last && day == length)
            || (self.last_workday && is_workday(date) && day == workday_near(date, length))
            || (self.near != 0 && is_workday(date) && self.is_near(date, length))
    }

    fn is_near(&self, date: Date, length: i8) -> bool {
        let days = (date.day() - 2).max(1)..=(date.day() + 2).min(length);
        days.into_iter().any(|day| has(self.near, day) && workday_near(date, day) == date.day())
    }
}

/// Returns the day from Monday to Friday that is nearest to a day of the date's month, in the same month.
fn workday_near(date: Date, day: i8) -> i8 {
    let length = date.days_in_month();
    let weekday = (weekday(date) + i32::from(day - date.day())).rem_euclid(7);
    match weekday {
        6 if day == 1 => day + 2,
        6 => day - 1,
        0 if day == length => day - 2,
        0 => day + 1,
        _ => day,
    }
}

impl OfWeek {
    fn read(text: &str) -> Result<Self, BadCron> {
        let mut these = Self::default();
        let day = |text: &str| WEEKDAY.value(text).map(|day| 1 << (day % 7));
        let weekdays = read(&WEEKDAY, text, |item| {
            if let Some((name, nth)) = item.split_once('#') {
                let nth = nth.parse().ok().and_then(|nth: usize| nth.checked_sub(1));
                let nth = nth.and_then(|nth| these.nth.get_mut(nth));
                let nth = nth.ok_or_else(|| WEEKDAY.bad("what follows # must lie in 1..5"))?;
                *nth |= day(name)?;
            } else if let Some(name) = item.strip_suffix('L') {
                these.last |= day(name)?;
            } else {
                return Ok(false);
            }
            Ok(true)
        })?;
        Ok(Self { weekdays: (weekdays | weekdays >> 7) & EVERY_WEEKDAY, ..these })
    }

    fn means(&self, date: Date) -> bool {
        let weekday = weekday(date);
        let nth = usize::from(date.day().unsigned_abs() - 1) / 7;
        let has = |set: u64| set & 1 << weekday != 0;
        has(self.weekdays)
            || self.nth.get(nth).is_some_and(|set| has(*set))
            || (has(self.last) && date.day() + 7 > date.days_in_month())
    }
}

fn has(set: u64, day: i8) -> bool {
    set & 1 << day != 0
}

/// From Sunday, 0.
fn weekday(date: Date) -> i32 {
    i32::from(date.weekday().to_sunday_zero_offset())
}

fn is_workday(date: Date) -> bool {
    (1..=5).contains(&weekday(date))
}
