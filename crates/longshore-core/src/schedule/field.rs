//! One field of a cron expression, read into the set of its values.

use super::BadCron;

/// What a field is called, what it may hold, and how its values may be named.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) least: u32,
    pub(super) most: u32,
    /// Names of the values from `least` on.
    pub(super) names: &'static [&'static str],
}

pub(super) const SECOND: Shape = Shape { name: "second", least: 0, most: 59, names: &[] };
pub(super) const MINUTE: Shape = Shape { name: "minute", least: 0, most: 59, names: &[] };
pub(super) const HOUR: Shape = Shape { name: "hour", least: 0, most: 23, names: &[] };
pub(super) const DAY: Shape = Shape { name: "day of month", least: 1, most: 31, names: &[] };
pub(super) const MONTH: Shape = Shape {
    name: "month",
    least: 1,
    most: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
/// Sunday is 0 and 7.
pub(super) const WEEKDAY: Shape = Shape {
    name: "day of week",
    least: 0,
    most: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};

impl Shape {
    /// Says what is wrong with this field.
    pub(super) fn bad(&self, why: impl Into<String>) -> BadCron {
        BadCron { field: self.name, why: why.into() }
    }

    /// Reads a whole field; bit n says that the value n is meant.
    pub(super) fn read(&self, text: &str) -> Result<u64, BadCron> {
        let mut values = 0;
        for item in text.split(',') {
            values |= self.item(item)?;
        }
        Ok(values)
    }

    /// Reads one entry of a list.
    pub(super) fn item(&self, text: &str) -> Result<u64, BadCron> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (text, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.last()),
            Some((from, to)) => self.range(from, to)?,
            None => {
                let from = self.value(range)?;
                (from, if step.is_some() { self.last().max(from) } else { from })
            }
        };
        let step = match step {
            Some(step) => self.step(step)?,
            None => 1,
        };
        Ok((from..=to).step_by(step).fold(0, |values, value| values | 1 << value))
    }

    fn range(&self, from: &str, to: &str) -> Result<(u32, u32), BadCron> {
        let (first, mut last) = (self.value(from)?, self.value(to)?);
        if last == 0 && self.most == 7 {
            last = 7; // FRI-SUN
        }
        if first > last {
            return Err(self.bad(format!("the range {from}-{to} ends before it begins")));
        }
        Ok((first, last))
    }

    fn step(&self, text: &str) -> Result<usize, BadCron> {
        let span = self.last() - self.least;
        match number(text) {
            Some(step) if (1..=span).contains(&step) => Ok(step as usize),
            _ => Err(self.bad(format!("a step must be a number in 1..{span}"))),
        }
    }

    /// Reads a number or a name.
    pub(super) fn value(&self, text: &str) -> Result<u32, BadCron> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(place) => u32::try_from(place).ok().map(|place| place + self.least),
            None => number(text),
        };
        value.filter(|value| (self.least..=self.most).contains(value)).ok_or_else(|| {
            let names = self.names.first().zip(self.names.last());
            let names = names.map_or(String::new(), |(a, z)| format!(", or a name ({a} to {z})"));
            self.bad(format!("must hold numbers in {}..{}{names}", self.least, self.most))
        })
    }

    /// The last value that `*` means: Sunday is there once.
    fn last(&self) -> u32 {
        if self.most == 7 { 6 } else { self.most }
    }
}

/// Reads a small number, digits only.
fn number(text: &str) -> Option<u32> {
    let fits = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}
