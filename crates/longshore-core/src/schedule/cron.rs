//! A cron expression: which wall clock times it means, whatever the zone.

use super::days::Days;
use super::field::{HOUR, MINUTE, MONTH, SECOND};
use jiff::civil::{Date, DateTime, Time};
use std::fmt;

/// Longest expression, in bytes.
pub const LONGEST: usize = 256;

const SHORT: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A text is no cron expression, or one whose time never comes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct BadCron {
    /// Which field; `cron` stands for the whole expression.
    pub field: &'static str,
    /// What is wrong, and what would be right.
    pub why: String,
}

/// A cron expression of five or six fields.
///
/// ```
/// use longshore_core::schedule::Cron;
/// assert!("0 30 9 * * MON-FRI".parse::<Cron>().is_ok());
/// let bad = "0 25 * * *".parse::<Cron>().unwrap_err();
/// assert_eq!(bad.to_string(), "hour: must hold numbers in 0..23");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: Days,
    months: u64,
}

impl std::str::FromStr for Cron {
    type Err = BadCron;

    fn from_str(text: &str) -> Result<Self, BadCron> {
        let bad = |why: &str| BadCron { field: "cron", why: why.into() };
        if text.len() > LONGEST {
            return Err(bad("must have at most 256 bytes"));
        }
        let whole = text.trim();
        let short = SHORT.iter().find(|(short, _)| short.eq_ignore_ascii_case(whole));
        let fields: Vec<&str> =
            short.map_or(whole, |(_, meant)| meant).split_ascii_whitespace().collect();
        let (second, fields) = match fields.as_slice() {
            rest if rest.len() == 5 => ("0", rest),
            [second, rest @ ..] if rest.len() == 5 => (*second, rest),
            _ => {
                return Err(bad(
                    "must have 5 fields (minute, hour, day of month, month, day of week), or 6 with the second first",
                ));
            }
        };
        let [minute, hour, day, month, week] = fields else {
            return Err(bad("must have 5 or 6 fields"));
        };
        let months = MONTH.read(month)?;
        Ok(Self {
            text: whole.to_owned(),
            seconds: SECOND.read(second)?,
            minutes: MINUTE.read(minute)?,
            hours: HOUR.read(hour)?,
            days: Days::read(day, week, months)?,
            months,
        })
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Cron {
    /// Returns whether it has slots in every hour of a day. Such a schedule follows the time that passes,
    /// not the clock, when the clocks change.
    pub fn is_every_hour(&self) -> bool {
        self.hours == (1 << 24) - 1
    }

    /// Returns the first time from `from` on that is meant, if there is one before `until`.
    pub(super) fn next(&self, from: DateTime, until: DateTime) -> Option<DateTime> {
        let mut date = from.date();
        let mut time = Some(from.time());
        while date <= until.date() {
            if self.months & 1 << date.month() == 0 {
                date = date.last_of_month().tomorrow().ok()?;
                time = None;
                continue;
            }
            if self.days.mean(date)
                && let Some(time) = self.next_time(time.unwrap_or(Time::MIN))
            {
                let next = date.to_datetime(time);
                return (next < until).then_some(next);
            }
            date = Date::tomorrow(date).ok()?;
            time = None;
        }
        None
    }

    fn next_time(&self, from: Time) -> Option<Time> {
        let (mut hour, mut minute, second) = (from.hour(), from.minute(), from.second());
        if holds(self.hours, hour) {
            if holds(self.minutes, minute)
                && let Some(second) = first(self.seconds, second)
            {
                return Time::new(hour, minute, second, 0).ok();
            }
            minute += 1;
            if let Some(minute) = first(self.minutes, minute) {
                return Time::new(hour, minute, first(self.seconds, 0)?, 0).ok();
            }
        }
        hour += 1;
        let hour = first(self.hours, hour)?;
        Time::new(hour, first(self.minutes, 0)?, first(self.seconds, 0)?, 0).ok()
    }
}

fn holds(set: u64, value: i8) -> bool {
    set & 1 << value != 0
}

/// Returns the first of a set from `from` on.
fn first(set: u64, from: i8) -> Option<i8> {
    let rest = set & (u64::MAX << from);
    (rest != 0).then(|| i8::try_from(rest.trailing_zeros()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        text.parse::<Cron>().expect_err(text).to_string()
    }

    #[test]
    fn what_people_write_is_read() {
        for text in [
            "* * * * *",
            "*/15 * * * *",
            "0 9-17/2 * jan,JUL mon-fri",
            "30 0 3 ? * FRI-SUN",
            "0 0 L * *",
            "0 0 15W,LW 2 *",
            "0 0 * * FRI#2,MONL",
            "5/15 * * * *",
            "0 0 29 2 *",
            "0 0 31 2 MON",
            "  @Daily ",
        ] {
            assert!(text.parse::<Cron>().is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_field() {
        for (text, said) in [
            ("", "cron: must have 5 fields"),
            ("* * * *", "cron: must have 5 fields"),
            ("* * * * * * *", "cron: must have 5 fields"),
            ("@often", "cron: must have 5 fields"),
            ("*/0 * * * *", "minute: a step must be a number in 1..59"),
            ("*/99999999999999999999 * * * *", "minute: a step"),
            ("0-999999999 * * * *", "minute: must hold numbers in 0..59"),
            ("1,,2 * * * *", "minute: must hold numbers"),
            ("60 * * * * *", "second: must hold numbers in 0..59"),
            ("0 24 * * *", "hour: must hold numbers in 0..23"),
            ("0 22-6 * * *", "hour: the range 22-6 ends before it begins"),
            ("0 0 0 * *", "day of month: must hold numbers in 1..31"),
            ("0 0 * 13 *", "month: must hold numbers in 1..12, or a name (JAN to DEC)"),
            ("0 0 * 1JAN *", "month: must hold"),
            ("0 0 * * 8", "day of week: must hold numbers in 0..7"),
            ("0 0 * * MON#6", "day of week: what follows # must lie in 1..5"),
            ("0 0 30 2 *", "day of month: these days never come in these months"),
            ("0 0 31 4,6,SEP,11 *", "day of month: these days never come"),
            ("0 -1 * * *", "hour: must hold"),
            ("0 0 \u{661} * *", "day of month: must hold"),
        ] {
            assert!(refused(text).starts_with(said), "{text}: {}", refused(text));
        }
    }

    #[test]
    fn a_long_text_is_refused_before_it_is_looked_at() {
        let hostile = format!("{} * * * *", "0-59,".repeat(2_000));
        assert_eq!(refused(&hostile), "cron: must have at most 256 bytes");
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_read_makes_it_panic(text in ".{0,80}") {
            let _ = text.parse::<Cron>();
        }

        #[test]
        fn whatever_is_read_comes_at_some_time(text in "([0-9*]|[0-9]-[0-9]|\\*/[1-9]|L|1?[0-9]W|FRI#2|MONL)( [1-9*]| [1-9],1[0-2]| \\*/[1-5]| [12][0-9]| L| 31| SUNL| MON#5){4}") {
            if let Ok(cron) = text.parse::<Cron>() {
                let from = jiff::civil::date(2026, 1, 1).at(0, 0, 0, 0);
                let next = cron.next(from, jiff::civil::date(2126, 1, 1).at(0, 0, 0, 0));
                proptest::prop_assert!(next.is_some(), "{text}");
            }
        }
    }
}
