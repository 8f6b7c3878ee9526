//! Durations as people write them: `250ms`, `1s`, `1h30m`, or a number of seconds.

use std::fmt;
use std::time::Duration;

/// A duration with a text form; precise to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub Duration);

/// The text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a duration such as \"250ms\", \"1s\" or \"1h30m\", or a number of seconds")]
pub struct BadSpan;

const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Span {
    /// Reads the number of seconds.
    pub fn from_seconds(seconds: f64) -> Result<Self, BadSpan> {
        if !(0.0..=1e10).contains(&seconds) {
            return Err(BadSpan);
        }
        // Rounded to the millisecond, the precision of everything stored.
        Ok(Self(Duration::from_millis((seconds * 1000.0).round() as u64)))
    }

    /// Returns whole milliseconds.
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl std::str::FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, BadSpan> {
        let mut rest = text;
        let mut millis: u64 = 0;
        let mut smallest = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, tail) = tail.split_at(letters);
            let number: u64 = number.parse().map_err(|_| BadSpan)?;
            let (_, worth) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(BadSpan)?;
            if *worth >= smallest {
                return Err(BadSpan); // "1s1h" and "1s1s" are slips, not durations
            }
            smallest = *worth;
            millis = number
                .checked_mul(*worth)
                .and_then(|part| millis.checked_add(part))
                .ok_or(BadSpan)?;
            rest = tail;
        }
        if smallest == u64::MAX { Err(BadSpan) } else { Ok(Self(Duration::from_millis(millis))) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.as_millis();
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, worth) in UNITS {
            if left >= worth {
                write!(f, "{}{unit}", left / worth)?;
                left %= worth;
            }
        }
        Ok(())
    }
}

impl serde::Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl serde::de::Visitor<'_> for Reader {
            type Value = Span;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"1s\", or a number of seconds")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Span, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Span, E> {
                Span::from_seconds(seconds as f64).map_err(E::custom)
            }
            fn visit_i64<E: serde::de::Error>(self, seconds: i64) -> Result<Span, E> {
                Span::from_seconds(seconds as f64).map_err(E::custom)
            }
            fn visit_f64<E: serde::de::Error>(self, seconds: f64) -> Result<Span, E> {
                Span::from_seconds(seconds).map_err(E::custom)
            }
        }
        from.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, millis) in
            [("250ms", 250), ("1s", 1_000), ("1h30m", 5_400_000), ("7d", 604_800_000), ("0s", 0)]
        {
            assert_eq!(text.parse(), Ok(Span(Duration::from_millis(millis))), "{text}");
        }
        for bad in ["", "1", "s", "-1s", "1.5s", "1s1h", "1s1s", "1 s", "99999999999999999999s"] {
            assert_eq!(bad.parse::<Span>(), Err(BadSpan), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 0u64..10_000_000_000) {
            let span = Span(Duration::from_millis(millis));
            proptest::prop_assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
