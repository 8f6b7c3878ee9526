//! Names of kinds, queues and tenants.
//!
//! One charset for all three, checked when the name is made, so that nothing further down has
//! to ask again. Cloning a name is one atomic increment.

use std::borrow::Borrow;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// Longest name in bytes.
pub const MAX_NAME: usize = 128;

/// A name does not fit `[a-z0-9][a-z0-9._-]{0,127}`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must match [a-z0-9][a-z0-9._-]{{0,127}}")]
pub struct BadName;

fn fits(name: &str) -> bool {
    let first = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let rest = |b: u8| first(b) || matches!(b, b'.' | b'_' | b'-');
    let bytes = name.as_bytes();
    bytes.len() <= MAX_NAME
        && bytes.first().is_some_and(|b| first(*b))
        && bytes.iter().all(|b| rest(*b))
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the charset and length.
            pub fn new(name: &str) -> Result<Self, BadName> {
                if fits(name) { Ok(Self(name.into())) } else { Err(BadName) }
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadName;
            fn from_str(name: &str) -> Result<Self, BadName> {
                Self::new(name)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// What a task is about; picks the handler. Such as `email.send`.
    KindName
}
name! {
    /// Where a task waits. The queue `default` always exists.
    QueueName
}
name! {
    /// Whose task it is. Comes from the credential alone; `default` without auth.
    TenantName
}

/// The name of the queue and of the tenant of whoever names none; shared, as most tasks have it.
static DEFAULT: LazyLock<Arc<str>> = LazyLock::new(|| "default".into());

impl Default for QueueName {
    fn default() -> Self {
        Self(DEFAULT.clone())
    }
}

impl Default for TenantName {
    fn default() -> Self {
        Self(DEFAULT.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_charset_is_kept_at_both_ends() {
        for good in ["a", "0", "email.send", "a_b-c", &"x".repeat(128)] {
            assert!(KindName::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".a", "-a", "A", "a b", "ä", "a/b", &"x".repeat(129)] {
            assert!(KindName::new(bad).is_err(), "{bad}");
        }
    }
}
