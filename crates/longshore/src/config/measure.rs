//! Bytes as people write them.

use std::fmt;
use std::str::FromStr;

/// Bytes with a text form: `512B`, `256KiB`, `10GiB`, `5MB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// The text is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a size such as \"256KiB\", \"10GiB\" or \"5MB\", or a number of bytes")]
pub struct BadSize;

/// In the order in which a size looks for the unit that it is shown in.
const UNITS: [(&str, u64); 10] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
];

impl FromStr for Size {
    type Err = BadSize;

    fn from_str(text: &str) -> Result<Self, BadSize> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| BadSize)?;
        let (_, worth) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(BadSize)?;
        number.checked_mul(*worth).map(Self).ok_or(BadSize)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, worth)| self.0 != 0 && self.0.is_multiple_of(*worth));
        let (unit, worth) = whole.unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / worth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them_and_are_shown_in_whole_units() {
        for (text, bytes, shown) in [
            ("256KiB", 262_144, "256KiB"),
            ("1024KiB", 1_048_576, "1MiB"),
            ("5000kB", 5_000_000, "5MB"),
            ("0B", 0, "0B"),
            ("1500B", 1_500, "1500B"),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
            assert_eq!(Size(bytes).to_string(), shown);
        }
        for bad in ["", "1", "KiB", "-1B", "1.5MiB", "1 KiB", "1kib", "99999999TiB"] {
            assert_eq!(bad.parse::<Size>(), Err(BadSize), "{bad}");
        }
    }
}
