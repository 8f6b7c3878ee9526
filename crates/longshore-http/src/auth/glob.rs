//! Patterns of queues' names.

use std::fmt;
use std::str::FromStr;

/// Longest pattern in bytes, as of a name.
const MAX: usize = 128;

/// A pattern of queues' names, in which `*` stands for any characters, or none: `mail*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueGlob(Box<str>);

/// A text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {MAX} of the characters a-z, 0-9, \".\", \"_\", \"-\" and \"*\"")]
pub struct BadGlob;

impl QueueGlob {
    /// Returns the pattern that fits all names.
    pub fn any() -> Self {
        Self("*".into())
    }

    /// Returns whether it fits all names.
    pub fn is_any(&self) -> bool {
        self.0.bytes().all(|byte| byte == b'*')
    }

    /// Returns its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether it fits this name. Takes time in proportion to both lengths at most.
    pub fn fits(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        // The last star, and the part of the name that it does not cover yet.
        let mut back: Option<(usize, usize)> = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    back = Some((p, n));
                    p += 1;
                }
                Some(byte) if *byte == name[n] => (p, n) = (p + 1, n + 1),
                _ => match back {
                    None => return false,
                    Some((star, covered)) => {
                        back = Some((star, covered + 1));
                        (p, n) = (star + 1, covered + 1);
                    }
                },
            }
        }
        pattern[p..].iter().all(|byte| *byte == b'*')
    }
}

impl fmt::Display for QueueGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for QueueGlob {
    type Err = BadGlob;
    fn from_str(text: &str) -> Result<Self, BadGlob> {
        let known = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-*".contains(&byte)
        };
        let fine = (1..=MAX).contains(&text.len()) && text.bytes().all(known);
        if fine { Ok(Self(text.into())) } else { Err(BadGlob) }
    }
}

impl serde::Serialize for QueueGlob {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for QueueGlob {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(|bad| serde::de::Error::custom(format!("\"{text}\" {bad}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, name: &str) -> bool {
        pattern.parse::<QueueGlob>().unwrap().fits(name)
    }

    #[test]
    fn a_star_stands_for_any_characters_and_the_rest_for_itself() {
        for (pattern, name) in [
            ("*", "x"),
            ("mail*", "mail"),
            ("mail*", "mail.fast"),
            ("*.fast", "mail.fast"),
            ("a*b*c", "axxbyyc"),
            ("a*b*c", "abcbc"),
            ("**", "x"),
            ("mail", "mail"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("mail*", "mai"),
            ("mail*", "xmail"),
            ("mail", "mail2"),
            ("a*b", "abc"),
            ("*.fast", "fast"),
            ("m.il", "mail"),
        ] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_take_no_long_time() {
        let pattern = format!("{}b", "a*".repeat(60));
        assert!(!fits(&pattern, &"a".repeat(128)));
    }

    #[test]
    fn what_no_name_can_fit_is_no_pattern() {
        for bad in ["", "Mail*", "a b", "a?", &"x".repeat(129)] {
            assert!(bad.parse::<QueueGlob>().is_err(), "{bad}");
        }
        assert!(QueueGlob::any().is_any() && !"a*".parse::<QueueGlob>().unwrap().is_any());
    }
}
