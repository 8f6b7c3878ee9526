//! Durations, rates, times, names and ids.

use crate::{Came, Target};
use longshore_core::queue::Rate;
use longshore_core::{KindName, QueueName, Span, State, TaskId, TenantName, Timestamp};
use std::fmt::{Debug, Display};
use std::str::FromStr;

/// Everything that is one word.
pub(super) struct Words;

impl Target for Words {
    fn name(&self) -> &'static str {
        "words"
    }

    fn words(&self) -> &'static [&'static str] {
        &["d", "h", "m", "s", "ms", "/", "500", "T", "Z", "+00:00", "-", ":", ".", "2027-01-01"]
    }

    /// What is accepted is written down so that it is read as the same again.
    fn feed(&mut self, input: &[u8]) -> Result<Came, String> {
        let text = String::from_utf8_lossy(input);
        let mut sign = String::new();
        let read = [
            ("span", again::<Span>(&text)?),
            ("rate", again::<Rate>(&text)?),
            ("kind", again::<KindName>(&text)?),
            ("queue", again::<QueueName>(&text)?),
            ("tenant", again::<TenantName>(&text)?),
            ("state", again::<State>(&text)?),
            ("id", again::<TaskId>(&text)?),
            ("time", time(&text)?),
        ];
        read.iter().filter(|(_, is)| *is).for_each(|(name, _)| sign.push_str(name));
        Ok(if sign.is_empty() { Came::refused("nothing") } else { Came::accepted(sign) })
    }
}

fn again<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Result<bool, String> {
    let Ok(read) = text.parse::<T>() else { return Ok(false) };
    match read.to_string().parse::<T>() {
        Ok(same) if same == read => Ok(true),
        _ => Err(format!("{text:?} is read as {read:?}, written as {read}, and that is another")),
    }
}

fn time(text: &str) -> Result<bool, String> {
    let Some(read) = Timestamp::parse(text) else { return Ok(false) };
    match Timestamp::parse(&read.to_string()) {
        Some(same) if same == read => Ok(true),
        _ => Err(format!("{text:?} is read as {read:?}, written as {read}, and that is another")),
    }
}
