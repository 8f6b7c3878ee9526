//! What an operator sets on a queue, a kind or a tenant.

use crate::span::Span;
use crate::{KindName, QueueName, TenantName};
use std::fmt;
use std::time::Duration;

/// What a pause holds back. Producers are still accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// All tasks of a queue.
    Queue(QueueName),
    /// All tasks of a kind.
    Kind(KindName),
    /// All tasks of a tenant.
    Tenant(TenantName),
}

impl fmt::Display for Scope {
    /// As in the audit log: `queue mails`, `kind mail.send`, `tenant acme`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(name) => write!(f, "queue {}", name.as_str()),
            Self::Kind(name) => write!(f, "kind {}", name.as_str()),
            Self::Tenant(name) => write!(f, "tenant {}", name.as_str()),
        }
    }
}

/// So many in so long, as people write it: `500/s`, `30/m`, `10/h`, `1/5s`.
///
/// ```
/// use longshore_core::queue::Rate;
/// use std::time::Duration;
/// let rate: Rate = "30/m".parse()?;
/// assert_eq!((rate.count, rate.per), (30, Duration::from_secs(60)));
/// assert_eq!(rate.to_string(), "30/m");
/// # Ok::<(), longshore_core::queue::BadRate>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many, at least 1.
    pub count: u32,
    /// In how long, at least a millisecond.
    pub per: Duration,
}

impl Rate {
    /// Returns the one of two that lets fewer go.
    pub fn slower(self, other: Self) -> Self {
        let each = |rate: Self| rate.per.as_secs_f64() / f64::from(rate.count.max(1));
        if each(other) > each(self) { other } else { self }
    }
}

/// The text is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a rate such as \"500/s\", \"30/m\" or \"10/h\": a whole number from 1, a slash, and a unit (s, m, h, d) or a duration"
)]
pub struct BadRate;

impl std::str::FromStr for Rate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        let (count, per) = text.split_once('/').ok_or(BadRate)?;
        let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        let count: u32 = count.parse().map_err(|_| BadRate)?;
        // A unit alone stands for one of it.
        let has_number = per.starts_with(|first: char| first.is_ascii_digit());
        let span: Span = if has_number { per.parse() } else { format!("1{per}").parse() }
            .map_err(|_| BadRate)?;
        if !is_number || count == 0 || span.0.is_zero() {
            return Err(BadRate);
        }
        Ok(Self { count, per: span.0 })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = Span(self.per).to_string();
        let unit =
            per.strip_prefix('1').filter(|unit| unit.bytes().all(|b| b.is_ascii_lowercase()));
        write!(f, "{}/{}", self.count, unit.unwrap_or(&per))
    }
}

impl serde::Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Rate {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl serde::de::Visitor<'_> for Reader {
            type Value = Rate;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rate such as \"500/s\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Rate, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_str(Reader)
    }
}

/// What is set on a queue; what is not set comes from the configuration, or is the default.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueueSettings {
    /// Tasks that one process runs at a time, 1..=10,000. Default: [`QueueSettings::SLOTS`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Tasks that run at a time over all processes, at least 1. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Tasks that are handed out in a time over all processes. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Tasks that may wait, at least 1: with so many, accepts are refused. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<u64>,
}

/// A setting is out of its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be {must_be}")]
pub struct BadSetting {
    /// Which setting.
    pub field: &'static str,
    /// What it should be.
    pub must_be: &'static str,
}

impl QueueSettings {
    /// Slots of a queue on which none are set.
    pub const SLOTS: u32 = 16;

    /// Returns the first setting that is out of its range.
    pub fn check(&self) -> Result<(), BadSetting> {
        let bad = |field, must_be| Err(BadSetting { field, must_be });
        if self.slots.is_some_and(|slots| !(1..=10_000).contains(&slots)) {
            return bad("slots", "between 1 and 10000");
        }
        if self.limit == Some(0) {
            return bad("limit", "at least 1; to hold tasks back, pause the queue");
        }
        if self.backlog == Some(0) {
            return bad("backlog", "at least 1");
        }
        Ok(())
    }

    /// Returns these settings, with what they leave open taken from `others`.
    pub fn or(self, others: &Self) -> Self {
        Self {
            slots: self.slots.or(others.slots),
            limit: self.limit.or(others.limit),
            rate: self.rate.or(others.rate),
            backlog: self.backlog.or(others.backlog),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_read_as_people_write_them() {
        for (text, count, millis) in [
            ("500/s", 500, 1_000),
            ("1/s", 1, 1_000),
            ("30/m", 30, 60_000),
            ("10/h", 10, 3_600_000),
            ("1/5s", 1, 5_000),
        ] {
            assert_eq!(text.parse(), Ok(Rate { count, per: Duration::from_millis(millis) }));
        }
        for bad in ["", "500", "/s", "500/", "0/s", "-1/s", "+1/s", "1/0s", "1/x", "1.5/s", "1 /s"]
        {
            assert_eq!(bad.parse::<Rate>(), Err(BadRate), "{bad}");
        }
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let bad = [
            (QueueSettings { slots: Some(0), ..QueueSettings::default() }, "slots"),
            (QueueSettings { slots: Some(10_001), ..QueueSettings::default() }, "slots"),
            (QueueSettings { limit: Some(0), ..QueueSettings::default() }, "limit"),
            (QueueSettings { backlog: Some(0), ..QueueSettings::default() }, "backlog"),
        ];
        for (settings, field) in bad {
            assert_eq!(settings.check().map_err(|error| error.field), Err(field));
        }
        assert_eq!(
            QueueSettings { slots: Some(10_000), ..QueueSettings::default() }.check(),
            Ok(())
        );
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back(count in 1u32.., millis in 1u64..10_000_000_000) {
            let rate = Rate { count, per: Duration::from_millis(millis) };
            proptest::prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }
    }
}
