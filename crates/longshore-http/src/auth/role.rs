//! What a key allows.

use std::fmt;
use std::str::FromStr;

/// What a key allows. No role holds another: a key has each that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// To submit tasks.
    Enqueue,
    /// To read tasks, queues and dead letters of its tenant.
    Read,
    /// To take tasks out, and to tell how they ended: for workers.
    Work,
    /// To act on tasks of its tenant, and to see how the server is.
    Operate,
    /// To see what is configured and who did what, and to change what all tenants share.
    Admin,
}

/// A word is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no role; there is: enqueue, read, work, operate, admin")]
pub struct BadRole;

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Enqueue, Self::Read, Self::Work, Self::Operate, Self::Admin];

    /// Returns its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enqueue => "enqueue",
            Self::Read => "read",
            Self::Work => "work",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = BadRole;
    fn from_str(word: &str) -> Result<Self, BadRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == word).ok_or(BadRole)
    }
}

impl serde::Serialize for Role {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Role {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let word = String::deserialize(from)?;
        word.parse().map_err(|bad| serde::de::Error::custom(format!("\"{word}\" {bad}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_is_read_as_it_is_written() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert!("root".parse::<Role>().is_err() && "Admin".parse::<Role>().is_err());
    }
}
