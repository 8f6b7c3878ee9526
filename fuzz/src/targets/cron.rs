//! Cron expressions in time zones.

use crate::{Came, Target};
use longshore_core::Timestamp;
use longshore_core::schedule::Timing;

/// A cron expression, and after a `|` a time zone.
pub(super) struct Crons;

/// From here slots are looked for: the night of a change of clocks.
const FROM: Timestamp = Timestamp(1_792_879_200_000);

impl Target for Crons {
    fn name(&self) -> &'static str {
        "cron"
    }

    fn words(&self) -> &'static [&'static str] {
        &[
            "*",
            "/",
            "-",
            ",",
            "?",
            "L",
            "LW",
            "15W",
            "#5",
            "MON",
            "DEC",
            "@daily",
            " ",
            "0",
            "59",
            "31",
            "2",
            "|Europe/Berlin",
            "|Australia/Lord_Howe",
            "|UTC",
        ]
    }

    /// What is accepted has slots, each after the one before.
    fn feed(&mut self, input: &[u8]) -> Result<Came, String> {
        let text = String::from_utf8_lossy(input);
        let (cron, zone) = text.split_once('|').unwrap_or((&text, "UTC"));
        let timing = match Timing::parse(cron, zone) {
            Ok(timing) => timing,
            Err(bad) => return Ok(Came::refused(format!("{bad:.20}"))),
        };
        let slots = timing.slots_between(FROM, Timestamp::MAX, 5);
        if slots.len() < 5 || slots.windows(2).any(|two| two[0] >= two[1]) || slots[0] <= FROM {
            return Err(format!("{text:?} has the slots {slots:?}"));
        }
        Ok(Came::accepted(format!("{}", (slots[1].0 - slots[0].0) / 60_000)))
    }
}
